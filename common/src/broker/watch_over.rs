//! Watches one connection to the end of its life, and says what ended it.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use lapin::Event;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::established::Established;
use super::loss::{Loss, SILENT};

/// How often a connection that looks healthy is asked whether it still is.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long one message at a time is taken after one that the client library could not read.
const CAREFUL_FOR: Duration = Duration::from_secs(10);
/// How long the broker's own words may come after what they led to, within this process.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Between two lines on an alarm that goes on.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// Waits for the end of a connection's life and says what ended it. Keeps it told meanwhile whether the broker takes
/// messages.
pub(super) async fn watch_over<T>(
    name: &str,
    established: &Established<T>,
    events: impl Stream<Item = Event> + Send,
) -> Loss {
    let mut events = Box::pin(events);
    let mut silence = std::pin::pin!(established.falls_silent());
    let careful_until = Instant::now() + CAREFUL_FOR;
    let mut alarm: Option<Alarm> = None;
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                // It closed one channel, whose user learns of it; the connection stands.
                Some(Event::Error(error)) if error.is_amqp_soft_error() => debug!(link = name, %error, "a channel was closed"),
                Some(Event::Error(error)) => return Loss::of(&error),
                Some(Event::ConnectionBlocked(reason)) => {
                    established.set_alarm(Some(reason.clone()));
                    let now = Instant::now();
                    let told = alarm.insert(Alarm { reason, since: now, told_at: now });
                    told.tell(name, now);
                }
                Some(Event::ConnectionUnblocked) => {
                    established.set_alarm(None);
                    let seconds = alarm.take().map_or(0, |alarm| alarm.since.elapsed().as_secs());
                    info!(link = name, seconds, "the broker takes messages again");
                }
                Some(_) => {}
                None => return Loss::because("the connection ended"),
            },
            loss = established.ended() => return explained(loss, established, &mut events).await,
            () = &mut silence => return Loss::because(SILENT),
            () = sleep_until(careful_until), if established.is_careful => return Loss::because("all is readable again"),
            () = sleep(CHECK_EVERY) => {
                if !established.connection.status().connected() {
                    let loss = Loss::because("the connection is closed");
                    return explained(loss, established, &mut events).await;
                }
                if let Some(alarm) = alarm.as_mut() {
                    alarm.remind(name, Instant::now());
                }
            },
        }
    }
}

/// What the broker said at the end, where what was noticed first is only what followed from that.
async fn explained<T>(
    loss: Loss,
    established: &Established<T>,
    events: &mut (impl Stream<Item = Event> + Unpin),
) -> Loss {
    if established.connection.status().connected() {
        return loss;
    }
    let last_words = async {
        while let Some(event) = events.next().await {
            match event {
                Event::Error(error) if !error.is_amqp_soft_error() => return Some(Loss::of(&error)),
                _ => {}
            }
        }
        None
    };
    let said = timeout(LAST_WORDS, last_words).await;
    said.ok().flatten().unwrap_or(loss)
}

/// An alarm of the broker, while it goes on.
struct Alarm {
    reason: String,
    since: Instant,
    told_at: Instant,
}

impl Alarm {
    fn remind(&mut self, name: &str, now: Instant) {
        if now.duration_since(self.told_at) >= REMIND_EVERY {
            self.tell(name, now);
        }
    }

    fn tell(&mut self, name: &str, now: Instant) {
        self.told_at = now;
        warn!(
            link = name,
            reason = self.reason,
            seconds = now.duration_since(self.since).as_secs(),
            "the broker has an alarm and takes no messages for now; publishing waits until it has memory and disk again"
        );
    }
}
