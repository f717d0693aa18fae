//! What can go wrong between us and the broker.

use std::error::Error;
use std::sync::Arc;

use super::connect_fault::ConnectFailure;
use super::discrepancy::Discrepancy;
use super::loss::Loss;
use super::refusal::Refusal;
pub(super) use super::refusal::{ACCESS_REFUSED, NOT_FOUND, PRECONDITION_FAILED, RESOURCE_LOCKED};

/// A failure at the broker. [`BrokerError::is_final`] tells the one kind that trying again does not mend.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No connection could be made.
    #[error("{0}")]
    NotConnected(ConnectFailure),
    /// A call failed; the connection or the channel may be gone.
    #[error("{what} failed: {source}")]
    Call {
        /// What was being done.
        what: &'static str,
        /// The broker's own words, or the client library's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker did not answer in time.
    #[error("{what}: no answer from the broker within {seconds} s")]
    NoAnswer {
        /// What was being done.
        what: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The connection went while something was under way on it.
    #[error("{what}: the connection to the broker was lost ({why})")]
    Lost {
        /// What was being done.
        what: &'static str,
        /// Why it went.
        why: String,
    },
    /// The broker has an alarm and takes no messages.
    #[error("the broker takes no messages for now, its alarm says: {reason}")]
    Alarm {
        /// The broker's own words, like `low on memory`.
        reason: String,
    },
    /// A queue would not store a message.
    #[error("{destination:?} refuses it for now: the queue is full, or has no quorum")]
    Full {
        /// The queue, or the exchange that leads to it.
        destination: String,
    },
    /// The connection stands, and nothing that is published there is answered.
    #[error("{destination:?} confirms nothing: a queue there stands still, or has no quorum")]
    Unconfirmed {
        /// The queue, or the exchange that leads to it.
        destination: String,
    },
    /// There is no connection, and this is why.
    #[error("no connection to the broker: {0}")]
    Unreachable(Arc<BrokerError>),
    /// An object stands on the broker with other arguments than ours.
    #[error("{0}")]
    Mismatch(Discrepancy),
}

impl BrokerError {
    pub(super) fn call(what: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |error| Self::Call {
            what,
            source: match Refusal::of(&error) {
                Some(refusal) => Box::new(refusal),
                None => Loss::of(&error).why.into(),
            },
        }
    }

    /// Whether only a person can mend it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Mismatch(_) => true,
            Self::Unreachable(error) => error.is_final(),
            Self::NotConnected(_)
            | Self::Call { .. }
            | Self::NoAnswer { .. }
            | Self::Lost { .. }
            | Self::Alarm { .. }
            | Self::Full { .. }
            | Self::Unconfirmed { .. } => false,
        }
    }

    /// Whether the exchange or queue that was asked for is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.reply_code() == Some(NOT_FOUND) && !self.is_out_of_reach()
    }

    /// Whether the queue that was asked for is there, on a node that is not.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.refusal().is_some_and(Refusal::is_out_of_reach)
    }

    /// What a person can do about it, as the end of a sentence.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotConnected(failure) => failure.advice(),
            Self::Call { .. } => match self.refusal() {
                Some(refusal) => refusal.advice(),
                None => "check that the broker runs, and what its log says",
            },
            Self::NoAnswer { .. } => {
                "it let us in and then said nothing: it may be overloaded, or most of its cluster is away; see rabbitmqctl \
                 cluster_status"
            }
            Self::Lost { .. } => "it is connected to again by itself; the broker's log tells more",
            Self::Alarm { .. } => {
                "free memory or disk on the broker, or raise its limit; rabbitmq-diagnostics alarms shows what it lacks"
            }
            Self::Full { .. } => {
                "see its length and its limits (rabbitmqctl list_queues name messages policy), and whether most nodes of its \
                 cluster run (rabbitmqctl cluster_status)"
            }
            Self::Unconfirmed { .. } => {
                "most nodes of its cluster may be away: rabbitmqctl cluster_status tells, and the queue goes on when they are back"
            }
            Self::Unreachable(error) => error.advice(),
            Self::Mismatch(_) => "mend what differs, then try again",
        }
    }

    /// The broker's own words for its refusal, if it answered with some.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Call { source, .. } => source.downcast_ref(),
            Self::Unreachable(error) => error.refusal(),
            _ => None,
        }
    }

    /// The broker's own code for its refusal, if it answered with one.
    pub(super) fn reply_code(&self) -> Option<u16> {
        match self {
            Self::Call { .. } => self.refusal().map(|refusal| refusal.code),
            _ => None,
        }
    }
}
