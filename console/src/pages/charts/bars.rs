//! Amounts, one on the other: a bar for each step. One path for each series, as sixty rectangles weigh ten times as much.

use maud::{Markup, html};

use super::scale::Scale;
use super::series::{Series, number};

/// What is there is seen, however small it is beside the rest: of 100.
const LEAST: f64 = 2.0;

/// Bars from the bottom up, in the order of the series; a step is 1 wide, and the axis 100 high.
pub(super) fn bars(all: &[Series], scale: Scale) -> Markup {
    let paths = paths(all, scale);
    html! {
        @for (series, path) in all.iter().zip(&paths) {
            path class={ "fill " (series.class) } d=(path) {}
        }
    }
}

/// The path of each series.
pub(super) fn paths(all: &[Series], scale: Scale) -> Vec<String> {
    let steps = all.iter().map(|series| series.values.len()).max().unwrap_or(0);
    // How high the bar of each step is so far.
    let mut tops = vec![100.0; steps];
    all.iter()
        .map(|series| {
            let mut path = String::new();
            for (step, (value, top)) in series.values.iter().zip(&mut tops).enumerate() {
                let Some(value) = value.filter(|value| *value > 0.0) else {
                    continue;
                };
                let bottom = *top;
                *top = (bottom - (100.0 - scale.y(value)).max(LEAST)).max(0.0);
                let (bottom, top) = (number(bottom), number(*top));
                path.push_str(&format!("M{step}.1 {bottom}V{top}h.8V{bottom}z"));
            }
            path
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::scale::Unit;
    use super::*;

    fn series(values: &[Option<f64>]) -> Series {
        Series {
            class: "good",
            word: "delivered",
            values: values.to_vec(),
        }
    }

    #[test]
    fn what_failed_stands_on_what_was_delivered() {
        let all = [series(&[Some(50.0), None]), series(&[Some(25.0), Some(100.0)])];
        let paths = paths(&all, Scale::up_to(100.0, Unit::Count));
        assert_eq!(
            paths,
            ["M0.1 100V50h.8V100z", "M0.1 50V25h.8V50zM1.1 100V0h.8V100z"]
        );
    }

    #[test]
    fn one_failure_among_thousands_is_seen_and_nothing_leaves_the_picture() {
        let all = [series(&[Some(10_000.0)]), series(&[Some(1.0)])];
        let paths = paths(&all, Scale::up_to(10_001.0, Unit::Count));
        assert_eq!(paths[1], "M0.1 50V48h.8V50z");
        let full = [series(&[Some(100.0)]), series(&[Some(0.5)]), series(&[Some(0.0)])];
        let paths = super::paths(&full, Scale::up_to(100.0, Unit::Count));
        assert_eq!(paths[1], "M0.1 0V0h.8V0z");
        assert_eq!(paths[2], "", "nothing is no bar");
    }
}
