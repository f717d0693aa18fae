//! Whether the broker still says anything. One that is alive says something in each heartbeat, if only that it is there. The client
//! library gives it two of them and looks every half one, so that it finds a dead link after two and a half; that is too late
//! for deliveries that stand still meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::hang_up::HangUp;
use super::returns::Returns;
use super::unread::Unread;

/// How often it is looked in one heartbeat.
const LOOKS: u32 = 10;
/// So many looks at a silent connection, and the broker is gone: half a heartbeat more than it takes at most, for a network or a
/// machine that is busy, and half a heartbeat less than two, in which a new connection can be made.
const SILENT_LOOKS: u32 = 15;

/// What is heard on a connection: how often something was read, what the broker gave back, and what nobody has taken out yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    reads: Arc<AtomicU64>,
    pub(super) returns: Returns,
    pub(super) unread: Unread,
    /// By which whoever hears it ends it.
    pub(super) hang_up: HangUp,
}

impl Heard {
    /// Something was read.
    pub(super) fn note(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns when nothing was read for one and a half heartbeats; never where there are none.
    ///
    /// Looks are counted and not the time: while this process is stopped, nobody reads what the broker says.
    pub(super) async fn falls_silent(&self, heartbeat: Duration) {
        if heartbeat.is_zero() {
            return std::future::pending().await;
        }
        let every = heartbeat / LOOKS;
        let mut looks = interval_at(Instant::now() + every, every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last, mut silent) = (self.count(), 0);
        while silent < SILENT_LOOKS {
            looks.tick().await;
            let count = self.count();
            silent = if count == last { silent + 1 } else { 0 };
            last = count;
        }
    }

    fn count(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_silent_broker_is_found_after_one_and_a_half_heartbeats_and_before_two() {
        let (heard, since) = (Heard::default(), Instant::now());
        heard.note();
        heard.falls_silent(HEARTBEAT).await;
        assert!((HEARTBEAT * 3 / 2..HEARTBEAT * 2).contains(&since.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_says_something_in_each_heartbeat_is_there_and_so_is_one_that_was_not_asked_to() {
        let heard = Heard::default();
        let says_something = async {
            loop {
                sleep(HEARTBEAT).await;
                heard.note();
            }
        };
        tokio::select! {
            () = heard.falls_silent(HEARTBEAT) => panic!("it is not silent"),
            _ = timeout(100 * HEARTBEAT, says_something) => {}
        }
        let no_heartbeats = timeout(100 * HEARTBEAT, heard.falls_silent(Duration::ZERO));
        assert!(no_heartbeats.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_stopped_first_reads_what_was_said_meanwhile() {
        let heard = Heard::default();
        let mut silence = std::pin::pin!(heard.falls_silent(HEARTBEAT));
        assert!(timeout(HEARTBEAT, &mut silence).await.is_err());
        advance(100 * HEARTBEAT).await;
        let reads = async {
            sleep(HEARTBEAT / 4).await;
            heard.note();
            sleep(HEARTBEAT).await;
        };
        tokio::select! {
            () = silence => panic!("nobody had the time to read"),
            () = reads => {}
        }
    }
}
