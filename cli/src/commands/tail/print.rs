//! Prints each attempt once, whichever way it comes, and tells what cannot be printed.

use std::io;

use hookline_common::broker::StreamItem;
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::batch::{Line, lines};
use super::filter::FilterArgs;
use super::line;
use super::seen::Seen;
use crate::out::{self, Out};
use crate::text::{escape, json_line};

/// What is printed, and what was.
pub(super) struct Printer {
    filter: FilterArgs,
    not_before: Option<Timestamp>,
    is_json: bool,
    seen: Seen,
    /// When the last attempt that was read from the stream began.
    last: Option<Timestamp>,
    out: Out,
}

impl Printer {
    pub(super) fn new(filter: FilterArgs, not_before: Option<Timestamp>, is_json: bool) -> Self {
        Self {
            filter,
            not_before,
            is_json,
            seen: Seen::default(),
            last: None,
            out: Out::live().until_unread(),
        }
    }

    /// Prints on a thread that may wait for whoever reads, and returns when that is done. Given up before, it waits there alone: so
    /// Ctrl-C ends a command that nobody reads.
    pub(super) async fn aside(
        mut self,
        print: impl FnOnce(&mut Self) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let printing = spawn_blocking(move || print(&mut self).map(|()| self));
        printing.await.map_err(io::Error::from).flatten()
    }

    /// A message of the stream.
    pub(super) fn item(&mut self, item: StreamItem) -> io::Result<()> {
        let StreamItem { removed, message, .. } = item;
        let lines = lines(&message);
        if removed > 0 {
            let first = lines
                .as_ref()
                .ok()
                .and_then(|lines| lines.iter().flatten().next());
            self.note_removed(removed, first.map(|(record, _)| record.started_at));
        }
        match lines {
            Ok(lines) => lines.into_iter().try_for_each(|line| {
                if let Ok((record, _)) = &line {
                    self.last = Some(record.started_at);
                }
                self.line(line)
            }),
            Err(error) => {
                let bytes = message.body.len();
                note_skipped(&format!("a batch of {bytes} bytes"), &error.to_string());
                Ok(())
            }
        }
    }

    /// A line of a batch.
    pub(super) fn line(&mut self, line: Line) -> io::Result<()> {
        match line {
            Ok((record, text)) => {
                let is_recent = self.not_before.is_none_or(|since| record.started_at >= since);
                if is_recent && self.filter.matches(&record) && self.seen.is_new(&record.id) {
                    self.out.line(&if self.is_json {
                        json_line(&text)
                    } else {
                        line::text(&record, self.out.terminal)
                    })?;
                }
            }
            Err(error) => note_skipped("a record", &error),
        }
        Ok(())
    }

    fn note_removed(&self, removed: u64, next: Option<Timestamp>) {
        let between = match (self.last, next) {
            (Some(last), Some(next)) => format!(", with attempts from about {last:.0} to {next:.0},"),
            _ => String::new(),
        };
        out::note(&format!(
            "{removed} batches{between} are missing here: the stream removed them before they were read, because it may hold \
             no more (HOOKLINE_ATTEMPTS_MAX_BYTES, seven days)"
        ));
    }
}

fn note_skipped(what: &str, error: &str) {
    out::note(&format!(
        "{what} of the stream cannot be read and is skipped: {}",
        escape(error)
    ));
}
