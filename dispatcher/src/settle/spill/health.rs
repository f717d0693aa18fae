//! Whether the stream answers what is written to it. Pure: time is a parameter.

use std::time::Duration;

use tokio::time::Instant;

/// How long the stream may answer nothing. It confirms in milliseconds; another replica takes a second or two to take over.
const SILENT_AFTER: Duration = Duration::from_secs(2);
/// How long it must have answered everything before new batches go to it again, where the spill is not empty sooner: one
/// that answers now and then would cost each batch in between the wait.
const PROVEN_AFTER: Duration = Duration::from_secs(3);
/// Between two lines of the log on the same trouble.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What is written to the stream and not answered.
#[derive(Debug)]
pub(super) struct StreamHealth {
    waiting: usize,
    /// When it last answered, or had nothing to answer.
    answered_at: Instant,
}

impl StreamHealth {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            waiting: 0,
            answered_at: now,
        }
    }

    /// A batch is written.
    pub(super) fn sent(&mut self, now: Instant) {
        if self.waiting == 0 {
            self.answered_at = now;
        }
        self.waiting += 1;
    }

    /// A batch is answered.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered_at = now;
    }

    /// Nobody waits for the answer to a batch any more, whether it came or not.
    pub(super) fn ended(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Nothing at all is answered for now, which says nothing of the stream.
    pub(super) fn is_excused(&mut self, now: Instant) {
        self.answered_at = now;
    }

    /// Whether batches wait and have been waiting for too long.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.waiting > 0 && now.duration_since(self.answered_at) >= SILENT_AFTER
    }
}

/// The recovery of a stream that was silent: since when it has stored all that it was sent, if it stores anything.
#[derive(Debug, Default)]
pub(super) struct Recovery(Option<Instant>);

impl Recovery {
    /// A batch was stored: whether the stream has stored everything for long enough.
    pub(super) fn stored(&mut self, now: Instant) -> bool {
        let since = *self.0.get_or_insert(now);
        now.duration_since(since) >= PROVEN_AFTER
    }

    /// A batch was not stored, and the time begins anew.
    pub(super) fn failed(&mut self) {
        self.0 = None;
    }
}

/// How often something happened, told at once and then each minute.
#[derive(Debug, Default)]
pub(super) struct Told {
    at: Option<Instant>,
    untold: usize,
}

impl Told {
    /// It happened `count` times more: how often since it was last told, when that is to be told now.
    pub(super) fn happened(&mut self, count: usize, now: Instant) -> Option<usize> {
        self.untold += count;
        let is_due = self.at.is_none_or(|at| now.duration_since(at) >= TELL_EVERY);
        is_due.then(|| {
            self.at = Some(now);
            std::mem::take(&mut self.untold)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_stream_is_silent_when_it_answers_nothing_of_what_waits() {
        let start = Instant::now();
        let mut health = StreamHealth::new(start);
        assert!(!health.is_silent(after(start, 60_000)), "nothing waits");
        health.sent(after(start, 60_000));
        health.sent(after(start, 61_500));
        assert!(!health.is_silent(after(start, 61_999)));
        assert!(health.is_silent(after(start, 62_000)), "since the first of them");
        health.answered(after(start, 62_000));
        health.ended();
        assert!(!health.is_silent(after(start, 63_999)), "it answers, slowly");
        assert!(health.is_silent(after(start, 64_000)));
        health.is_excused(after(start, 64_000));
        assert!(!health.is_silent(after(start, 65_999)));
        health.ended();
        assert!(!health.is_silent(after(start, 90_000)), "nobody waits");
    }

    #[test]
    fn one_answer_is_no_recovery() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        assert!(!recovery.stored(start));
        assert!(!recovery.stored(after(start, 2999)));
        recovery.failed();
        assert!(!recovery.stored(after(start, 3000)));
        assert!(recovery.stored(after(start, 6000)));
    }

    #[test]
    fn trouble_is_told_at_once_and_then_each_minute() {
        let start = Instant::now();
        let mut told = Told::default();
        assert_eq!(told.happened(2, start), Some(2));
        assert_eq!(told.happened(3, after(start, 59_999)), None);
        assert_eq!(told.happened(0, after(start, 60_000)), Some(3));
    }
}
