//! Publishing that is confirmed *and* routed, through a connection that comes back.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, Connection};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::error;

use super::connect::{LinkSettings, in_time, open_channel};
use super::declare::declare_on;
use super::error::BrokerError;
use super::link::{Established, Link, NoLink, Prepare};
use super::wire;
use crate::message::Message;
use crate::topology::{Namespace, Queue, Topology};

/// How long the broker may take to confirm a message while it takes any.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between a refused publish and the next try.
const PAUSE: Duration = Duration::from_millis(200);

/// Where a message is published to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    exchange: String,
    routing_key: String,
}

impl Address {
    /// The events exchange, routed by event type.
    #[must_use]
    pub fn events(namespace: &Namespace, event_type: &str) -> Self {
        Self {
            exchange: namespace.events_exchange(),
            routing_key: event_type.to_owned(),
        }
    }

    /// One queue, by the default exchange.
    #[must_use]
    pub fn queue(namespace: &Namespace, queue: Queue) -> Self {
        Self {
            exchange: String::new(),
            routing_key: namespace.queue(queue),
        }
    }
}

/// The broker has the message, and a queue holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored;

/// Why a message is not known to be stored.
#[derive(Debug, thiserror::Error)]
pub enum PublishFault {
    /// No queue is bound for it any more.
    #[error("no queue takes messages for {routing_key:?} on exchange {exchange:?}")]
    Unroutable {
        /// Whether the message may be stored all the same: an earlier try, when a queue was perhaps still bound, had no
        /// answer.
        maybe_stored: bool,
        /// The exchange that had no queue for it.
        exchange: String,
        /// The routing key that led nowhere.
        routing_key: String,
    },
    /// The deadline passed.
    #[error("the broker did not confirm in time{}", because(.last))]
    Late {
        /// Whether the message may be stored all the same: it was sent, and no answer came.
        maybe_stored: bool,
        /// The last failure that was seen.
        last: Option<Arc<BrokerError>>,
    },
    /// The broker cannot be used until a person mends something.
    #[error("{error}")]
    Final {
        /// Whether the message may be stored all the same.
        maybe_stored: bool,
        /// What is to be mended.
        error: Arc<BrokerError>,
    },
}

fn because(last: &Option<Arc<BrokerError>>) -> String {
    last.as_ref()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default()
}

/// How one try to publish ended.
enum Tried {
    Stored,
    Unroutable,
    Refused,
    Unknown(BrokerError),
}

/// Publishes over a connection of its own. Clones share it.
#[derive(Clone)]
pub struct Publisher {
    link: Link<Channel>,
}

/// Each new connection gets the topology and a channel in confirm mode.
struct Prepared(Topology);

impl Prepare for Prepared {
    type Ready = Channel;

    async fn prepare(&self, connection: &Connection) -> Result<Channel, BrokerError> {
        declare_on(connection, &self.0).await?;
        let channel = open_channel(connection).await?;
        in_time(
            "switching to confirms",
            channel.confirm_select(ConfirmSelectOptions::default()),
        )
        .await?;
        Ok(channel)
    }
}

impl Publisher {
    /// Starts to connect. On every connection `topology` is made sure of before anything is published.
    #[must_use]
    pub fn start(settings: LinkSettings, topology: Topology) -> Self {
        Self {
            link: Link::start(settings, Prepared(topology)),
        }
    }

    /// Whether a connection stands.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
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
            .map_err(|no_link| fault(no_link, false))
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
            .map_err(|no_link| fault(no_link, false))
    }

    /// Returns when only a person can mend the link: what is to be mended.
    pub async fn broken(&self) -> Arc<BrokerError> {
        self.link.broken().await
    }

    /// Publishes until the broker has confirmed *and* routed the message, or `deadline` passes.
    ///
    /// What was sent and not answered is sent again, so the message may be stored more than once.
    ///
    /// # Errors
    /// [`PublishFault`] tells whether the message may be stored all the same.
    pub async fn publish(
        &self,
        to: &Address,
        message: &Message,
        deadline: Option<Instant>,
    ) -> Result<Stored, PublishFault> {
        let mut maybe_stored = false;
        let mut last = None;
        loop {
            let established = self
                .link
                .up(deadline)
                .await
                .map_err(|no_link| fault(no_link, maybe_stored))?;
            let tried = tokio::select! {
                tried = try_once(&established, to, message) => tried,
                () = until(deadline) => return Err(PublishFault::Late { maybe_stored: true, last }),
            };
            match tried {
                Tried::Stored => return Ok(Stored),
                Tried::Unroutable => {
                    let (exchange, routing_key) = (to.exchange.clone(), to.routing_key.clone());
                    return Err(PublishFault::Unroutable {
                        maybe_stored,
                        exchange,
                        routing_key,
                    });
                }
                Tried::Refused => {}
                Tried::Unknown(error) => {
                    maybe_stored = true;
                    last = Some(Arc::new(error));
                    established.give_up();
                }
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = until(deadline) => return Err(PublishFault::Late { maybe_stored, last }),
            }
        }
    }

    /// Publishes for as long as it takes. A queue that is gone is declared again.
    ///
    /// # Errors
    /// Only [`PublishFault::Final`].
    pub async fn publish_until_stored(
        &self,
        to: &Address,
        message: &Message,
    ) -> Result<Stored, PublishFault> {
        loop {
            match self.publish(to, message, None).await {
                Err(fault @ PublishFault::Unroutable { .. }) => {
                    error!(error = %fault, "a queue is missing; declaring it again");
                    self.declare_again().await;
                    sleep(PAUSE).await;
                }
                Err(PublishFault::Late { .. }) => {}
                stored_or_final => return stored_or_final,
            }
        }
    }

    /// Closes the connection for good.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// Has the topology made sure of again, by way of a new connection: an object that it names was found missing.
    pub async fn declare_again(&self) {
        if let Ok(established) = self.link.up(Some(Instant::now())).await {
            established.give_up();
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn fault(no_link: NoLink, maybe_stored: bool) -> PublishFault {
    match no_link {
        NoLink::Late(last) => PublishFault::Late { maybe_stored, last },
        NoLink::Final(error) => PublishFault::Final { maybe_stored, error },
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the Publisher")]
async fn try_once(established: &Established<Channel>, to: &Address, message: &Message) -> Tried {
    let publish = async {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let (exchange, routing_key) = (short(&to.exchange), short(&to.routing_key));
        let sent = established.ready.basic_publish(
            exchange,
            routing_key,
            options,
            &message.body,
            wire::to_properties(message),
        );
        sent.await?.await
    };
    match patiently(established, publish).await {
        Ok(Confirmation::Ack(None)) => Tried::Stored,
        Ok(Confirmation::Ack(Some(_))) => Tried::Unroutable,
        Ok(Confirmation::Nack(_)) => Tried::Refused,
        // The channel was put into confirm mode before anyone could publish on it.
        Ok(Confirmation::NotRequested) => Tried::Unknown(BrokerError::NoAnswer {
            what: "confirming",
            seconds: 0,
        }),
        Err(error) => Tried::Unknown(error),
    }
}

/// Waits for the broker's answer: as long as it takes while the broker blocks us (what is sent then is stored when
/// the alarm clears, so sending it again would only multiply it), else for [`PATIENCE`].
async fn patiently<T>(
    established: &Established<Channel>,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    const WHAT: &str = "publishing";
    let mut answer = std::pin::pin!(answer);
    loop {
        tokio::select! {
            answer = &mut answer => return answer.map_err(BrokerError::call(WHAT)),
            () = sleep(PATIENCE) => if !established.is_blocked() {
                return Err(BrokerError::NoAnswer { what: WHAT, seconds: PATIENCE.as_secs() });
            },
            () = established.ended() => {
                return Err(BrokerError::NoAnswer { what: WHAT, seconds: 0 });
            }
        }
    }
}

/// Names of ours are shorter than AMQP's 255 bytes by construction.
fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}
