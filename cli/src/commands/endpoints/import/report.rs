//! What became of each endpoint of a file, a line each, and how many of which.

use std::io;

use serde::Serialize;

use crate::out::Out;
use crate::table::{Column, Table};
use crate::text::{escape, json_line};

const COLUMNS: [Column; 5] = [
    Column::number("ROW"),
    Column::whole("COMPANY"),
    Column::whole("ID"),
    Column::whole("RESULT"),
    Column::text("WHY", 20),
];

/// What became of an endpoint, or would become.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// Which of the file, counted from 1.
    pub(super) row: usize,
    pub(super) company: String,
    pub(super) id: String,
    /// `created`, `changed`, `unchanged` or `refused`.
    pub(super) result: String,
    pub(super) detail: Option<String>,
}

pub(super) fn print(rows: &[Row], as_json: bool) -> io::Result<()> {
    let mut out = Out::new();
    let mut table = Table::new(&COLUMNS, out.terminal);
    for row in rows {
        if as_json {
            out.line(&json_line(&serde_json::to_string(row).unwrap_or_default()))?;
        } else {
            table.row(cells(row), &mut out)?;
        }
    }
    table.finish(&mut out)?;
    out.flush()
}

fn cells(row: &Row) -> Vec<String> {
    let why = row.detail.as_deref().unwrap_or_default();
    [&row.row.to_string(), &row.company, &row.id, &row.result, why]
        .map(escape)
        .into()
}

/// How many of which.
#[derive(Debug, Default)]
pub(super) struct Counts {
    created: usize,
    changed: usize,
    unchanged: usize,
    refused: usize,
}

impl Counts {
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut counts = Self::default();
        for row in rows {
            match row.result.as_str() {
                "created" => counts.created += 1,
                "changed" => counts.changed += 1,
                "unchanged" => counts.unchanged += 1,
                _ => counts.refused += 1,
            }
        }
        counts
    }

    pub(super) fn has_changes(&self) -> bool {
        self.created + self.changed > 0
    }

    pub(super) fn refused(&self) -> usize {
        self.refused
    }

    pub(super) fn all(&self) -> usize {
        self.created + self.changed + self.unchanged + self.refused
    }

    pub(super) fn planned(&self) -> String {
        let Self {
            created,
            changed,
            unchanged,
            refused,
        } = self;
        format!("{created} to create, {changed} to change, {unchanged} unchanged, {refused} refused")
    }

    pub(super) fn done(&self) -> String {
        let Self {
            created,
            changed,
            unchanged,
            refused,
        } = self;
        format!("{created} created, {changed} changed, {unchanged} unchanged, {refused} refused")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_counts_as_refused() {
        let row = |result: &str| Row {
            row: 1,
            company: "acme".to_owned(),
            id: "ep_1".to_owned(),
            result: result.to_owned(),
            detail: Some("\x1b".to_owned()),
        };
        let rows = ["created", "unchanged", "refused", "skipped"].map(row);
        let counts = Counts::of(&rows);
        assert_eq!(counts.done(), "1 created, 0 changed, 1 unchanged, 2 refused");
        assert_eq!(
            (counts.all(), counts.refused(), counts.has_changes()),
            (4, 2, true)
        );
        assert_eq!(cells(&rows[0]), ["1", "acme", "ep_1", "created", "\\u{1b}"]);
    }
}
