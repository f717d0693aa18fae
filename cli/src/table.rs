//! Columns that fit the terminal. Rows are laid out one by one, so a table of any length costs no memory.

use crate::out::Terminal;
use crate::text::fit;

const GAP: &str = "  ";
/// The width to lay out for where there is no terminal: wide enough that most rows line up. Nothing is cut then.
const DEFAULT_WIDTH: usize = 140;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    /// Its width on a terminal of 80 columns.
    min_width: usize,
    /// Its share of what a wider terminal has to give.
    share: usize,
}

impl Column {
    pub(crate) const fn new(title: &'static str, min_width: usize, share: usize) -> Self {
        Self {
            title,
            min_width,
            share,
        }
    }
}

/// Columns with their widths.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, usize)>,
    is_cut: bool,
}

impl Table {
    pub(crate) fn new(columns: &[Column], terminal: Terminal) -> Self {
        let width = terminal.width.unwrap_or(DEFAULT_WIDTH);
        let min_width: usize = columns.iter().map(|column| column.min_width + GAP.len()).sum();
        let spare = (width + GAP.len()).saturating_sub(min_width);
        let shares: usize = columns.iter().map(|column| column.share).sum::<usize>().max(1);
        let columns = columns
            .iter()
            .map(|column| (column.title, column.min_width + spare * column.share / shares));
        Self {
            columns: columns.collect(),
            is_cut: terminal.width.is_some(),
        }
    }

    pub(crate) fn head(&self) -> String {
        let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
        self.row(&titles)
    }

    /// One row. The first column is never cut: it holds what the reader wants to copy.
    pub(crate) fn row(&self, cells: &[&str]) -> String {
        let mut row = String::new();
        for (index, (cell, (_, width))) in cells.iter().zip(&self.columns).enumerate() {
            let cell = if self.is_cut && index > 0 {
                fit(cell, *width)
            } else {
                (*cell).to_owned()
            };
            let padding = width.saturating_sub(cell.chars().count());
            row.push_str(&cell);
            row.push_str(&" ".repeat(padding));
            row.push_str(GAP);
        }
        row.truncate(row.trim_end().len());
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::new("EVENT", 10, 0),
        Column::new("TYPE", 4, 1),
        Column::new("WHY", 4, 1),
    ];

    fn table(width: Option<usize>) -> Table {
        Table::new(
            &COLUMNS,
            Terminal {
                width,
                has_colour: false,
            },
        )
    }

    #[test]
    fn rows_fit_the_terminal_and_share_its_width() {
        assert_eq!(
            table(Some(22)).row(&["evt_1", "booking", "timeout"]),
            "evt_1       boo…  tim…"
        );
        assert_eq!(
            table(Some(30)).row(&["evt_1", "booking", "timeout"]),
            "evt_1       booking   timeout"
        );
        assert_eq!(
            table(Some(22)).row(&["evt_1234567890", "a", "b"]),
            "evt_1234567890  a     b"
        );
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let long = "x".repeat(300);
        assert!(table(None).row(&["evt_1", &long, "timeout"]).contains(&long));
    }
}
