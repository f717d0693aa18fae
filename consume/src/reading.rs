//! Step 2 of a queue whose messages the broker pushes: they are read into the ledger and handed over, and the window follows
//! their sizes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hookline_common::broker::{BrokerError, Incoming, Subscription};
use hookline_common::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, warn};

use crate::ack_ledger::AckLedger;
use crate::handler::{Handler, Taken};
use crate::sizing::Sizing;

/// How often it is looked at whether there is room for a window of another size, and for how long: most of what is in hand is with
/// receivers that answer within this time, and what is with slow ones must not keep the rest of the queue waiting.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const ROOM_WITHIN: Duration = Duration::from_millis(100);
/// How often it is looked at whether the window is full of messages that stay, which seldom is the case, and for how long one that is
/// worked on is waited for: endpoints that take longer are known to do so, and hold half of a window at most. More than that are
/// endpoints that all hang since a moment ago.
const LOOK_AT_STUCK: Duration = Duration::from_secs(1);
const STUCK_AFTER: Duration = Duration::from_secs(2);
/// How long a stop waits for a queue that is just being taken up again: a broker that is there takes milliseconds.
const RESUMED_WITHIN: Duration = Duration::from_secs(1);
/// How long a stop reads on where the broker is too slow to say that no more comes: what has come is there at once.
const READ_ON: Duration = Duration::from_millis(20);
/// Messages that are read before those read are handed on: reading is so quick that a whole window would be, and its first
/// message would wait for the last.
const READ_AT_ONCE: usize = 32;
/// After how many messages it is looked at whether the window fits them; after the very first as well, as its window is narrow.
const LOOK_AT_SIZES: usize = 8;
/// Where more is in hand than the broker should have sent, this is waited for after so many bytes: 30 to 60 MB a second, so that a window
/// of large messages takes two or three seconds to come and not a tenth, in which most are delivered.
const SLOWLY: usize = 64 * 1024;
const SLOWLY_EVERY: Duration = Duration::from_millis(1);
/// For how long a pause is read slowly: the broker's answer stands behind all that comes, and is waited for no longer than any other.
const SLOWLY_FOR: Duration = Duration::from_secs(4);

/// One subscription being read.
pub(crate) struct Reading<'a, H> {
    ledger: &'a Arc<AckLedger>,
    subscription: Subscription,
    sizing: Sizing,
    sender: mpsc::UnboundedSender<Taken>,
    handler: &'a H,
    shutdown: &'a Shutdown,
    stuck_looks: Interval,
    /// How many messages were read.
    read: usize,
    /// The tag of the last one.
    last: u64,
    /// Up to this tag the broker counts nothing against the window that stands: it was sent for an earlier one.
    left_behind: u64,
    /// For how many of these somebody outside is waited for, as the handler knows.
    beside: usize,
    /// Bytes that were read since it was last waited, while too much was in hand.
    too_much: usize,
}

impl<'a, H: Handler> Reading<'a, H> {
    pub(crate) fn new(
        ledger: &'a Arc<AckLedger>,
        subscription: Subscription,
        sizing: Sizing,
        sender: mpsc::UnboundedSender<Taken>,
        handler: &'a H,
        shutdown: &'a Shutdown,
    ) -> Self {
        let mut stuck_looks = interval(LOOK_AT_STUCK);
        stuck_looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ledger,
            subscription,
            sizing,
            sender,
            handler,
            shutdown,
            stuck_looks,
            read: 0,
            last: 0,
            left_behind: 0,
            beside: 0,
            too_much: 0,
        }
    }

    /// Reads whatever the broker sends into the ledger, so that all of it is known, until the subscription is lost or a stop comes.
    pub(crate) async fn run(mut self) -> Result<(), BrokerError> {
        self.handler.is_resized(self.subscription.prefetch(), 0);
        let requested = self.shutdown.requested();
        let mut requested = std::pin::pin!(requested);
        loop {
            let incoming = tokio::select! {
                biased;
                () = &mut requested => {
                    self.stop().await;
                    return Ok(());
                }
                incoming = self.subscription.next() => incoming,
                _ = self.stuck_looks.tick() => {
                    self.look_at_stuck().await?;
                    continue;
                }
            };
            match incoming {
                Some(incoming) => {
                    self.came(incoming);
                    self.makes_way().await;
                }
                None if self.subscription.is_lost() => return Ok(()),
                // The broker ended it: its queue is gone, or has a new leader.
                None => {
                    self.subscription.give_up();
                    return Ok(());
                }
            }
            self.read += 1;
            if self.read.is_multiple_of(READ_AT_ONCE) {
                tokio::task::yield_now().await;
            }
            if (self.read == 1 || self.read.is_multiple_of(LOOK_AT_SIZES))
                && !self.subscription.is_careful()
                && self
                    .sizing
                    .is_unfit(self.subscription.prefetch(), self.ledger.bytes())
            {
                self.take_up_again().await?;
                self.look_beside(true);
            }
        }
    }

    /// The broker is asked for no more, and what has not begun is given back.
    async fn stop(&mut self) {
        let ledger = self.ledger;
        let mut cancelling = std::pin::pin!(self.subscription.cancel());
        // The broker has to hear of it before anything comes back, or it sends that once more.
        let mut cancelled = poll_fn(|context| Poll::Ready(cancelling.as_mut().poll(context))).await;
        ledger.stop();
        let mut is_over = false;
        let is_all_there = loop {
            if let Poll::Ready(is_all_there) = cancelled {
                break is_all_there;
            }
            tokio::select! {
                biased;
                is_all_there = &mut cancelling => cancelled = Poll::Ready(is_all_there),
                incoming = self.subscription.next(), if !is_over => match incoming {
                    Some(incoming) => drop(ledger.receive(&incoming)),
                    None => is_over = true,
                },
            }
        };
        let rest = async {
            while let Some(incoming) = self.subscription.next().await {
                drop(ledger.receive(&incoming));
            }
        };
        if is_all_there {
            rest.await;
        } else if timeout(READ_ON, rest).await.is_err() {
            warn!(
                queue = ledger.label(),
                "the broker is slow to end a subscription; what it still sends stays unacknowledged, and is somebody else's when this \
                process has ended"
            );
        }
    }

    fn came(&mut self, incoming: Incoming) {
        let bytes = incoming.message.size();
        self.sizing.saw(bytes);
        self.last = incoming.tag;
        let ledger = self.ledger;
        if let Some(in_hand) = ledger.receive(&incoming) {
            let taken = Taken {
                in_hand,
                returned: incoming.returned,
                message: incoming.message,
            };
            // The receiver lives as long as this side does.
            drop(self.sender.send(taken));
        }
        if self.sizing.is_too_much(ledger.bytes()) {
            self.too_much += bytes;
        }
    }

    /// Leaves receivers the time to take some of what is in hand, where that is too much.
    async fn makes_way(&mut self) {
        let times = self.too_much / SLOWLY;
        if times > 0 {
            self.too_much = 0;
            tokio::select! {
                () = sleep(SLOWLY_EVERY.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))) => {}
                // A single message may be larger than any event, and a stop gives back at once.
                () = self.shutdown.requested() => {}
            }
        }
    }

    /// Takes others beside messages that fill the window and stay.
    async fn look_at_stuck(&mut self) -> Result<(), BrokerError> {
        let stuck = self.ledger.stuck(self.left_behind, STUCK_AFTER);
        if !self.subscription.is_careful() && 2 * stuck > usize::from(self.subscription.prefetch()) {
            warn!(
                queue = self.ledger.label(),
                stuck,
                "messages whose receivers do not answer, or that cannot be settled, fill the window; others are taken beside them"
            );
            self.take_up_again().await?;
        }
        self.look_beside(false);
        Ok(())
    }

    /// Tells the handler what is still waited for beside the window, if that or the window is another one.
    fn look_beside(&mut self, is_resized: bool) {
        let asking = self.ledger.asking_up_to(self.left_behind);
        if is_resized || asking != self.beside {
            self.beside = asking;
            self.handler.is_resized(self.subscription.prefetch(), asking);
        }
    }

    /// Takes the queue up again with the window that goes with the sizes seen, once there is room for one, or else with what fits
    /// beside what takes long. The broker counts what is unacknowledged anew then.
    async fn take_up_again(&mut self) -> Result<(), BrokerError> {
        let (ledger, shutdown) = (self.ledger, self.shutdown);
        let (from, bytes_before) = (self.subscription.prefetch(), ledger.bytes());
        let resumes = tokio::select! {
            () = self.pause() => self.has_room_soon().await,
            // Whoever reads on asks for no more once again.
            () = shutdown.requested() => false,
        };
        if resumes {
            let to = self.sizing.window_beside(ledger.bytes());
            debug!(
                queue = ledger.label(),
                from, to, bytes_before, "the window follows the size of messages"
            );
            let mut resuming = std::pin::pin!(self.subscription.resume(to));
            tokio::select! {
                resumed = &mut resuming => resumed?,
                // What is asked for already comes, and is to be given back.
                () = shutdown.requested() => timeout(RESUMED_WITHIN, resuming).await.unwrap_or(Ok(()))?,
            }
        }
        self.left_behind = self.last;
        ledger.taken_up_beside(self.subscription.prefetch());
        Ok(())
    }

    /// Asks for no more, and reads what is on its way.
    async fn pause(&mut self) {
        let mut pausing = std::pin::pin!(self.subscription.pause());
        let mut is_paused = false;
        let since = Instant::now();
        loop {
            let incoming = tokio::select! {
                () = &mut pausing, if !is_paused => {
                    is_paused = true;
                    continue;
                }
                incoming = self.subscription.next() => incoming,
            };
            match incoming {
                Some(incoming) => self.came(incoming),
                None => break,
            }
            if since.elapsed() < SLOWLY_FOR {
                self.makes_way().await;
            }
        }
        if !is_paused {
            pausing.await;
        }
    }

    /// Waits for room for a window, for a while. Whether there is still a use for one.
    async fn has_room_soon(&self) -> bool {
        let room = async {
            while !self.sizing.has_room(self.ledger.bytes()) && !self.subscription.is_lost() {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            _ = timeout(ROOM_WITHIN, room) => {}
            () = self.shutdown.requested() => {}
        }
        !self.subscription.is_lost() && !self.shutdown.is_requested()
    }
}
