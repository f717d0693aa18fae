//! Step 2: messages come in. One subscription for each working queue, taken up again whenever it is lost.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::{Consumer, Publisher, Subscription};
use hookline_common::shutdown::Shutdown;
use hookline_common::topology::Namespace;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::deliver::Deliverer;
use crate::gate::Gate;
use crate::settle::{Acks, Source};

/// Before a queue that could not be consumed is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Consumes one working queue until shutdown.
pub struct Intake {
    /// Which queue.
    pub source: Source,
    /// Its full name starts with this.
    pub namespace: Namespace,
    /// Unacknowledged messages at most.
    pub prefetch: u16,
    /// How many attempts begin at once.
    pub gate: Arc<Gate>,
    /// The connection.
    pub consumer: Consumer,
    /// What makes sure of the queues.
    pub publisher: Publisher,
    /// The messages in hand.
    pub acks: Arc<Acks>,
    /// Where each message goes.
    pub deliverer: Arc<Deliverer>,
}

impl Intake {
    /// Runs until shutdown; then the broker is asked for no more, and what is in hand stays in hand.
    pub async fn run(self, shutdown: Shutdown) {
        let queue = self.namespace.queue(self.source.queue());
        while !shutdown.is_requested() {
            let subscribed = tokio::select! {
                subscribed = self.consumer.subscribe(&queue, self.prefetch) => subscribed,
                () = shutdown.requested() => return,
            };
            match subscribed {
                Ok(subscription) => self.consume(subscription, &shutdown).await,
                Err(error) => {
                    warn!(queue, %error, "a queue cannot be consumed; trying again");
                    if error.is_missing() {
                        self.publisher.declare_again().await;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn consume(&self, mut subscription: Subscription, shutdown: &Shutdown) {
        self.acks.begin(self.source, subscription.acker(), self.prefetch);
        if self.acks.is_consuming() && !subscription.is_careful() {
            info!("ready: consuming from all working queues");
        }
        let requested = shutdown.requested();
        let mut requested = std::pin::pin!(requested);
        loop {
            tokio::select! {
                biased;
                () = &mut requested => return subscription.cancel().await,
                incoming = subscription.next() => match incoming {
                    Some(incoming) => {
                        let pass = self.gate.enter().await;
                        self.deliverer.take(self.source, incoming, pass).await;
                    }
                    None => return self.acks.lost(self.source),
                },
            }
        }
    }
}
