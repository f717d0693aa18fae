//! The queue beside the stream, as the place for batches that the stream does not take.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hookline_common::broker::{Address, BrokerStats, LinkSettings, PublishFault, Publisher};
use hookline_common::message::Message;
use hookline_common::topology::{Namespace, Queue};
use tokio::time::sleep;

/// How often it is looked at whether the queue has refused something.
const LOOK_EVERY: Duration = Duration::from_millis(50);

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
}

impl SpillQueue {
    pub(super) fn new(link: LinkSettings, namespace: &Namespace) -> Self {
        Self {
            namespace: namespace.clone(),
            to: Address::queue(namespace, Queue::AttemptsSpill),
            // Counted for itself, since its refusals are looked at here.
            link: link.counting_in(&Arc::<BrokerStats>::default()),
            publisher: OnceLock::new(),
        }
    }

    /// Writes a batch, for as long as that takes, unless the queue refuses it. One that says nothing is waited for: it is a
    /// queue like those of the deliveries, and what becomes of those depends on them as well.
    pub(super) async fn write(&self, batch: &Message) -> Spilled {
        let publisher = self
            .publisher
            .get_or_init(|| Publisher::start_for_records(self.link.clone()));
        let is_full = self.becomes_full(publisher);
        let written = tokio::select! {
            written = publisher.publish(&self.to, batch, None) => written,
            () = is_full => return Spilled::Refused("is full"),
        };
        match written {
            Ok(_) => Spilled::Stored,
            Err(fault @ PublishFault::Refused { .. }) => Spilled::TooLarge(fault.to_string()),
            Err(PublishFault::Unroutable { .. }) => Spilled::Refused("is missing"),
            // Nothing is taken from this broker any more, or the process ends: what it holds goes to the next.
            Err(PublishFault::Late { .. } | PublishFault::Final { .. }) => std::future::pending().await,
        }
    }

    /// Returns when it refuses something and holds messages. One that has lost most of its nodes refuses as well, and counts
    /// as empty meanwhile: that passes, and nothing of the log may be lost by it.
    async fn becomes_full(&self, publisher: &Publisher) {
        let mut refused = publisher.stats().publish_refused();
        loop {
            sleep(LOOK_EVERY).await;
            let refused_now = publisher.stats().publish_refused();
            if std::mem::replace(&mut refused, refused_now) == refused_now {
                continue;
            }
            let depths = publisher.depths(&self.namespace, &[Queue::AttemptsSpill]).await;
            if depths.iter().flatten().any(|depth| depth.ready > 0) {
                return;
            }
        }
    }

    /// Closes its connection, if there is one.
    pub(super) async fn close(&self) {
        if let Some(publisher) = self.publisher.get() {
            publisher.close().await;
        }
    }
}
