//! The queue beside the stream, as the place for batches that the stream does not take.

use std::sync::OnceLock;
use std::time::Duration;

use hookline_common::broker::{Address, LinkSettings, PublishFault, Publisher};
use hookline_common::message::Message;
use hookline_common::topology::{Namespace, Queue};
use tokio::time::sleep;

/// How long to wait before a queue that refused, and holds nothing, is asked again: what hinders it lasts for seconds.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Spilled {
    /// The queue has it.
    Stored,
    /// The broker takes it in no such size.
    TooLarge(String),
    /// The queue takes nothing more.
    Refused(&'static str),
}

/// The spill. Most processes never need it, so there is no connection before the first batch; then it is kept.
pub(super) struct SpillQueue {
    namespace: Namespace,
    to: Address,
    link: LinkSettings,
    publisher: OnceLock<Publisher>,
    /// Makes the queue again where it is missing.
    deliveries: Publisher,
}

impl SpillQueue {
    pub(super) fn new(link: LinkSettings, namespace: &Namespace, deliveries: Publisher) -> Self {
        Self {
            namespace: namespace.clone(),
            to: Address::queue(namespace, Queue::AttemptsSpill),
            link,
            publisher: OnceLock::new(),
            deliveries,
        }
    }

    /// Writes a batch, for as long as that takes, unless the queue refuses it. One that says nothing is waited for: it is a
    /// queue like those of the deliveries, and what becomes of those depends on them as well.
    pub(super) async fn write(&self, batch: &Message) -> Spilled {
        let publisher = self
            .publisher
            .get_or_init(|| Publisher::start_for_records(self.link.clone()));
        loop {
            match publisher.publish_unless_full(&self.to, batch).await {
                Ok(Some(_)) => return Spilled::Stored,
                Ok(None) if self.holds_something(publisher).await => return Spilled::Refused("is full"),
                Ok(None) => sleep(ASK_AGAIN_AFTER).await,
                Err(PublishFault::Refused { refusal, .. }) if !refusal.is_of_the_message() => {
                    publisher.await_the_right(&self.to, &refusal).await;
                }
                Err(fault @ PublishFault::Refused { .. }) => return Spilled::TooLarge(fault.to_string()),
                Err(PublishFault::Unroutable { .. }) => {
                    self.deliveries.look_for_missing();
                    return Spilled::Refused("is missing");
                }
                // Nothing is taken from this broker any more, or the process ends: what it holds goes to the next.
                Err(PublishFault::Late { .. } | PublishFault::Final { .. }) => std::future::pending().await,
            }
        }
    }

    /// Whether there are messages in it. One that has lost most of its nodes refuses as well, and counts as empty meanwhile:
    /// that passes, and nothing of the log may be lost by it.
    async fn holds_something(&self, publisher: &Publisher) -> bool {
        let depths = publisher.depths(&self.namespace, &[Queue::AttemptsSpill]).await;
        depths.iter().flatten().any(|depth| depth.ready > 0)
    }

    /// Closes its connection, if there is one.
    pub(super) async fn close(&self) {
        if let Some(publisher) = self.publisher.get() {
            publisher.close().await;
        }
    }
}
