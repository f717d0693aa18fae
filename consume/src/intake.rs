//! Step 2: messages come in. One subscription for a working queue, taken up again whenever it is lost.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::{BrokerError, Consumer, Subscription};
use hookline_common::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::ack_ledger::AckLedger;
use crate::handler::{Handler, Taken};
use crate::reading::Reading;
use crate::sizing::Sizing;
use crate::work_queue::{Supply, WorkQueue};

/// Before a queue that could not be consumed is tried again: a queue that is being made, or a leader that is being elected,
/// is there within about as long.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often an empty queue is asked whether it has a message, where each is asked for: little work for the broker, and a
/// delay that nobody minds in a queue that is empty most of the time.
const ASK_EVERY: Duration = Duration::from_millis(250);

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
                let reading = Reading::new(&self.ledger, subscription, sizing, sender, handler, shutdown);
                // Both in one task: what is handed on wakes nobody else. What is not handed on when the reading ends has not
                // begun, and goes to whoever is given it next.
                tokio::select! {
                    ended = reading.run() => ended,
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
