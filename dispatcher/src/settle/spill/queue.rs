//! The queue beside the stream, as the place for batches that the stream does not take.

use std::sync::OnceLock;

use hookline_common::broker::{Address, LinkSettings, PublishFault, Publisher};
use hookline_common::message::Message;
use hookline_common::topology::{Namespace, Queue};

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
    to: Address,
    link: LinkSettings,
    publisher: OnceLock<Publisher>,
    /// Makes the queue again where it is missing.
    deliveries: Publisher,
}

impl SpillQueue {
    pub(super) fn new(link: LinkSettings, namespace: &Namespace, deliveries: Publisher) -> Self {
        Self {
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
        match publisher.publish_unless_full(&self.to, batch).await {
            Ok(Some(_)) => Spilled::Stored,
            Ok(None) => Spilled::Refused("is full"),
            Err(fault @ PublishFault::Refused { .. }) => Spilled::TooLarge(fault.to_string()),
            Err(PublishFault::Unroutable { .. }) => {
                self.deliveries.declare_again().await;
                Spilled::Refused("is missing")
            }
            // Nothing is taken from this broker any more, or the process ends: what it holds goes to the next.
            Err(PublishFault::Late { .. } | PublishFault::Final { .. }) => std::future::pending().await,
        }
    }

    /// Closes its connection, if there is one.
    pub(super) async fn close(&self) {
        if let Some(publisher) = self.publisher.get() {
            publisher.close().await;
        }
    }
}
