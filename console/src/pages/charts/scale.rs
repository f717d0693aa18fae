//! Where a vertical axis ends, and what stands at it. Pure.

use super::super::words::grouped;

/// What values are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages) enum Unit {
    /// Things.
    Count,
    /// Parts of a whole, 0 to 1, told as percent.
    Part,
    /// Milliseconds, told as seconds where they are many.
    Milliseconds,
}

impl Unit {
    /// A value in words.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(in crate::pages) fn tell(self, value: f64) -> String {
        match self {
            Self::Count => grouped(value.round().max(0.0) as u64),
            // Rounded down: "100 %" is said only of all.
            Self::Part => match (value * 1000.0 + 1e-9).floor() / 10.0 {
                percent if percent == percent.trunc() => format!("{percent:.0} %"),
                percent => format!("{percent:.1} %"),
            },
            Self::Milliseconds if value < 1.0 => format!("{value:.1} ms"),
            Self::Milliseconds if value < 999.5 => format!("{value:.0} ms"),
            Self::Milliseconds => {
                let seconds = format!("{:.1}", value / 1000.0);
                format!("{} s", seconds.strip_suffix(".0").unwrap_or(&seconds))
            }
        }
    }
}

/// An axis from 0 to a round number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) end: f64,
    pub(super) unit: Unit,
}

impl Scale {
    /// One on which `highest` finds room.
    pub(super) fn up_to(highest: f64, unit: Unit) -> Self {
        let end = match unit {
            Unit::Part => 1.0,
            // Two steps of a whole number each.
            Unit::Count => 2.0 * round_up((highest / 2.0).max(1.0)),
            Unit::Milliseconds => 2.0 * round_up((highest / 2.0).max(5.0)),
        };
        Self { end, unit }
    }

    /// What stands at it, from the top: its end, its middle, nothing.
    pub(super) fn ticks(self) -> [String; 3] {
        [self.end, self.end / 2.0, 0.0].map(|value| match self.unit {
            Unit::Milliseconds if value == 0.0 => "0".to_owned(),
            unit => unit.tell(value),
        })
    }

    /// How far from the top a value is, of 100.
    pub(super) fn y(self, value: f64) -> f64 {
        100.0 - 100.0 * (value / self.end).clamp(0.0, 1.0)
    }
}

/// The next of 1, 2, 5, 10, 20 …
fn round_up(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
    // A little more than a round number is one that was calculated.
    let fits = steps.into_iter().find(|step| value <= step * 1.000_001);
    fits.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_above_all_values() {
        let end = |highest, unit| Scale::up_to(highest, unit).end;
        for (highest, wanted) in [
            (0.0, 2.0),
            (1.0, 2.0),
            (2.0, 2.0),
            (3.0, 4.0),
            (11.0, 20.0),
            (21.0, 40.0),
            (41.0, 100.0),
            (1_204.0, 2_000.0),
        ] {
            assert_eq!(end(highest, Unit::Count), wanted, "{highest}");
        }
        assert_eq!(end(0.3, Unit::Part), 1.0);
        assert_eq!(end(0.0, Unit::Milliseconds), 10.0);
        assert_eq!(end(30_000.0, Unit::Milliseconds), 40_000.0);
    }

    #[test]
    fn ticks_are_round_and_have_their_unit() {
        let ticks = |highest, unit| Scale::up_to(highest, unit).ticks();
        assert_eq!(ticks(1_900.0, Unit::Count), ["2,000", "1,000", "0"]);
        assert_eq!(ticks(1.0, Unit::Part), ["100 %", "50 %", "0 %"]);
        assert_eq!(ticks(900.0, Unit::Milliseconds), ["1 s", "500 ms", "0"]);
    }

    #[test]
    fn values_are_told_with_their_unit_and_not_better_than_they_are() {
        for (unit, value, told) in [
            (Unit::Part, 0.999_9, "99.9 %"),
            (Unit::Part, 1.0, "100 %"),
            (Unit::Part, 0.29, "29 %"),
            (Unit::Milliseconds, 0.4, "0.4 ms"),
            (Unit::Milliseconds, 999.4, "999 ms"),
            (Unit::Milliseconds, 999.9, "1 s"),
            (Unit::Milliseconds, 1_540.0, "1.5 s"),
            (Unit::Count, 1_204.0, "1,204"),
        ] {
            assert_eq!(unit.tell(value), told, "{value}");
        }
    }

    #[test]
    fn values_stand_where_the_axis_says() {
        let scale = Scale::up_to(100.0, Unit::Count);
        assert_eq!((scale.y(0.0), scale.y(50.0), scale.y(100.0)), (100.0, 50.0, 0.0));
        assert_eq!(scale.y(1e9), 0.0);
    }
}
