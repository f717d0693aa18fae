//! Columns that fit the terminal, and that line up where there is none. What must be copied is never cut: on a terminal
//! that is too narrow for it a row takes several lines.
//!
//! Rows are laid out in blocks, so that a table of any length costs little memory.

use std::io;

use crate::out::{Colour, Out, Terminal};
use crate::text::fit;

const GAP: &str = "  ";
/// What the further lines of a row begin with.
const INDENT: &str = "  ";
/// So many rows are seen before their columns get their widths: all of an ordinary table.
const BLOCK: usize = 1000;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    /// Its width where there is little room; `None` where it is never cut.
    min_width: Option<usize>,
    is_right: bool,
    /// Whether it is left out where it alone would begin a further line.
    is_dispensable: bool,
}

impl Column {
    /// A column whose cells may be cut, down to `min_width` characters.
    pub(crate) const fn text(title: &'static str, min_width: usize) -> Self {
        Self {
            title,
            min_width: Some(min_width),
            is_right: false,
            is_dispensable: false,
        }
    }

    /// A column of what a reader wants to copy, or that means something else when a part of it is missing.
    pub(crate) const fn whole(title: &'static str) -> Self {
        Self {
            title,
            min_width: None,
            is_right: false,
            is_dispensable: false,
        }
    }

    /// The same, left out where it alone would begin a further line.
    pub(crate) const fn if_room(self) -> Self {
        Self {
            is_dispensable: true,
            ..self
        }
    }

    /// A column of numbers.
    pub(crate) const fn number(title: &'static str) -> Self {
        Self {
            title,
            min_width: None,
            is_right: true,
            is_dispensable: false,
        }
    }
}

/// Where a column stands: on which line of a row, and how wide it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    width: usize,
}

/// Rows that wait for their widths.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    terminal_width: Option<usize>,
    /// The widest cell of each column so far, its title included.
    widest: Vec<usize>,
    rows: Vec<Vec<String>>,
    has_head: bool,
}

impl Table {
    pub(crate) fn new(columns: &[Column], terminal: Terminal) -> Self {
        Self {
            columns: columns.to_vec(),
            terminal_width: terminal.width,
            widest: columns.iter().map(|column| width(column.title)).collect(),
            rows: Vec::new(),
            has_head: false,
        }
    }

    /// Takes a row, which is printed with its block.
    pub(crate) fn row(&mut self, row: Vec<String>, out: &mut Out) -> io::Result<()> {
        let lines = self.push(row);
        print(lines, out)
    }

    /// Prints the rows that are left.
    pub(crate) fn finish(mut self, out: &mut Out) -> io::Result<()> {
        print(self.rest(), out)
    }

    /// Takes a row, and returns the lines that are ready to be printed: mostly none.
    fn push(&mut self, row: Vec<String>) -> Vec<Line> {
        for (widest, cell) in self.widest.iter_mut().zip(&row) {
            *widest = (*widest).max(width(cell));
        }
        self.rows.push(row);
        if self.rows.len() < BLOCK {
            return Vec::new();
        }
        self.rest()
    }

    /// The lines of all rows that have not been printed; before the first of them the titles.
    fn rest(&mut self) -> Vec<Line> {
        let rows = std::mem::take(&mut self.rows);
        let places = places(&self.columns, &self.widest, self.terminal_width);
        let mut lines = Vec::new();
        if !rows.is_empty() && !self.has_head {
            self.has_head = true;
            let titles: Vec<String> = self
                .columns
                .iter()
                .map(|column| column.title.to_owned())
                .collect();
            lines.extend(self.lines(&titles, &places).into_iter().map(Line::Head));
        }
        for row in &rows {
            lines.extend(self.lines(row, &places).into_iter().map(Line::Row));
        }
        lines
    }

    fn lines(&self, cells: &[String], places: &[Option<Place>]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for ((cell, column), place) in cells.iter().zip(&self.columns).zip(places) {
            let Some(place) = place else {
                continue;
            };
            if lines.len() <= place.line {
                lines.push(if place.line > 0 {
                    INDENT.to_owned()
                } else {
                    String::new()
                });
            } else if let Some(line) = lines.last_mut() {
                line.push_str(GAP);
            }
            let cell = match column.min_width {
                Some(_) => fit(cell, place.width),
                None => cell.clone(),
            };
            let padding = " ".repeat(place.width.saturating_sub(width(&cell)));
            if let Some(line) = lines.last_mut() {
                let (before, after) = if column.is_right {
                    (padding.as_str(), "")
                } else {
                    ("", padding.as_str())
                };
                line.push_str(&format!("{before}{cell}{after}"));
            }
        }
        for line in &mut lines {
            line.truncate(line.trim_end().len());
        }
        lines
    }
}

/// One printed line of a table.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Head(String),
    Row(String),
}

fn print(lines: Vec<Line>, out: &mut Out) -> io::Result<()> {
    for line in lines {
        match line {
            Line::Head(text) => out.line(&out.terminal.paint(Colour::Bold, &text))?,
            Line::Row(text) => out.line(&text)?,
        }
    }
    Ok(())
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Fills lines from left to right, and gives what room is left over on each to the columns that lack it. `None` for a
/// column that is left out.
fn places(columns: &[Column], widest: &[usize], terminal_width: Option<usize>) -> Vec<Option<Place>> {
    let Some(terminal_width) = terminal_width else {
        return widest
            .iter()
            .map(|&width| Some(Place { line: 0, width }))
            .collect();
    };
    let mut places: Vec<Option<Place>> = Vec::with_capacity(columns.len());
    let (mut line, mut used) = (0, 0);
    for (column, &widest) in columns.iter().zip(widest) {
        let width = column.min_width.map_or(widest, |min| min.min(widest));
        let with_gap = if used > 0 { used + GAP.len() + width } else { width };
        if used == 0 || with_gap <= terminal_width {
            used = with_gap;
        } else if column.is_dispensable {
            places.push(None);
            continue;
        } else {
            line += 1;
            used = INDENT.len() + width;
        }
        places.push(Some(Place { line, width }));
    }
    for line in 0..=line {
        share_out(&mut places, widest, line, terminal_width);
    }
    places
}

/// Widens the columns of one line, one character after the other, until the line is full or nothing is cut.
fn share_out(places: &mut [Option<Place>], widest: &[usize], line: usize, terminal_width: usize) {
    let on_line = places.iter().flatten().filter(|place| place.line == line);
    let indent = if line > 0 { INDENT.len() } else { 0 };
    let used: usize = indent + on_line.map(|place| place.width + GAP.len()).sum::<usize>();
    let mut spare = (terminal_width + GAP.len()).saturating_sub(used);
    loop {
        let before = spare;
        for (place, widest) in places.iter_mut().zip(widest) {
            let lacking = place
                .as_mut()
                .filter(|place| place.line == line && place.width < *widest);
            if let Some(place) = lacking.filter(|_| spare > 0) {
                place.width += 1;
                spare -= 1;
            }
        }
        if spare == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
