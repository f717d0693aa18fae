//! What could not be published: listed, and put back when a person has mended it.

use hookline_producer::outbox::Aside;
use jiff::Timestamp;
use serde::Serialize;

use crate::commands::times::age;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::table::{Column, Table};
use crate::text::{escape, json_line};

const COLUMNS: [Column; 6] = [
    Column::number("NUMBER"),
    Column::text("COMPANY", 10),
    Column::whole("EVENT"),
    Column::text("TYPE", 16),
    Column::number("AGE"),
    Column::text("REASON", 30),
];

/// Which of them are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Numbers {
    All,
    These(Vec<i64>),
}

/// `all`, or numbers with commas between them.
pub(super) fn numbers(text: &str) -> Result<Numbers, String> {
    if text == "all" {
        return Ok(Numbers::All);
    }
    let numbers = text.split(',').map(|number| number.trim().parse::<i64>());
    let numbers = numbers.collect::<Result<Vec<i64>, _>>();
    numbers
        .map(Numbers::These)
        .map_err(|_| "must be the numbers that --list-aside shows, like 17 or 17,18, or all".to_owned())
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    number: i64,
    company: &'a str,
    event: &'a str,
    r#type: &'a str,
    reason: &'a str,
    set_aside_at: &'a str,
}

pub(super) fn list(aside: &[Aside], as_json: bool) -> Result<(), CliError> {
    let mut out = Out::new();
    let mut table = Table::new(&COLUMNS, out.terminal);
    for one in aside {
        if as_json {
            out.line(&to_json(one)?)?;
        } else {
            table.row(cells(one, Timestamp::now()), &mut out)?;
        }
    }
    table.finish(&mut out)?;
    out.flush()?;
    if aside.is_empty() && !as_json {
        out::note("nothing is set aside");
    }
    Ok(())
}

fn to_json(one: &Aside) -> Result<String, CliError> {
    let line = serde_json::to_string(&Line {
        number: one.number,
        company: &one.company,
        event: &one.event_id,
        r#type: &one.event_type,
        reason: &one.reason,
        set_aside_at: &one.set_aside_at,
    });
    Ok(json_line(&line.map_err(std::io::Error::from)?))
}

fn cells(one: &Aside, now: Timestamp) -> Vec<String> {
    let at = one.set_aside_at.parse();
    [
        &one.number.to_string(),
        &one.company,
        &one.event_id,
        &one.event_type,
        &at.map_or_else(|_| "–".to_owned(), |at| age(now, at)),
        &one.reason,
    ]
    .map(|cell| escape(cell))
    .into()
}

/// Tells how many were put back. Numbers that are not there are an error, as somebody else may have put them back.
pub(super) fn put_back(numbers: &Numbers, count: u64) -> Result<(), CliError> {
    let mut out = Out::new();
    out.line(&format!("{count} put back"))?;
    out.flush()?;
    match numbers {
        Numbers::These(these) if u64::try_from(these.len()).is_ok_and(|wanted| count < wanted) => {
            Err(CliError::Failed(format!(
                "of {} numbers only {count} were set aside; `hookline relay --list-aside` shows which there are",
                these.len()
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_some_or_all() {
        assert_eq!(numbers("all"), Ok(Numbers::All));
        assert_eq!(numbers("17, 18"), Ok(Numbers::These(vec![17, 18])));
        for bad in ["", "17,", "evt_1", "All"] {
            assert!(numbers(bad).is_err(), "{bad}");
        }
    }

    fn aside(company: &str) -> Aside {
        Aside {
            number: 17,
            company: company.into(),
            event_id: "evt_1".into(),
            event_type: "b".into(),
            reason: "company: …".into(),
            set_aside_at: "2030-01-15T14:20:00Z".into(),
        }
    }

    #[test]
    fn what_stands_in_the_table_moves_no_cursor() {
        let now = "2030-01-15T14:30:00Z".parse().unwrap();
        let cells = cells(&aside("a\x1b"), now);
        assert_eq!(cells, ["17", "a\\u{1b}", "evt_1", "b", "10m", "company: …"]);
    }

    #[test]
    fn nor_does_a_line_of_json_which_keeps_its_value() {
        let company = "a\u{9b}2J\u{202e}";
        let line = to_json(&aside(company)).unwrap();
        assert!(!line.contains(['\u{9b}', '\u{202e}']), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["company"], company);
    }
}
