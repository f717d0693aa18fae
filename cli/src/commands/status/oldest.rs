//! How long the oldest message of a queue has been there, where looking does no harm. What cannot be learned is not known:
//! it is no failure of a command that shows much else.

use std::time::Duration;

use hookline_common::broker::{AttemptsLog, Browser, LinkSettings, LogRate, QueueDepth};
use hookline_common::message::Message;
use jiff::Timestamp;

/// A queue is read to its end to leave it in its order, and this many take about a second.
const MAX_MESSAGES: u32 = 10_000;
/// How long the log may take to hand out its first batch.
const PATIENCE: Duration = Duration::from_secs(3);

/// Of what a person looks after. Nothing where somebody consumes it, who then holds the oldest.
pub(super) async fn in_queue(link: &LinkSettings, queue: &str, depth: QueueDepth) -> Option<Timestamp> {
    if depth.consumers > 0 || depth.ready == 0 || depth.ready > MAX_MESSAGES {
        return None;
    }
    let mut browser = Browser::open(link, queue).await.ok().flatten()?;
    let first = browser.next().await.ok().flatten();
    browser.close().await.ok()?;
    at(&first?.message)
}

/// When a message came to be in its queue: when it failed or was rejected, else when its event happened.
fn at(message: &Message) -> Option<Timestamp> {
    let time = |name| -> Option<Timestamp> { message.headers.text(name).ok().flatten()?.parse().ok() };
    let seconds = || Timestamp::from_second(i64::try_from(message.timestamp?).ok()?).ok();
    time("failed-at")
        .or_else(|| time("rejected-at"))
        .or_else(|| time("created-at"))
        .or_else(seconds)
}

/// What is known of the log: when the first attempt began that it still has, and how fast it grows.
pub(super) async fn in_log(log: &AttemptsLog) -> (Option<Timestamp>, Option<LogRate>) {
    let oldest = log.oldest(PATIENCE).await.ok().flatten().map(|(_, at)| at);
    (oldest, log.rate(PATIENCE).await.ok().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_old_as_it_has_been_in_its_queue() {
        let mut message = Message {
            timestamp: Some(1),
            ..Message::default()
        };
        let expect = |message: &Message, second| {
            assert_eq!(at(message), Timestamp::from_second(second).ok(), "{message:?}");
        };
        expect(&message, 1);
        message.headers.set_text("created-at", "1970-01-01T00:00:02Z");
        expect(&message, 2);
        message.headers.set_text("failed-at", "1970-01-01T00:00:03Z");
        expect(&message, 3);
        assert_eq!(at(&Message::default()), None);
    }
}
