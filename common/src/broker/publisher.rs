//! Publishing that is confirmed *and* routed, through a connection that comes back.

use std::sync::Arc;
use std::time::Duration;

use lapin::{Channel, Confirmation, Connection};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::error;

use super::address::Address;
use super::confirm_watch::watch_confirms;
use super::connect::LinkSettings;
use super::declare::declare_on;
use super::depth::{QueueDepth, depths_on};
use super::error::BrokerError;
use super::in_flight::InFlight;
use super::link::{Established, Link, Prepare};
use super::publish_channel::{PublishChannels, send};
use super::publish_fault::PublishFault;
use super::stats::BrokerStats;
use super::upkeep::{self, Trouble};
use super::wire;
use crate::message::Message;
use crate::topology::{Namespace, Queue, Topology};

/// Between a publish that failed and the next try: often enough to notice an end of the trouble at once, and seldom enough
/// to be no load.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The topology is declared again at most so often, however many messages ask for it.
const DECLARE_EVERY: Duration = Duration::from_secs(1);
/// Records are published a few batches at a time, so frames of this size (16 KiB) carry them as fast as larger ones, and
/// the client library, which reserves 16 for each direction, holds 0.5 MB instead of 4.
const MAX_RECORDS_FRAME: u32 = 16 * 1024;
/// How long all questions of [`Publisher::depths`] may take together.
const DEPTHS_TIMEOUT: Duration = Duration::from_secs(5);

/// The broker has the message, and a queue holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored;

/// What is known of a message that is being published.
#[derive(Default)]
struct Progress {
    maybe_stored: bool,
    last: Option<Arc<BrokerError>>,
}

/// How one try to publish ended.
enum Tried {
    Stored,
    Unroutable,
    /// A negative confirm: the queue is full, or has no quorum.
    Nacked,
    /// Something was refused for good that closed the channel, and it may have been this message.
    Suspected(BrokerError),
    /// This very message was refused for good.
    RefusedForGood(BrokerError),
    /// There was no answer.
    Unknown(BrokerError),
}

/// Publishes over a connection of its own. Clones share it.
///
/// What is sent and not answered is bounded: 8 MiB, over all clones. More waits for its turn; a queue that answers nothing
/// does not keep the others waiting.
#[derive(Clone)]
pub struct Publisher {
    link: Link<PublishChannels>,
    shared: Arc<Shared>,
}

struct Shared {
    in_flight: InFlight,
    topology: Option<Topology>,
    /// Whether the topology is looked after for as long as the connection lives.
    is_keeper: bool,
    trouble: Trouble,
    declared_at: Mutex<Option<Instant>>,
}

/// Each new connection gets the topology.
struct Prepared(Arc<Shared>);

impl Prepare for Prepared {
    type Ready = PublishChannels;

    async fn prepare(&self, connection: &Connection) -> Result<PublishChannels, BrokerError> {
        if let Some(topology) = &self.0.topology {
            declare_on(connection, topology).await?;
        }
        self.0.in_flight.ledger().connected(Instant::now());
        Ok(PublishChannels::default())
    }

    async fn attend(&self, established: &Established<PublishChannels>) {
        let Shared {
            in_flight,
            topology,
            is_keeper,
            trouble,
            ..
        } = &*self.0;
        let keeping = async {
            if let (Some(topology), true) = (topology, is_keeper) {
                upkeep::keep(&established.connection, topology, trouble).await;
            }
        };
        tokio::join!(watch_confirms(established, in_flight), keeping);
    }
}

impl Publisher {
    /// Starts to connect. On every connection `topology` is made sure of before anything is published.
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
        let shared = Arc::new(Shared {
            in_flight: InFlight::new(Arc::clone(&settings.stats)),
            topology,
            is_keeper,
            trouble: Trouble::default(),
            declared_at: Mutex::default(),
        });
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
        self.link.is_blocked()
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
        self.shared.trouble.get()
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

    /// Publishes until the broker has confirmed *and* routed the message, or `deadline` passes.
    ///
    /// A broker that is slow is waited for. What was sent and is lost with its connection is sent again, so the message may
    /// be stored more than once.
    ///
    /// # Errors
    /// [`PublishFault`] tells whether the message may be stored all the same.
    pub async fn publish(
        &self,
        to: &Address,
        message: &Message,
        deadline: Option<Instant>,
    ) -> Result<Stored, PublishFault> {
        let mut progress = Progress::default();
        let Some(deadline) = deadline else {
            return self.publish_with(to, message, &mut progress).await;
        };
        let published = timeout_at(deadline, self.publish_with(to, message, &mut progress)).await;
        published.unwrap_or_else(|_| {
            let Progress { maybe_stored, last } = progress;
            let last = last.or_else(|| self.link.last_failure());
            Err(PublishFault::Late { maybe_stored, last })
        })
    }

    /// Publishes for as long as it takes. A queue that is gone is declared again, by this publisher if it has a topology.
    ///
    /// # Errors
    /// [`PublishFault::Final`], and [`PublishFault::Refused`] for a message that the broker never takes.
    pub async fn publish_until_stored(
        &self,
        to: &Address,
        message: &Message,
    ) -> Result<Stored, PublishFault> {
        loop {
            match self.publish(to, message, None).await {
                Err(fault @ PublishFault::Unroutable { .. }) => {
                    self.shared.in_flight.tell_missing(to.destination(), &fault);
                    self.declare_again().await;
                }
                // The link was closed under it, with its runtime or by its owner.
                Err(PublishFault::Late { .. }) => {}
                stored_or_not => return stored_or_not,
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Closes the connection for good, within little more than a second.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// Makes sure of the topology again, on the connection that stands: an object that it names was found missing.
    pub async fn declare_again(&self) {
        let Some(topology) = &self.shared.topology else {
            return;
        };
        let Ok(established) = self.link.up(Some(Instant::now())).await else {
            return;
        };
        let mut declared_at = self.shared.declared_at.lock().await;
        if declared_at.is_some_and(|at| at.elapsed() < DECLARE_EVERY) {
            return;
        }
        if let Err(error) = declare_on(&established.connection, topology).await {
            error!(%error, "a missing queue cannot be declared; connecting again");
            established.give_up();
        }
        *declared_at = Some(Instant::now());
    }

    /// How deep each of `queues` is; `None` where there is no such queue, no connection, or no answer within 5 s. On a
    /// channel of its own, so that it never keeps a message waiting.
    pub async fn depths(&self, namespace: &Namespace, queues: &[Queue]) -> Vec<Option<QueueDepth>> {
        let names: Vec<String> = queues.iter().map(|queue| namespace.queue(*queue)).collect();
        let asked = async {
            let established = self.link.up(Some(Instant::now())).await.ok()?;
            let mut slot = established.ready.asking.lock().await;
            Some(depths_on(&established.connection, &mut slot, &names).await)
        };
        let depths = timeout_at(Instant::now() + DEPTHS_TIMEOUT, asked).await;
        depths.ok().flatten().unwrap_or_else(|| vec![None; names.len()])
    }

    async fn publish_with(
        &self,
        to: &Address,
        message: &Message,
        progress: &mut Progress,
    ) -> Result<Stored, PublishFault> {
        let in_flight = &self.shared.in_flight;
        let bytes = wire::size(message);
        // Whether this message may be what the broker refuses; it goes alone then, and was not stored by then.
        let mut suspected_since: Option<bool> = None;
        loop {
            let established = self
                .link
                .up(None)
                .await
                .map_err(|no_link| PublishFault::without_link(no_link, progress.maybe_stored))?;
            let admitted = in_flight.admit(to.destination(), bytes).await;
            if established.is_gone() {
                continue;
            }
            let maybe_stored = std::mem::replace(&mut progress.maybe_stored, true);
            match try_once(&established, to, message, suspected_since.is_some()).await {
                Tried::Stored => {
                    admitted.stored();
                    return Ok(Stored);
                }
                Tried::Unroutable => {
                    admitted.answered();
                    return Err(PublishFault::Unroutable {
                        maybe_stored,
                        exchange: to.exchange.clone(),
                        routing_key: to.routing_key.clone(),
                    });
                }
                Tried::Nacked => {
                    admitted.refused(to.destination());
                    progress.maybe_stored = maybe_stored;
                }
                Tried::RefusedForGood(error) => {
                    admitted.answered();
                    return Err(PublishFault::Refused {
                        maybe_stored: suspected_since.unwrap_or(maybe_stored),
                        error: Arc::new(error),
                    });
                }
                Tried::Suspected(error) => {
                    admitted.without_channel();
                    admitted.answered();
                    suspected_since.get_or_insert(maybe_stored);
                    progress.last = Some(Arc::new(error));
                }
                Tried::Unknown(error) => {
                    admitted.without_channel();
                    drop(admitted);
                    progress.last = Some(Arc::new(error));
                }
            }
            sleep(RETRY_PAUSE).await;
        }
    }
}

/// Sends the message and waits for the answer, for as long as the connection lives.
async fn try_once(
    established: &Established<PublishChannels>,
    to: &Address,
    message: &Message,
    is_alone: bool,
) -> Tried {
    let channels = &established.ready;
    let channel = match channel_to(established, to).await {
        Ok(channel) => channel,
        Err(error) => {
            established.give_up();
            return Tried::Unknown(error);
        }
    };
    let sending = async {
        if is_alone {
            channels.send_alone(&established.connection, to, message).await
        } else {
            send(&channel, to, message).await
        }
    };
    let sent = tokio::select! {
        sent = sending => sent,
        () = established.ended() => Err(BrokerError::Lost { what: "publishing" }),
    };
    match sent {
        Ok(Confirmation::Ack(None)) => Tried::Stored,
        Ok(Confirmation::Ack(Some(_))) => Tried::Unroutable,
        Ok(Confirmation::Nack(_)) => Tried::Nacked,
        // The channel was put into confirm mode before anyone could publish on it.
        Ok(Confirmation::NotRequested) => Tried::Unknown(BrokerError::Lost { what: "confirming" }),
        Err(error) if is_alone && error.is_refusal_for_good() => Tried::RefusedForGood(error),
        Err(error) => {
            recover(established, to, &channel, &error).await;
            let is_small = |max| message.body.len() as u64 <= max;
            if error.is_refusal_for_good() && !error.max_message_bytes().is_some_and(is_small) {
                Tried::Suspected(error)
            } else {
                Tried::Unknown(error)
            }
        }
    }
}

async fn channel_to(
    established: &Established<PublishChannels>,
    to: &Address,
) -> Result<Arc<Channel>, BrokerError> {
    let (channels, destination) = (&established.ready, to.destination());
    if let Some(channel) = channels.known(destination) {
        return Ok(channel);
    }
    tokio::select! {
        opened = channels.open(&established.connection, destination) => opened,
        () = established.ended() => Err(BrokerError::Lost { what: "opening a channel" }),
    }
}

/// Makes good for an error: where it closed no more than the channel, that is opened again, else the connection is given up.
async fn recover(
    established: &Established<PublishChannels>,
    to: &Address,
    channel: &Arc<Channel>,
    error: &BrokerError,
) {
    // Who finds the channel closed by somebody else's message gets no code of the broker's.
    let is_channel_only = error.is_refusal_for_good() || error.reply_code().is_none();
    let is_standing = !established.is_gone() && established.connection.status().connected();
    let is_recovered = is_channel_only
        && is_standing
        && !channel.status().connected()
        && established
            .ready
            .reopen(&established.connection, to.destination(), channel)
            .await
            .is_ok();
    if !is_recovered {
        established.give_up();
    }
}
