//! Publishing that is confirmed *and* routed: a message is tried until that is known, or until it is known that it never will
//! be.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::address::Address;
use super::error::BrokerError;
use super::publish_fault::PublishFault;
use super::publish_try::{Tried, try_once};
use super::publisher::Publisher;
use super::refusal::{NOT_FOUND, Refusal};
use super::wire;
use crate::message::Message;

/// Between a publish that failed and the next try: often enough to notice an end of the trouble at once, and seldom enough
/// to be no load.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Between two tries where the account lacks the right to publish: each costs the broker a channel and a line in its log.
const KNOCK_EVERY: Duration = Duration::from_secs(1);
/// How long a missing exchange may take to be made again before that is an error.
const MISSING_FOR: Duration = Duration::from_millis(700);

/// The broker has the message, and a queue holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored;

/// What is known of a message that is being published.
#[derive(Default)]
struct Progress {
    /// Whether a queue that is full ends it.
    ends_when_full: bool,
    /// Whether that has happened.
    is_full: bool,
    maybe_stored: bool,
    last: Option<Arc<BrokerError>>,
    /// Since when what it is published to is missing.
    missing_since: Option<Instant>,
}

impl Progress {
    /// Whether what it is published to was missing a moment ago, and can be there soon.
    fn is_being_made(&self) -> bool {
        self.missing_since
            .is_some_and(|since| since.elapsed() < MISSING_FOR)
    }
}

impl Publisher {
    /// Publishes until the broker has confirmed *and* routed the message, or `deadline` passes.
    ///
    /// A broker that is slow is waited for. What was sent and is lost with its connection is sent again, so the message may
    /// be stored more than once. What the broker refuses is told at once. After a [`PublishFault::Late`] of what may be stored
    /// its destination is sent one message a second until one is stored, so that a queue that hangs is not sent as much again with
    /// each deadline.
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
        let publishing = self.publish_with(to, message, &mut progress);
        let published = match deadline {
            None => Ok(publishing.await),
            Some(deadline) => timeout_at(deadline, publishing).await,
        };
        let published = published.unwrap_or_else(|_| {
            let alarm = self.alarm().map(|reason| Arc::new(BrokerError::Alarm { reason }));
            let last = alarm.or(progress.last).or_else(|| self.link.last_failure());
            let maybe_stored = progress.maybe_stored;
            let unconfirmed = || {
                let destination = to.destination().to_owned();
                Arc::new(BrokerError::Unconfirmed { destination })
            };
            let last = last.or_else(|| self.is_up().then(unconfirmed));
            Err(PublishFault::Late { maybe_stored, last })
        });
        match &published {
            Err(PublishFault::Unroutable { .. }) => self.shared.upkeep.miss(),
            Err(PublishFault::Late {
                maybe_stored: true, ..
            }) => self.shared.in_flight.doubt(to.destination()),
            _ => {}
        }
        published
    }

    /// As [`Publisher::publish`] without a deadline, and ends where the queue refuses the message for now, because it is full or
    /// has no quorum: `None` then.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn publish_unless_full(
        &self,
        to: &Address,
        message: &Message,
    ) -> Result<Option<Stored>, PublishFault> {
        let mut progress = Progress {
            ends_when_full: true,
            ..Progress::default()
        };
        let published = self.publish_with(to, message, &mut progress).await;
        if progress.is_full {
            return Ok(None);
        }
        published.map(Some)
    }

    /// Publishes for as long as it takes. A queue that is gone is declared again, by this publisher if it has a topology. A
    /// right that the account lacks is waited for.
    ///
    /// # Errors
    /// [`PublishFault::Final`], and [`PublishFault::Refused`] for a message that the broker never takes.
    pub async fn publish_until_stored(
        &self,
        to: &Address,
        message: &Message,
    ) -> Result<Stored, PublishFault> {
        let mut knocking = None;
        loop {
            match self.publish(to, message, None).await {
                Err(fault @ PublishFault::Unroutable { .. }) => {
                    self.shared.in_flight.tell_missing(to.destination(), &fault);
                    sleep(RETRY_PAUSE).await;
                }
                // The link was closed under it, with its runtime or by its owner.
                Err(PublishFault::Late { .. }) => sleep(RETRY_PAUSE).await,
                Err(PublishFault::Refused { refusal, .. }) if !refusal.is_of_the_message() => {
                    self.shared.in_flight.tell_refused(to.destination(), &refusal);
                    if knocking.is_some() {
                        sleep(KNOCK_EVERY).await;
                    } else {
                        knocking = Some(self.shared.knocking.turn(to.destination()).await);
                    }
                }
                stored_or_not => return stored_or_not,
            }
        }
    }

    /// The broker refused whatever is published there, whichever message it is: says so each minute, and waits before the next try.
    pub async fn await_the_right(&self, to: &Address, refusal: &Refusal) {
        self.shared.in_flight.tell_refused(to.destination(), refusal);
        sleep(KNOCK_EVERY).await;
    }

    async fn publish_with(
        &self,
        to: &Address,
        message: &Message,
        progress: &mut Progress,
    ) -> Result<Stored, PublishFault> {
        let in_flight = &self.shared.in_flight;
        let (bytes, destination) = (wire::size(message), to.destination());
        // Whether this message may be what the broker refuses; it goes alone then.
        let mut is_suspect = false;
        loop {
            let established = self
                .link
                .up(None)
                .await
                .map_err(|no_link| PublishFault::without_link(no_link, progress.maybe_stored))?;
            // What is handed to the client library now would be sent when the alarm is over, whoever waits for it by then.
            established.without_alarm().await;
            let admitted = in_flight.admit(destination, bytes).await;
            if established.is_gone() || established.alarm().is_some() {
                continue;
            }
            let maybe_stored = std::mem::replace(&mut progress.maybe_stored, true);
            let tried = try_once(&established, to, message, is_suspect).await;
            match tried {
                Tried::Stored => {
                    admitted.stored();
                    return Ok(Stored);
                }
                // An exchange that was missing is there again, and its binding follows.
                Tried::Unroutable if progress.is_being_made() => {
                    admitted.answered();
                    progress.maybe_stored = maybe_stored;
                    self.shared.upkeep.miss();
                }
                Tried::Unroutable => {
                    admitted.answered();
                    return Err(PublishFault::Unroutable {
                        maybe_stored,
                        exchange: to.exchange.clone(),
                        routing_key: to.routing_key.clone(),
                    });
                }
                Tried::Nacked { is_anew } => {
                    if is_anew {
                        admitted.without_channel();
                    }
                    admitted.refused(destination);
                    progress.maybe_stored = maybe_stored;
                    let destination = destination.to_owned();
                    progress.last = Some(Arc::new(BrokerError::Full { destination }));
                    if progress.ends_when_full {
                        progress.is_full = true;
                        let last = progress.last.take();
                        return Err(PublishFault::Late { maybe_stored, last });
                    }
                }
                Tried::Refused(refusal) => {
                    if !is_suspect {
                        admitted.without_channel();
                    }
                    admitted.answered();
                    progress.maybe_stored = maybe_stored;
                    let since = *progress.missing_since.get_or_insert_with(Instant::now);
                    if refusal.code != NOT_FOUND || since.elapsed() >= MISSING_FOR {
                        return Err(PublishFault::Refused {
                            maybe_stored,
                            refusal,
                        });
                    }
                    self.shared.upkeep.miss();
                }
                Tried::Suspected { error, is_unstored } => {
                    admitted.without_channel();
                    admitted.answered();
                    is_suspect = true;
                    progress.maybe_stored = maybe_stored || !is_unstored;
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
