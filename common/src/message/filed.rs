//! A delivery in the parts in which it is kept outside the broker, so that it can be sent again as it was published.

use jiff::Timestamp;

use super::header;
use super::rejection::Rejection;
use crate::delivery::{Delivery, Origin, PassThrough};
use crate::event::{CreatedAt, Data, Event};
use crate::headers::{Headers, UnreadableHeaders};
use crate::ids::{AttemptNo, CompanyId, EndpointId, EventId, EventType};
use crate::trace_context::TraceContext;

/// The parts. What is no part of it (times parked, crashes counted) belongs to the way that ended.
#[derive(Debug, Clone)]
pub struct FiledDelivery {
    /// The event's id.
    pub event: EventId,
    /// The tenant.
    pub company: CompanyId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// When it happened, to the millisecond.
    pub created_at: CreatedAt,
    /// Why the delivery existed.
    pub origin: Origin,
    /// Trace and foreign headers, as [`Self::headers_of`] wrote them; `None` where there are none.
    pub headers: Option<Vec<u8>>,
    /// What the receiver is told.
    pub data: Vec<u8>,
}

/// Why parts make no delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The headers are not ours.
    #[error(transparent)]
    Headers(#[from] UnreadableHeaders),
    /// The data is none that a receiver may be sent.
    #[error(transparent)]
    Message(#[from] Rejection),
}

impl FiledDelivery {
    /// What a delivery carries beside the parts that have a place of their own.
    #[must_use]
    pub fn headers_of(delivery: &Delivery) -> Option<Vec<u8>> {
        let mut headers = delivery.pass_through.other.clone();
        let trace = &delivery.event.trace;
        for (name, text) in [
            (header::TRACEPARENT, trace.traceparent()),
            (header::TRACESTATE, trace.tracestate()),
        ] {
            if let Some(text) = text {
                headers.set_text(name, text);
            }
        }
        (!headers.is_empty()).then(|| headers.to_stored())
    }

    /// The delivery as a person sends it again at this moment: from the first attempt on.
    ///
    /// # Errors
    /// [`Unsendable`] where what is kept is damaged.
    pub fn for_manual_retry(self, now: Timestamp) -> Result<Delivery, Unsendable> {
        let headers = self.headers.as_deref().map(Headers::from_stored).transpose()?;
        let headers = headers.unwrap_or_default();
        let text = |name| headers.text(name).ok().flatten();
        let trace = TraceContext::from_headers(text(header::TRACEPARENT), text(header::TRACESTATE));
        let delivery = Delivery {
            event: Event {
                id: self.event,
                company: self.company,
                event_type: self.event_type,
                created_at: self.created_at,
                data: Data::new(self.data).map_err(Rejection::from)?,
                trace,
            },
            endpoint: self.endpoint,
            attempt: AttemptNo::FIRST,
            origin: self.origin,
            pass_through: PassThrough {
                other: headers.without(header::is_ours),
                ..PassThrough::default()
            },
        };
        Ok(delivery.for_manual_retry(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{DeadLetterCause, DeadLetterReason};
    use crate::headers::HeaderValue;
    use crate::message::{Message, read_dead_letter, write_delivery, write_failed};

    fn dead_letter() -> (Delivery, Message) {
        let mut event = Event::new("acme", "booking.created", "{ \"a\" : 1.0 }").unwrap();
        event.trace = TraceContext::from_headers(
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            Some("a=b"),
        );
        let mut other = Headers::default();
        other.set("ordering-key", HeaderValue::U16(7));
        let delivery = Delivery {
            event,
            endpoint: EndpointId::parse("ep_1").unwrap(),
            attempt: AttemptNo::new(4).unwrap(),
            origin: Origin::Event,
            pass_through: PassThrough {
                parked: 3,
                other,
                ..PassThrough::default()
            },
        };
        let cause = DeadLetterCause {
            failed_at: Timestamp::UNIX_EPOCH,
            reason: DeadLetterReason::RetriesExhausted,
            last_outcome: None,
            last_status: None,
        };
        let message = write_failed(&delivery, &cause);
        (delivery, message)
    }

    #[test]
    fn what_was_kept_is_sent_as_a_manual_retry_of_the_message_itself_would_be() {
        let (_, message) = dead_letter();
        let (delivery, _) = read_dead_letter(&message).unwrap();
        let now = "2030-01-15T14:30:00.250Z".parse().unwrap();
        let event = delivery.event.clone();
        let filed = FiledDelivery {
            event: event.id,
            company: event.company,
            endpoint: delivery.endpoint.clone(),
            event_type: event.event_type,
            created_at: event.created_at,
            origin: delivery.origin,
            headers: FiledDelivery::headers_of(&delivery),
            data: event.data.as_bytes().to_vec(),
        };
        let again = filed.for_manual_retry(now).unwrap();
        assert_eq!(
            write_delivery(&again),
            write_delivery(&delivery.for_manual_retry(now))
        );
    }

    #[test]
    fn a_dead_letter_says_when_it_failed_and_why() {
        for name in [header::FAILED_AT, header::REASON] {
            for wrong in [None, Some("x")] {
                let (_, mut message) = dead_letter();
                message.headers.retain(|there, _| there != name);
                if let Some(wrong) = wrong {
                    message.headers.set_text(name, wrong);
                }
                let refused = read_dead_letter(&message).unwrap_err();
                assert_eq!(refused.name(), "bad_dead_letter");
            }
        }
    }
}
