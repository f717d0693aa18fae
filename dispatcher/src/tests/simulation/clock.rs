//! The time of day in a history: it goes on with the runtime's clock, and jumps where the history says so. Every process of a
//! history sees the same.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The time of day at which each history begins, in seconds since the epoch.
pub(super) const BEGINS_AT: i64 = 1_705_329_000;

#[derive(Clone, Copy)]
struct Played {
    began: Instant,
    /// By how much it has jumped.
    ahead: SignedDuration,
}

thread_local! {
    static PLAYED: Cell<Option<Played>> = const { Cell::new(None) };
}

/// A history begins in this thread.
pub(super) fn begin() {
    let played = Played {
        began: Instant::now(),
        ahead: SignedDuration::ZERO,
    };
    PLAYED.set(Some(played));
}

/// The clock is set forward, or with a negative number back.
pub(super) fn jump(milliseconds: i64) {
    if let Some(played) = PLAYED.get() {
        let ahead = played.ahead + SignedDuration::from_millis(milliseconds);
        PLAYED.set(Some(Played { ahead, ..played }));
    }
}

/// The history is over.
pub(super) fn end() {
    PLAYED.set(None);
}

/// The time of day, where a history is played in this thread.
pub(crate) fn time_of_day() -> Option<Timestamp> {
    PLAYED.get().map(|played| true_time(played) + played.ahead)
}

/// What clocks show that never jumped, as those of receivers.
pub(super) fn true_time_of_day() -> Option<Timestamp> {
    PLAYED.get().map(true_time)
}

fn true_time(played: Played) -> Timestamp {
    let passed = SignedDuration::try_from(played.began.elapsed()).unwrap_or(SignedDuration::ZERO);
    Timestamp::from_second(BEGINS_AT).unwrap_or(Timestamp::UNIX_EPOCH) + passed
}
