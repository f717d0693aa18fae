//! What a publisher makes of each new connection, and does beside publishing for as long as that lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::confirm_watch::watch_confirms;
use super::connect::Opened;
use super::declare::{declare_missing, declare_on};
use super::error::BrokerError;
use super::established::{Established, Prepare};
use super::in_flight::InFlight;
use super::knocking::Knocking;
use super::publish_channel::PublishChannels;
use super::stats::BrokerStats;
use super::upkeep::Upkeep;
use crate::topology::Topology;

/// What the clones of a publisher share, over all its connections.
pub(super) struct Shared {
    pub(super) in_flight: InFlight,
    pub(super) upkeep: Upkeep,
    /// Who tries again, where the account lacks the right to publish.
    pub(super) knocking: Knocking,
    /// Whether the topology was made sure of, once.
    is_declared: AtomicBool,
}

impl Shared {
    /// `is_keeper` says whether `topology` is looked after for as long as a connection lives.
    pub(super) fn new(stats: Arc<BrokerStats>, topology: Option<Topology>, is_keeper: bool) -> Self {
        Self {
            in_flight: InFlight::new(stats),
            upkeep: Upkeep::new(topology, is_keeper),
            knocking: Knocking::default(),
            is_declared: AtomicBool::new(false),
        }
    }
}

/// Each new connection finds the topology as it must be.
pub(super) struct Prepared(pub(super) Arc<Shared>);

impl Prepare for Prepared {
    type Ready = PublishChannels;

    /// The first connection declares everything and compares what is there. A later one looks for what has gone missing
    /// meanwhile, and for nothing that a node elsewhere in the cluster can hold up; the rest is left to the upkeep.
    async fn prepare(&self, opened: &Opened) -> Result<PublishChannels, BrokerError> {
        if let Some(topology) = self.0.upkeep.topology() {
            if self.0.is_declared.load(Ordering::Acquire) {
                declare_missing(&opened.connection, topology).await?;
            } else {
                declare_on(&opened.connection, topology).await?;
                self.0.is_declared.store(true, Ordering::Release);
            }
        }
        self.0.in_flight.unanswered().connected(Instant::now());
        Ok(PublishChannels::new(opened.heard.returns.clone()))
    }

    async fn attend(&self, established: &Established<PublishChannels>) {
        let keeping = self.0.upkeep.keep(&established.connection);
        tokio::join!(watch_confirms(established, &self.0.in_flight), keeping);
    }
}
