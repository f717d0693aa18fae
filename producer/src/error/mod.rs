//! Why an event is not known to be stored, and whether it may be all the same.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::{BrokerError, BrokerUrl, Discrepancy, PublishFault, Refusal};
use hookline_common::event::Event;
use hookline_common::ids::EventId;

/// Why there is no producer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The broker did not answer, or let us not in.
    #[error(
        "the broker at {broker} cannot be reached{}; {}",
        because(.cause.as_deref()),
        .cause.as_deref().map_or("check that it runs, and HOOKLINE_AMQP_URL", BrokerError::advice)
    )]
    Unreachable {
        /// Where it was looked for, without the password.
        broker: String,
        /// The last failure that was seen.
        cause: Option<Arc<BrokerError>>,
    },
    /// An object stands on the broker with other arguments than ours, which only a person can mend.
    #[error("{0}")]
    Topology(Discrepancy),
}

impl ConnectError {
    pub(crate) fn new(fault: PublishFault, broker: &BrokerUrl) -> Self {
        let cause = match fault {
            PublishFault::Final { error, .. } => Some(error),
            PublishFault::Late { last, .. } => last,
            // Nothing was published yet.
            PublishFault::Unroutable { .. } | PublishFault::Refused { .. } => None,
        };
        match cause.as_deref().and_then(discrepancy) {
            Some(discrepancy) => Self::Topology(discrepancy.clone()),
            None => Self::Unreachable {
                broker: broker.to_string(),
                cause,
            },
        }
    }
}

/// Why an event is not known to be stored. Whatever it was: publish the same [`Event`] again, until it is, and where the
/// broker refuses it, mend what it says before.
/// Its id stays the same, so receivers recognise what reached them twice.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// So many events were waiting for the broker's answer that this one was not sent.
    #[error(
        "event {event} was not sent within {}: all slots were taken by events that wait for the broker's \
         answer; publish the same event again", seconds(.waited)
    )]
    Busy {
        /// The event.
        event: EventId,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The broker was away, or refused it, until the deadline. It is not stored.
    #[error(
        "event {event} was not stored within {}: the broker was away or refused it{}; {}publish the same event \
         again",
        seconds(.waited), because(.cause.as_deref()), advice(.cause.as_deref())
    )]
    NotStored {
        /// The event.
        event: EventId,
        /// How long it was tried.
        waited: Duration,
        /// The last failure that was seen.
        cause: Option<Arc<BrokerError>>,
    },
    /// It was sent, and no answer came until the deadline.
    #[error(
        "event {event} may or may not be stored: the broker did not confirm it within {}{}; {}publish the same \
         event again, receivers recognise a duplicate by its id",
        seconds(.waited), because(.cause.as_deref()), advice(.cause.as_deref())
    )]
    Unconfirmed {
        /// The event.
        event: EventId,
        /// How long it was tried.
        waited: Duration,
        /// The last failure that was seen.
        cause: Option<Arc<BrokerError>>,
    },
    /// The broker answered that no queue takes it: somebody removed the queue or its binding.
    #[error(
        "event {event} was not confirmed: no queue takes events from exchange {exchange:?}; run \
         `hookline topology apply`, then publish the same event again"
    )]
    Unroutable {
        /// The event.
        event: EventId,
        /// Whether it was sent before, without an answer, when a queue was perhaps still bound.
        maybe_stored: bool,
        /// The exchange that led nowhere.
        exchange: String,
    },
    /// The broker refuses this event, and would again until somebody mends what it says: it is larger than the broker takes,
    /// or the account may not publish, for instance.
    #[error(
        "event {event} {} stored: the broker refuses it ({code} {text}); {}, then publish the same event again",
        if *.maybe_stored { "may or may not be" } else { "is not" },
        refusal(*.code, .text).advice()
    )]
    Refused {
        /// The event.
        event: EventId,
        /// Whether an earlier try had no answer, or the broker's answer may have been about another event that was published
        /// beside it.
        maybe_stored: bool,
        /// AMQP's reply code, like 403.
        code: u16,
        /// The broker's own words.
        text: String,
    },
    /// An object stands on the broker with other arguments than ours: nothing more is published until a
    /// person has mended it. The producer finds that out within ten seconds or so, and goes on.
    #[error("event {event} was not confirmed: {cause}")]
    Broken {
        /// The event.
        event: EventId,
        /// Whether it was sent before, without an answer.
        maybe_stored: bool,
        /// What is to be mended.
        cause: Arc<BrokerError>,
    },
}

impl PublishError {
    pub(crate) fn new(fault: PublishFault, event: &Event, waited: Duration) -> Self {
        let event = event.id.clone();
        match fault {
            PublishFault::Unroutable {
                maybe_stored,
                exchange,
                ..
            } => Self::Unroutable {
                event,
                maybe_stored,
                exchange,
            },
            PublishFault::Refused {
                maybe_stored,
                refusal: Refusal { code, text },
            } => Self::Refused {
                event,
                maybe_stored,
                code,
                text,
            },
            PublishFault::Late {
                maybe_stored: true,
                last,
            } => Self::Unconfirmed {
                event,
                waited,
                cause: last,
            },
            PublishFault::Late {
                maybe_stored: false,
                last,
            } => Self::NotStored {
                event,
                waited,
                cause: last,
            },
            PublishFault::Final { maybe_stored, error } => Self::Broken {
                event,
                maybe_stored,
                cause: error,
            },
        }
    }

    /// The event that is to be published again.
    #[must_use]
    pub fn event(&self) -> &EventId {
        match self {
            Self::Busy { event, .. }
            | Self::NotStored { event, .. }
            | Self::Unconfirmed { event, .. }
            | Self::Unroutable { event, .. }
            | Self::Refused { event, .. }
            | Self::Broken { event, .. } => event,
        }
    }

    /// Whether the event may be stored, and delivered, all the same: it was sent, and the broker's answer is
    /// not known.
    #[must_use]
    pub fn may_be_stored(&self) -> bool {
        match self {
            Self::Unconfirmed { .. } => true,
            Self::Unroutable { maybe_stored, .. }
            | Self::Refused { maybe_stored, .. }
            | Self::Broken { maybe_stored, .. } => *maybe_stored,
            Self::Busy { .. } | Self::NotStored { .. } => false,
        }
    }
}

fn discrepancy(error: &BrokerError) -> Option<&Discrepancy> {
    match error {
        BrokerError::Mismatch(discrepancy) => Some(discrepancy),
        BrokerError::Unreachable(error) => discrepancy(error),
        BrokerError::NotConnected(_)
        | BrokerError::Call { .. }
        | BrokerError::NoAnswer { .. }
        | BrokerError::Lost { .. }
        | BrokerError::Alarm { .. }
        | BrokerError::Full { .. }
        | BrokerError::Unconfirmed { .. } => None,
    }
}

fn because(cause: Option<&BrokerError>) -> String {
    cause.map(|error| format!(" ({error})")).unwrap_or_default()
}

/// What can be done about it, before the event is published again.
fn advice(cause: Option<&BrokerError>) -> String {
    cause
        .map(|error| format!("{}; ", error.advice()))
        .unwrap_or_default()
}

fn refusal(code: u16, text: &str) -> Refusal {
    let text = text.to_owned();
    Refusal { code, text }
}

fn seconds(duration: &Duration) -> String {
    format!("{duration:.0?}")
}

#[cfg(test)]
mod tests;
