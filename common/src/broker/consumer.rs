//! Taking messages from queues, over a connection that comes back.

use std::sync::Arc;

use tokio::time::Instant;

use super::connect::{LinkSettings, Opened};
use super::error::BrokerError;
use super::established::{Established, Prepare};
use super::link::{Link, NoLink};
use super::stats::BrokerStats;
use super::subscription::Subscription;

/// Consumes over a connection of its own, apart from any that publishes: a broker in alarm stalls whole connections.
/// Clones share it.
#[derive(Clone)]
pub struct Consumer {
    link: Link<()>,
    stats: Arc<BrokerStats>,
}

struct Nothing;

impl Prepare for Nothing {
    type Ready = ();

    async fn prepare(&self, _: &Opened) -> Result<(), BrokerError> {
        Ok(())
    }
}

impl Consumer {
    /// Starts to connect.
    #[must_use]
    pub fn start(settings: LinkSettings) -> Self {
        let stats = Arc::clone(&settings.stats);
        Self {
            link: Link::start(settings, Nothing),
            stats,
        }
    }

    /// Whether a line on trouble with the broker may be written now: they are at most one a second, those on connections
    /// included. How many were left out before it, if it may.
    #[must_use]
    pub fn may_tell(&self) -> Option<u64> {
        self.stats.lines.may_tell(Instant::now())
    }

    /// Whether a connection stands.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Waits for a connection and takes up `queue` on a channel of its own, with at most `prefetch` messages
    /// unacknowledged. After a message that could not be read at all it is one, so that no other is counted as
    /// returned with it; such a message comes back until the broker's own limit sets it aside.
    ///
    /// # Errors
    /// [`BrokerError`] when the queue is missing or the connection went meanwhile; the connection is made anew then.
    pub async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Subscription, BrokerError> {
        let established = linked(self.link.up(None).await)?;
        let prefetch = if established.is_careful { 1 } else { prefetch };
        let subscribed = Subscription::begin(&established, queue, prefetch).await;
        if let Err(error) = &subscribed {
            established.give_up(format!("consuming {queue:?}: {error}; {}", error.advice()));
        }
        subscribed
    }

    /// As [`Consumer::subscribe`], but the broker sends nothing by itself: each message is asked for by
    /// [`Subscription::get`].
    ///
    /// # Errors
    /// As [`Consumer::subscribe`].
    pub async fn subscribe_without_push(&self, queue: &str) -> Result<Subscription, BrokerError> {
        let established = linked(self.link.up(None).await)?;
        let subscribed = Subscription::without_push(&established, queue).await;
        if let Err(error) = &subscribed {
            established.give_up(format!("consuming {queue:?}: {error}"));
        }
        subscribed
    }

    /// Closes the connection for good; what is unacknowledged goes back to its queues.
    pub async fn close(&self) {
        self.link.close().await;
    }
}

fn linked(link: Result<Arc<Established<()>>, NoLink>) -> Result<Arc<Established<()>>, BrokerError> {
    link.map_err(|no_link| match no_link {
        NoLink::Late(Some(error)) | NoLink::Final(error) => BrokerError::Unreachable(error),
        NoLink::Late(None) => BrokerError::NoAnswer {
            what: "connecting",
            seconds: 0,
        },
    })
}
