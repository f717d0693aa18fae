//! What publishes: a connection that comes back, and what is known of it. How a message is published stands in
//! `publishing.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::connect::LinkSettings;
use super::depth::{QueueDepth, depths_on};
use super::error::BrokerError;
use super::link::Link;
use super::publish_channel::PublishChannels;
use super::publish_fault::PublishFault;
use super::publish_prepare::{Prepared, Shared};
use super::stats::BrokerStats;
use crate::topology::{Namespace, Queue, Topology};

/// Records are published a few batches at a time, so frames of this size (16 KiB) carry them as fast as larger ones, and
/// the client library, which reserves 32 for each direction, takes 1 MB at most instead of 8.
const MAX_RECORDS_FRAME: u32 = 16 * 1024;
/// How long all questions of [`Publisher::depths`] may take together.
const DEPTHS_TIMEOUT: Duration = Duration::from_secs(5);

/// Publishes over a connection of its own. Clones share it.
///
/// What is sent and not answered is bounded: 8 MiB, over all clones. More waits for its turn; a queue that answers nothing
/// does not keep the others waiting. What nobody waits for any more, as its deadline passed, is not counted; its queue is sent one
/// message a second until it answers.
#[derive(Clone)]
pub struct Publisher {
    pub(super) link: Link<PublishChannels>,
    pub(super) shared: Arc<Shared>,
}

impl Publisher {
    /// Starts to connect. On the first connection `topology` is made sure of before anything is published, on later ones
    /// what has gone missing.
    #[must_use]
    pub fn start(settings: LinkSettings, topology: Topology) -> Self {
        Self::start_with(settings, Some(topology), false)
    }

    /// As [`Publisher::start`], and looks after `topology` for as long as it runs: what somebody deletes is noticed and made
    /// again within half a minute. [`Publisher::trouble`] tells what cannot be.
    ///
    /// A deleted exchange or queue is warned of; a binding is made again without a word, because there is no way to see
    /// whether it was gone.
    #[must_use]
    pub fn start_as_keeper(settings: LinkSettings, topology: Topology) -> Self {
        Self::start_with(settings, Some(topology), true)
    }

    /// Starts to connect, for records: apart from other messages, so that what the broker refuses of the ones takes nothing
    /// of the others along. Declares nothing, and takes little memory for large messages.
    #[must_use]
    pub fn start_for_records(mut settings: LinkSettings) -> Self {
        settings.max_frame = Some(MAX_RECORDS_FRAME);
        Self::start_with(settings, None, false)
    }

    fn start_with(settings: LinkSettings, topology: Option<Topology>, is_keeper: bool) -> Self {
        let shared = Arc::new(Shared::new(Arc::clone(&settings.stats), topology, is_keeper));
        Self {
            link: Link::start(settings, Prepared(Arc::clone(&shared))),
            shared,
        }
    }

    /// Whether a connection stands.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Whether the broker takes nothing on this connection for now, because its memory or its disk is short.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.link
            .established()
            .is_some_and(|established| established.is_blocked())
    }

    /// What is counted: refusals, reconnects, and bytes without an answer.
    #[must_use]
    pub fn stats(&self) -> &Arc<BrokerStats> {
        self.shared.in_flight.stats()
    }

    /// What is wrong with the topology and cannot be mended by this program, for readiness. Costs nothing; known only to a
    /// publisher that keeps its topology.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.shared.upkeep.trouble()
    }

    /// Why the broker takes no messages, in its own words, while it has an alarm (`low on memory`). The broker tells it to
    /// those alone who have published something since it began.
    #[must_use]
    pub fn alarm(&self) -> Option<String> {
        self.link.established()?.alarm()
    }

    /// Waits for a connection, until `deadline` if there is one.
    ///
    /// # Errors
    /// [`PublishFault::Late`] or [`PublishFault::Final`].
    pub async fn connected(&self, deadline: Option<Instant>) -> Result<(), PublishFault> {
        self.link
            .up(deadline)
            .await
            .map(drop)
            .map_err(|no_link| PublishFault::without_link(no_link, false))
    }

    /// Waits for the first try to connect, and no longer.
    ///
    /// # Errors
    /// [`PublishFault::Late`] with the failure of the first try, or [`PublishFault::Final`].
    pub async fn connected_at_first_try(&self) -> Result<(), PublishFault> {
        self.link
            .up_at_first_try()
            .await
            .map(drop)
            .map_err(|no_link| PublishFault::without_link(no_link, false))
    }

    /// Returns when only a person can mend the link: what is to be mended.
    pub async fn broken(&self) -> Arc<BrokerError> {
        self.link.broken().await
    }

    /// Closes the connection for good, within little more than a second.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// Something of the topology was found missing: has what is missing made again in a moment, on the connection that stands.
    pub fn look_for_missing(&self) {
        self.shared.upkeep.miss();
    }

    /// How deep each of `queues` is; `None` where there is no such queue, no connection, or no answer within 5 s. On a
    /// channel of its own, so that it never keeps a message waiting.
    pub async fn depths(&self, namespace: &Namespace, queues: &[Queue]) -> Vec<Option<QueueDepth>> {
        let names: Vec<String> = queues.iter().map(|queue| namespace.queue(*queue)).collect();
        let asked = async {
            let established = self.link.established()?;
            let mut slot = established.ready.asking.lock().await;
            Some(depths_on(&established.connection, &mut slot, &names).await)
        };
        let depths = timeout_at(Instant::now() + DEPTHS_TIMEOUT, asked).await;
        depths.ok().flatten().unwrap_or_else(|| vec![None; names.len()])
    }
}
