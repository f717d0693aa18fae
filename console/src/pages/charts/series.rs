//! One value of each step. Pure.

/// What a picture shows of each step, in one colour.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pages) struct Series {
    /// Its colour and shape, as the style calls it.
    pub(in crate::pages) class: &'static str,
    /// What it is.
    pub(in crate::pages) word: &'static str,
    /// Its values; none where there is nothing to tell.
    pub(in crate::pages) values: Vec<Option<f64>>,
}

/// The highest of all values.
pub(super) fn highest(all: &[Series]) -> f64 {
    let values = all.iter().flat_map(|series| series.values.iter().flatten());
    values.copied().fold(0.0, f64::max)
}

/// The highest of what stands one on the other.
pub(super) fn highest_together(all: &[Series]) -> f64 {
    let steps = all.iter().map(|series| series.values.len()).max().unwrap_or(0);
    (0..steps)
        .map(|step| all.iter().filter_map(|series| *series.values.get(step)?).sum())
        .fold(0.0, f64::max)
}

/// A number of a picture: two digits are less than a pixel.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.strip_prefix("0.")
        .map_or_else(|| text.to_owned(), |part| format!(".{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_counts_alone_or_together() {
        let series = |values: &[Option<f64>]| Series {
            class: "",
            word: "",
            values: values.to_vec(),
        };
        let all = [
            series(&[Some(1.0), None, Some(4.0)]),
            series(&[Some(2.0), Some(5.0), Some(3.0)]),
        ];
        assert_eq!((highest(&all), highest_together(&all)), (5.0, 7.0));
        assert_eq!((highest(&[]), highest_together(&[])), (0.0, 0.0));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (100.0, "100"),
            (0.5, ".5"),
            (33.333, "33.33"),
            (0.001, "0"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
