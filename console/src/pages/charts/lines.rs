//! Values that rise and fall: a stair for each series, flat over each step, broken where there is nothing to tell.

use maud::{Markup, html};

use super::scale::Scale;
use super::series::{Series, number};

/// Stairs; a step is 1 wide, and the axis 100 high.
pub(super) fn lines(all: &[Series], scale: Scale) -> Markup {
    html! {
        @for series in all {
            path class={ "line " (series.class) } d=(path(series, scale)) {}
        }
    }
}

fn path(series: &Series, scale: Scale) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for (step, value) in series.values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let y = number(scale.y(*value));
        path.push_str(&if is_drawing {
            format!("V{y}h1")
        } else {
            format!("M{step} {y}h1")
        });
        is_drawing = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::scale::Unit;
    use super::*;

    #[test]
    fn a_line_is_broken_where_nothing_is_known_and_one_step_alone_is_seen() {
        let series = Series {
            class: "p50",
            word: "half within",
            values: vec![Some(0.5), Some(1.0), None, Some(0.0), None],
        };
        let drawn = path(&series, Scale::up_to(1.0, Unit::Part));
        assert_eq!(drawn, "M0 50h1V0h1M3 100h1");
    }
}
