//! How many messages there are of each endpoint and reason.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use serde::Serialize;

use super::dead_letter::DeadLetter;
use crate::commands::times::age;
use crate::out::Out;
use crate::table::{Column, Table};
use crate::text::{escape, json_line};

const COLUMNS: [Column; 7] = [
    Column::number("COUNT"),
    Column::whole("ENDPOINT"),
    Column::whole("COMPANY"),
    Column::whole("REASON"),
    Column::text("LAST", 8),
    Column::number("OLDEST"),
    Column::number("NEWEST").if_room(),
];
/// So many groups are told apart. Strangers fill the rejected queue, and what they write there may differ each time.
const MAX_GROUPS: usize = 10_000;

/// What the messages of a group have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    company: Option<String>,
    endpoint: Option<String>,
    reason: String,
    /// How the last attempt ended.
    last: Option<String>,
}

#[derive(Debug, Default)]
struct Group {
    count: u64,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
}

/// Messages by endpoint and reason.
#[derive(Debug, Default)]
pub(super) struct Summary {
    groups: BTreeMap<Key, Group>,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_at: Option<String>,
}

impl Summary {
    pub(super) fn add(&mut self, letter: &DeadLetter) {
        self.total += 1;
        let (reason, last) = letter.reason_and_last();
        let mut key = Key {
            company: letter.company.clone(),
            endpoint: letter.endpoint.clone(),
            reason,
            last,
        };
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&key) {
            key = Key {
                reason: "all others".to_owned(),
                ..Key::default()
            };
        }
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        let Some(at) = letter.at else {
            return;
        };
        group.oldest = Some(group.oldest.map_or(at, |oldest| oldest.min(at)));
        group.newest = Some(group.newest.map_or(at, |newest| newest.max(at)));
    }

    /// How many messages were added.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The largest groups first.
    pub(super) fn print(&self, json: bool, out: &mut Out) -> io::Result<()> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
        let mut table = Table::new(&COLUMNS, out.terminal);
        for (key, group) in groups {
            if json {
                out.line(&to_json(key, group))?;
            } else {
                table.row(to_cells(key, group), out)?;
            }
        }
        table.finish(out)
    }
}

fn to_json(key: &Key, group: &Group) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| format!("{at:.3}"));
    let row = Row {
        count: group.count,
        company: key.company.as_deref(),
        endpoint: key.endpoint.as_deref(),
        reason: &key.reason,
        last: key.last.as_deref(),
        oldest_at: time(group.oldest),
        newest_at: time(group.newest),
    };
    json_line(&serde_json::to_string(&row).unwrap_or_default())
}

fn to_cells(key: &Key, group: &Group) -> Vec<String> {
    let dash = || "–".to_owned();
    let text = |text: &Option<String>| text.as_deref().map_or_else(dash, escape);
    let ago = |at: Option<Timestamp>| at.map_or_else(dash, |at| age(Timestamp::now(), at));
    vec![
        group.count.to_string(),
        text(&key.endpoint),
        text(&key.company),
        escape(&key.reason),
        text(&key.last),
        ago(group.oldest),
        ago(group.newest),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn letter(endpoint: &str, reason: &str, second: i64) -> DeadLetter {
        DeadLetter {
            company: Some("acme".into()),
            endpoint: Some(endpoint.into()),
            rejected: Some((reason.into(), String::new())),
            at: Some(Timestamp::from_second(second).unwrap()),
            ..DeadLetter::default()
        }
    }

    #[test]
    fn messages_are_counted_by_endpoint_and_reason() {
        let mut summary = Summary::default();
        for letter in [
            letter("a", "x", 10),
            letter("a", "x", 5),
            letter("a", "y", 1),
            letter("b", "x", 1),
        ] {
            summary.add(&letter);
        }
        assert_eq!((summary.total(), summary.groups.len()), (4, 3));
        let (key, group) = summary.groups.iter().find(|(_, group)| group.count == 2).unwrap();
        assert_eq!(
            to_json(key, group),
            "{\"count\":2,\"company\":\"acme\",\"endpoint\":\"a\",\"reason\":\"x\",\
             \"oldest_at\":\"1970-01-01T00:00:05.000Z\",\"newest_at\":\"1970-01-01T00:00:10.000Z\"}"
        );
        assert_eq!(to_cells(key, group).len(), COLUMNS.len());
    }

    #[test]
    fn strangers_cannot_make_it_grow_for_ever() {
        let mut summary = Summary::default();
        for number in 0..MAX_GROUPS + 100 {
            summary.add(&letter(&number.to_string(), "x", 0));
        }
        assert_eq!(summary.groups.len(), MAX_GROUPS + 1);
        assert_eq!(summary.total(), MAX_GROUPS as u64 + 100);
    }
}
