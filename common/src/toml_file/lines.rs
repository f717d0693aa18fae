//! Which line a position of a text is on.

use std::ops::Range;

/// Where the lines of a text begin: found once, so that a file of many entries is not counted through for each of them.
pub(super) struct Lines {
    /// The positions of the line breaks, ascending.
    breaks: Vec<usize>,
}

impl Lines {
    /// Finds the line breaks of `text`.
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.bytes().enumerate();
        let breaks = bytes.filter(|(_, byte)| *byte == b'\n');
        Self {
            breaks: breaks.map(|(position, _)| position).collect(),
        }
    }

    /// The line, counted from 1, on which `span` (in bytes) begins.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.breaks.partition_point(|position| *position < span.start) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_belongs_to_the_line_that_it_ends() {
        let lines = Lines::of("ab\n\nc");
        let found = [0, 2, 3, 4, 5, 99].map(|position| lines.line(&(position..position)));
        assert_eq!(found, [1, 1, 2, 3, 3, 3]);
        assert_eq!(Lines::of("").line(&(0..0)), 1);
    }
}
