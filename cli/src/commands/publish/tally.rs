//! What became of the lines: counted, told while it goes on, and told at the end as it is.

use std::io;
use std::time::{Duration, Instant};

use hookline_producer::PublishError;

use crate::error::CliError;
use crate::out::{self, Out, Progress};
use crate::text::escape;

/// How often the line of progress is written anew: fast enough to look alive.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// What became of one line.
pub(super) enum Done {
    Published,
    /// It is no event.
    Bad(String),
    Failed(PublishError),
    /// Nothing more can be read.
    Unreadable(io::Error),
}

/// Counts what became of the lines, in their order, and names on stderr each one that was not published.
pub(super) struct Tally {
    since: Instant,
    progress: Progress,
    shown: Instant,
    /// How long the file is, where that is known.
    length: Option<u64>,
    /// How much of it is done.
    position: u64,
    published: u64,
    bad: u64,
    failed: u64,
    last_line: u64,
    pub(super) is_interrupted: bool,
    unreadable: Option<io::Error>,
}

impl Tally {
    pub(super) fn new(length: Option<u64>) -> Self {
        let since = Instant::now();
        Self {
            since,
            progress: Progress::new(),
            shown: since,
            length,
            position: 0,
            published: 0,
            bad: 0,
            failed: 0,
            last_line: 0,
            is_interrupted: false,
            unreadable: None,
        }
    }

    /// Counts line `number`, behind which the file is read to `end`.
    pub(super) fn add(&mut self, number: u64, end: u64, done: Done) {
        self.last_line = self.last_line.max(number);
        self.position = self.position.max(end);
        match done {
            Done::Published => self.published += 1,
            Done::Bad(why) => {
                self.bad += 1;
                self.tell(number, &format!("{why}; mend it and publish it again"));
            }
            Done::Failed(error) => {
                self.failed += 1;
                self.tell(number, &error.to_string());
            }
            Done::Unreadable(error) => self.unreadable = Some(error),
        }
        if self.shown.elapsed() >= PROGRESS_EVERY {
            self.shown = Instant::now();
            self.progress.show(&self.so_far());
        }
    }

    fn tell(&self, number: u64, what: &str) {
        self.progress.clear();
        out::error(&escape(&format!("line {number}: {what}")));
    }

    fn so_far(&self) -> String {
        let part = self
            .percentage()
            .map(|part| format!("{part} % of the file, "))
            .unwrap_or_default();
        format!("{} published, {part}{:.0}/s", self.published, self.rate())
    }

    fn rate(&self) -> f64 {
        self.published as f64 / self.since.elapsed().as_secs_f64().max(0.001)
    }

    /// How much of the file is done; never 100 before all of it is. A file that grew meanwhile is longer than it was.
    fn percentage(&self) -> Option<u64> {
        let length = self.length?;
        Some(self.position.min(length).saturating_mul(100) / length.max(1))
    }

    /// The closing line, and whether all went well.
    pub(super) fn close(self, file: &str) -> Result<(), CliError> {
        self.progress.clear();
        let mut out = Out::new();
        let written = out.line(&self.closing_line()).and_then(|()| out.flush());
        // What became of the events counts more than whether that could be written.
        match self.fault(file) {
            Some(fault) => Err(CliError::Failed(fault)),
            None => Ok(written?),
        }
    }

    /// Of all lines that were looked at, how many the broker has confirmed, and how many not.
    fn closing_line(&self) -> String {
        let Self {
            published,
            bad,
            failed,
            ..
        } = self;
        let lines = published + bad + failed;
        let seconds = self.since.elapsed().as_secs_f64();
        format!(
            "published {published} of {lines} events in {seconds:.1} s ({:.0}/s), {bad} bad lines, {failed} not confirmed",
            self.rate()
        )
    }

    fn fault(&self, file: &str) -> Option<String> {
        let Self {
            bad,
            failed,
            last_line,
            ..
        } = self;
        if let Some(error) = &self.unreadable {
            return Some(unreadable(file, error));
        }
        if self.is_interrupted || *failed > 0 {
            let why = if *failed > 0 {
                "the broker did not confirm"
            } else {
                "it was interrupted"
            };
            let of = self
                .percentage()
                .map(|part| format!(" ({part} % of {file})"))
                .unwrap_or_default();
            let named = match bad + failed {
                0 => String::new(),
                1 => "the line named above, and ".to_owned(),
                named => format!("the {named} lines named above, and "),
            };
            let next = last_line + 1;
            let go_on = if file == "-" {
                String::new()
            } else {
                format!(": tail -n +{next} {file} | hookline publish --ndjson -")
            };
            return Some(format!(
                "stopped after line {last_line}{of} because {why}; all before is confirmed but for what is named above; \
                 publish {named}line {next} and those behind it{go_on}"
            ));
        }
        (*bad > 0).then(|| {
            let lines = self.published + bad;
            format!("{bad} of {lines} lines are no events; mend and publish those again")
        })
    }
}

/// Why a file cannot be read, and what to do.
pub(super) fn unreadable(file: &str, error: &io::Error) -> String {
    format!("{file} cannot be read: {error}; name a file with one event a line, or - for stdin")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_interrupted_file_tells_what_is_confirmed_and_where_to_go_on() {
        let mut tally = Tally::new(Some(1000));
        tally.add(1, 100, Done::Published);
        tally.add(2, 150, Done::Bad("no event".into()));
        tally.add(4, 430, Done::Published);
        assert!(tally.so_far().starts_with("2 published, 43 % of the file, "));
        tally.is_interrupted = true;
        let line = tally.closing_line();
        assert!(line.starts_with("published 2 of 3 events in "), "{line}");
        assert!(line.ends_with("/s), 1 bad lines, 0 not confirmed"), "{line}");
        let fault = tally.fault("events.ndjson").unwrap();
        for part in [
            "stopped after line 4 (43 % of events.ndjson) because it was interrupted",
            "the line named above, and line 5",
            "tail -n +5 events.ndjson | hookline publish --ndjson -",
        ] {
            assert!(fault.contains(part), "{part} in {fault}");
        }
    }

    #[test]
    fn a_whole_file_has_no_fault_and_a_bad_line_one() {
        let mut tally = Tally::new(None);
        tally.add(1, 10, Done::Published);
        assert_eq!((tally.fault("-"), tally.percentage()), (None, None));
        tally.add(2, 20, Done::Bad("no event".into()));
        assert!(
            tally
                .fault("-")
                .unwrap()
                .starts_with("1 of 2 lines are no events")
        );
    }

    #[test]
    fn what_grows_meanwhile_is_never_more_than_whole() {
        let mut tally = Tally::new(Some(10));
        tally.add(1, 25, Done::Published);
        assert_eq!(tally.percentage(), Some(100));
    }
}
