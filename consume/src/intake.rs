//! Step 2: messages come in. One subscription for a working queue, taken up again whenever it is lost.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::{BrokerError, Consumer, Subscription};
use hookline_common::message::Message;
use hookline_common::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info, warn};

use crate::ack_ledger::{AckLedger, InHand};
use crate::sizing::Sizing;
use crate::work_queue::{Supply, WorkQueue};

/// Before a queue that could not be consumed is tried again: a queue that is being made, or a leader that is being elected,
/// is there within about as long.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often an empty queue is asked whether it has a message, where each is asked for: little work for the broker, and a
/// delay that nobody minds in a queue that is empty most of the time.
const ASK_EVERY: Duration = Duration::from_millis(250);
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

/// A message that was taken in.
pub struct Taken {
    /// The handle by which it is settled.
    pub in_hand: InHand,
    /// How often it came back unacknowledged, as quorum queues count.
    pub returned: u32,
    /// The message itself.
    pub message: Message,
}

/// What becomes of the messages of a queue.
pub trait Handler: Send + Sync + 'static {
    /// Takes one message. As long as this takes, no further one is handed over.
    fn take(&self, taken: Taken) -> impl Future<Output = ()> + Send;

    /// The queue is not there, and only its owner can make it.
    fn queue_is_missing(&self);

    /// The broker gives out so many messages at most from now on, fewer where they are large, `beside` so many for which
    /// somebody outside is waited for from before.
    fn is_resized(&self, messages: u16, beside: usize) {
        let _nothing_depends_on_it = (messages, beside);
    }
}

/// Consumes one working queue until shutdown.
pub struct Intake {
    /// Which queue.
    pub queue: WorkQueue,
    /// The connection.
    pub consumer: Consumer,
    /// The messages in hand.
    pub ledger: Arc<AckLedger>,
}

impl Intake {
    /// Runs until shutdown; then the broker is asked for no more, what has not begun is given back, and what has begun
    /// stays in hand.
    pub async fn run(self, handler: impl Handler, shutdown: Shutdown) {
        while !shutdown.is_requested() {
            let taken_up = tokio::select! {
                subscription = self.subscribe() => subscription,
                () = shutdown.requested() => break,
            };
            let ended = match taken_up {
                Ok(subscription) => self.consume(subscription, &handler, &shutdown).await,
                Err(error) => Err(error),
            };
            let Err(error) = ended else { continue };
            if let Some(left_out) = self.consumer.may_tell() {
                let advice = error.advice();
                warn!(queue = self.queue.queue, %error, advice, left_out, "a queue cannot be consumed; trying again");
            }
            if error.is_missing() {
                handler.queue_is_missing();
            }
            tokio::select! {
                () = sleep(TRY_AGAIN_AFTER) => {}
                () = shutdown.requested() => {}
            }
        }
    }

    async fn subscribe(&self) -> Result<Subscription, BrokerError> {
        match self.queue.supply {
            Supply::Pushed { messages, bytes } => {
                let window = Sizing::new(messages, bytes).first_window();
                self.consumer.subscribe(&self.queue.queue, window).await
            }
            Supply::OneByOne => self.consumer.subscribe_without_push(&self.queue.queue).await,
        }
    }

    /// Consumes for as long as the subscription lives. An error is one that its loss does not explain.
    async fn consume(
        &self,
        subscription: Subscription,
        handler: &impl Handler,
        shutdown: &Shutdown,
    ) -> Result<(), BrokerError> {
        let acker = Arc::new(subscription.acker());
        self.ledger.subscribed(acker, self.queue.supply);
        if !subscription.is_careful() {
            info!(queue = self.queue.label, "consuming");
        }
        let ended = match self.queue.supply {
            Supply::Pushed { messages, bytes } => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let sizing = Sizing::new(messages, bytes);
                handler.is_resized(subscription.prefetch(), 0);
                // Both in one task: what is handed on wakes nobody else. What is not handed on when the reading ends has not
                // begun, and goes to whoever is given it next.
                tokio::select! {
                    ended = self.read(subscription, sizing, sender, handler, shutdown) => ended,
                    () = hand_on(receiver, handler) => Ok(()),
                }
            }
            Supply::OneByOne => self.ask(subscription, handler, shutdown).await,
        };
        if !shutdown.is_requested() {
            self.ledger.lost();
        }
        ended
    }

    /// Reads whatever the broker sends into the ledger, so that all of it is known, and narrows the window where the messages
    /// are large.
    async fn read(
        &self,
        mut subscription: Subscription,
        mut sizing: Sizing,
        sender: mpsc::UnboundedSender<Taken>,
        handler: &impl Handler,
        shutdown: &Shutdown,
    ) -> Result<(), BrokerError> {
        let requested = shutdown.requested();
        let mut requested = std::pin::pin!(requested);
        let mut stuck_looks = interval(LOOK_AT_STUCK);
        stuck_looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Of what came up to the second of these tags, the broker counts nothing against the window that stands.
        let (mut read, mut last, mut left_behind, mut beside) = (0, 0, 0, 0);
        loop {
            let incoming = tokio::select! {
                biased;
                () = &mut requested => {
                    self.ledger.stop();
                    let is_all_there = subscription.cancel().await;
                    let rest = async {
                        while let Some(incoming) = subscription.next().await {
                            drop(self.ledger.receive(&incoming));
                        }
                    };
                    if is_all_there {
                        rest.await;
                    } else if timeout(READ_ON, rest).await.is_err() {
                        warn!(queue = self.queue.label, "the broker is slow to end a subscription; what it still sends stays \
                            unacknowledged, and is somebody else's when this process has ended");
                    }
                    return Ok(());
                }
                incoming = subscription.next() => incoming,
                _ = stuck_looks.tick() => {
                    let stuck = self.ledger.stuck(left_behind, STUCK_AFTER);
                    if !subscription.is_careful() && 2 * stuck > usize::from(subscription.prefetch()) {
                        warn!(queue = self.queue.label, stuck, "messages whose receivers do not answer, or that cannot be settled, fill \
                            the window; others are taken beside them");
                        left_behind = last.max(self.resize(&mut subscription, &mut sizing, &sender, shutdown).await?);
                        self.ledger.taken_up_beside(subscription.prefetch());
                    }
                    let asking = self.ledger.asking_up_to(left_behind);
                    if asking != beside {
                        beside = asking;
                        handler.is_resized(subscription.prefetch(), beside);
                    }
                    continue;
                }
            };
            match incoming {
                Some(incoming) => {
                    sizing.saw(incoming.message.size());
                    last = incoming.tag;
                    self.hand_over(incoming, &sender);
                }
                None if subscription.is_lost() => return Ok(()),
                // The broker ended it: its queue is gone, or has a new leader.
                None => {
                    subscription.give_up();
                    return Ok(());
                }
            }
            read += 1;
            if read % READ_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
            if (read == 1 || read % LOOK_AT_SIZES == 0)
                && !subscription.is_careful()
                && sizing.is_unfit(subscription.prefetch(), self.ledger.bytes())
            {
                // The broker counts what is unacknowledged anew for each consumer.
                left_behind = last.max(
                    self.resize(&mut subscription, &mut sizing, &sender, shutdown)
                        .await?,
                );
                self.ledger.taken_up_beside(subscription.prefetch());
                beside = self.ledger.asking_up_to(left_behind);
                handler.is_resized(subscription.prefetch(), beside);
            }
        }
    }

    fn hand_over(&self, incoming: hookline_common::broker::Incoming, sender: &mpsc::UnboundedSender<Taken>) {
        if let Some(in_hand) = self.ledger.receive(&incoming) {
            let taken = Taken {
                in_hand,
                returned: incoming.returned,
                message: incoming.message,
            };
            // The receiver lives as long as this side does.
            drop(sender.send(taken));
        }
    }

    /// Takes the queue up again with the window that goes with the sizes seen, once there is room for one, or else with what fits
    /// beside what takes long. The last tag that came meanwhile, or 0.
    async fn resize(
        &self,
        subscription: &mut Subscription,
        sizing: &mut Sizing,
        sender: &mpsc::UnboundedSender<Taken>,
        shutdown: &Shutdown,
    ) -> Result<u64, BrokerError> {
        let mut last = 0;
        let (before, bytes_before) = (subscription.prefetch(), self.ledger.bytes());
        tokio::select! {
            () = subscription.pause() => {}
            // Whoever reads on asks for no more once again.
            () = shutdown.requested() => return Ok(last),
        }
        while let Some(incoming) = subscription.next().await {
            sizing.saw(incoming.message.size());
            last = incoming.tag;
            self.hand_over(incoming, sender);
        }
        let room = async {
            while !sizing.has_room(self.ledger.bytes()) && !subscription.is_lost() {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            _ = timeout(ROOM_WITHIN, room) => {}
            () = shutdown.requested() => {}
        }
        if subscription.is_lost() || shutdown.is_requested() {
            return Ok(last);
        }
        let (from, to) = (before, sizing.window_beside(self.ledger.bytes()));
        debug!(
            queue = self.queue.label,
            from, to, bytes_before, "the window follows the size of messages"
        );
        let mut resuming = std::pin::pin!(subscription.resume(to));
        let resumed = tokio::select! {
            resumed = &mut resuming => resumed,
            // What is asked for already comes, and is to be given back.
            () = shutdown.requested() => timeout(RESUMED_WITHIN, resuming).await.unwrap_or(Ok(())),
        };
        resumed.map(|()| last)
    }

    /// Asks for one message after the other.
    async fn ask(
        &self,
        subscription: Subscription,
        handler: &impl Handler,
        shutdown: &Shutdown,
    ) -> Result<(), BrokerError> {
        let asking = async {
            loop {
                match subscription.get().await? {
                    Some(incoming) => {
                        let Some(in_hand) = self.ledger.receive(&incoming) else {
                            continue;
                        };
                        let (returned, message) = (incoming.returned, incoming.message);
                        handler
                            .take(Taken {
                                in_hand,
                                returned,
                                message,
                            })
                            .await;
                    }
                    None => sleep(ASK_EVERY).await,
                }
                if subscription.is_lost() {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            ended = asking => ended,
            // Whatever the handler waits for, its messages are somebody else's now.
            () = subscription.is_over() => Ok(()),
            () = shutdown.requested() => {
                self.ledger.stop();
                Ok(())
            }
        }
    }
}

async fn hand_on(mut receiver: mpsc::UnboundedReceiver<Taken>, handler: &impl Handler) {
    while let Some(taken) = receiver.recv().await {
        handler.take(taken).await;
    }
}
