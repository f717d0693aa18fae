//! A delivery: one event on its way to one endpoint.

use std::fmt;

use jiff::Timestamp;

use crate::event::Event;
use crate::headers::Headers;
use crate::ids::{AttemptNo, EndpointId};
use crate::outcome::Outcome;

/// What a message on a working queue asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// An event whose endpoints are still to be found.
    Route(Unrouted),
    /// One attempt for one endpoint.
    Deliver(Delivery),
}

impl Work {
    /// What happened.
    #[must_use]
    pub fn event(&self) -> &Event {
        match self {
            Self::Route(unrouted) => &unrouted.event,
            Self::Deliver(delivery) => &delivery.event,
        }
    }

    /// What else came with the message.
    pub fn pass_through_mut(&mut self) -> &mut PassThrough {
        match self {
            Self::Route(unrouted) => &mut unrouted.pass_through,
            Self::Deliver(delivery) => &mut delivery.pass_through,
        }
    }
}

/// An event that has not been matched with the endpoints of its company.
#[derive(Debug, Clone, PartialEq)]
pub struct Unrouted {
    /// What happened.
    pub event: Event,
    /// What else came with the message.
    pub pass_through: PassThrough,
}

/// One event to one endpoint, and how far it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// What happened.
    pub event: Event,
    /// Where it goes, within the event's company.
    pub endpoint: EndpointId,
    /// The attempt about to be made.
    pub attempt: AttemptNo,
    /// Why the delivery exists.
    pub origin: Origin,
    /// What else came with the message.
    pub pass_through: PassThrough,
}

impl Delivery {
    /// The first attempt of an event that matched `endpoint`: also where a person sends the event again.
    #[must_use]
    pub fn first(unrouted: Unrouted, endpoint: EndpointId) -> Self {
        Self {
            event: unrouted.event,
            endpoint,
            attempt: AttemptNo::FIRST,
            origin: match unrouted.pass_through.retried_at {
                None => Origin::Event,
                Some(_) => Origin::Manual,
            },
            // Times parked belong to the event's own wait, not to the delivery's. Crashes are those of one message, which this goes
            // on in.
            pass_through: PassThrough {
                other: unrouted.pass_through.other,
                retried_at: unrouted.pass_through.retried_at,
                crashes: unrouted.pass_through.crashes,
                ..PassThrough::default()
            },
        }
    }

    /// The delivery as it waits for its next attempt.
    #[must_use]
    pub fn for_next_attempt(&self) -> Self {
        let pass_through = PassThrough {
            parked: 0,
            unknown_since: None,
            crashes: None,
            ..self.pass_through.clone()
        };
        Self {
            attempt: self.attempt.next(),
            pass_through,
            ..self.clone()
        }
    }

    /// The delivery as a person sends it again: from the first attempt on.
    #[must_use]
    pub fn for_manual_retry(self, now: Timestamp) -> Self {
        let pass_through = PassThrough {
            other: self.pass_through.other,
            retried_at: Some(now),
            ..PassThrough::default()
        };
        Self {
            attempt: AttemptNo::FIRST,
            origin: Origin::Manual,
            pass_through,
            ..self
        }
    }
}

/// Headers that travel with a message beside the event itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PassThrough {
    /// How often the message was set aside.
    pub parked: u32,
    /// Since when the endpoint could not be found, if that is why it was set aside.
    pub unknown_since: Option<Timestamp>,
    /// When a person sent it again. It tells two manual retries of one delivery apart.
    pub retried_at: Option<Timestamp>,
    /// How often its consumer crashed while the message was handled alone; none where it is no suspect.
    pub crashes: Option<u32>,
    /// Headers that are not ours: passed on as they are.
    pub other: Headers,
}

/// Why a delivery exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An event matched an endpoint.
    Event,
    /// Somebody sent a test event: one attempt, whatever the filter and `disabled` say.
    Test,
    /// Somebody retried a dead letter, or sent an event again.
    Manual,
}

impl Origin {
    /// The name in message headers and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Test => "test",
            Self::Manual => "manual",
        }
    }

    /// The origin of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Event, Self::Test, Self::Manual]
            .into_iter()
            .find(|origin| origin.as_str() == name)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a delivery is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterReason {
    /// The last retry of the schedule failed.
    RetriesExhausted,
    /// The endpoint is switched off.
    EndpointDisabled,
}

impl DeadLetterReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::RetriesExhausted, Self::EndpointDisabled];

    /// The name in message headers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetriesExhausted => "retries_exhausted",
            Self::EndpointDisabled => "endpoint_disabled",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// How a delivery became a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterCause {
    /// When it went to the dead-letter queue.
    pub failed_at: Timestamp,
    /// Why.
    pub reason: DeadLetterReason,
    /// How its last attempt ended, if one was made.
    pub last_outcome: Option<Outcome>,
    /// The HTTP status of its last attempt, if there was one.
    pub last_status: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_a_person_sends_again_says_so_at_each_endpoint() {
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        let endpoint = EndpointId::parse("ep_1").unwrap();
        let first = |retried_at| {
            let pass_through = PassThrough {
                parked: 3,
                retried_at,
                ..PassThrough::default()
            };
            let event = event.clone();
            Delivery::first(Unrouted { event, pass_through }, endpoint.clone())
        };
        let published = first(None);
        assert_eq!(
            (published.origin, published.pass_through),
            (Origin::Event, PassThrough::default())
        );
        let at = Some(Timestamp::UNIX_EPOCH);
        let again = first(at);
        assert_eq!(
            (again.origin, again.pass_through.retried_at, again.attempt),
            (Origin::Manual, at, AttemptNo::FIRST)
        );
    }
}
