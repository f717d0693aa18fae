//! What the stream has lost unread: it holds so many bytes and days, and a console that was away for longer misses some.

use std::time::Duration;

use hookline_common::broker::AttemptsLog;
use tracing::warn;

use crate::meters;

/// How long the stream may take to tell where it begins.
const TELLS_WITHIN: Duration = Duration::from_secs(10);

/// Tells what is missing between the message that should have come and the one that did.
pub(super) async fn tell(log: &AttemptsLog, expected: u64, came: u64) {
    // Some numbers are no messages: the stream's own notes, between others that are there.
    let first = match log.first_offset(TELLS_WITHIN).await {
        Ok(first) => first.unwrap_or(came),
        Err(_) => came,
    };
    let missed = missed(expected, came, first);
    if missed == 0 {
        return;
    }
    meters::missed(missed);
    warn!(
        messages = missed,
        from = expected,
        "the stream of attempts has lost about as many messages that were not recorded yet: it was full, or they were older than a week. \
         Each held up to 300 attempts, which the log will never have; see HOOKLINE_ATTEMPTS_MAX_BYTES"
    );
}

fn missed(expected: u64, came: u64, first: u64) -> u64 {
    came.min(first).saturating_sub(expected)
}

#[cfg(test)]
mod tests {
    use super::missed;

    #[test]
    fn only_what_stood_before_the_streams_beginning_was_lost() {
        assert_eq!(missed(10, 15, 15), 5);
        assert_eq!(
            missed(10, 15, 40),
            5,
            "more was lost since, and is told when it is met"
        );
        assert_eq!(missed(10, 12, 3), 0, "a number without a message");
    }
}
