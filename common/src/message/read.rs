//! From messages to work. Total: whatever a message holds, it is read or there is a name for why not.

use jiff::Timestamp;

use super::rejection::Rejection;
use super::{JSON, Message, header};
use crate::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin, PassThrough, Unrouted, Work};
use crate::event::{CreatedAt, Data, Event};
use crate::headers::{Headers, WrongType};
use crate::ids::{AttemptNo, CompanyId, EndpointId, EventId, EventType};
use crate::outcome::Outcome;
use crate::trace_context::TraceContext;

/// Reads a message of the `events` queue. Headers that only deliveries have mean nothing there.
///
/// # Errors
/// [`Rejection`] names the part that breaks the format.
pub fn read_event(message: &Message) -> Result<Unrouted, Rejection> {
    let event = Event {
        id: read_plain(message.message_id.as_deref(), EventId::parse).ok_or(Rejection::MessageId)?,
        company: read_header(&message.headers, header::COMPANY, CompanyId::parse)
            .ok_or(Rejection::Company)?,
        event_type: read_plain(message.message_type.as_deref(), EventType::parse).ok_or(Rejection::Type)?,
        created_at: read_created_at(message)?,
        data: read_data(message)?,
        trace: read_trace(&message.headers),
    };
    let other = message.headers.without(|name| header::OURS.contains(&name));
    Ok(Unrouted {
        event,
        pass_through: PassThrough {
            other,
            ..PassThrough::default()
        },
    })
}

/// Reads a message of the `deliveries` or `due` queue: a delivery, or an event that was parked before its
/// endpoints were known.
///
/// # Errors
/// [`Rejection`] names the part that breaks the format.
pub fn read_work(message: &Message) -> Result<Work, Rejection> {
    let headers = &message.headers;
    let Unrouted {
        event,
        pass_through: PassThrough { other, .. },
    } = read_event(message)?;
    let parked = headers
        .integer(header::PARKED)
        .map_err(|WrongType| Rejection::Parked)?;
    let parked = u32::try_from(parked.unwrap_or(0)).map_err(|_| Rejection::Parked)?;
    let pass_through = PassThrough {
        parked,
        unknown_since: read_time(headers, header::UNKNOWN_SINCE),
        retried_at: read_time(headers, header::RETRIED_AT),
        crashes: crashes(message),
        other,
    };
    if headers.text(header::ENDPOINT) == Ok(None) {
        return Ok(Work::Route(Unrouted { event, pass_through }));
    }
    let attempt = headers
        .integer(header::ATTEMPT)
        .ok()
        .flatten()
        .and_then(AttemptNo::new);
    let origin = headers
        .text(header::ORIGIN)
        .ok()
        .flatten()
        .and_then(Origin::parse);
    Ok(Work::Deliver(Delivery {
        event,
        endpoint: read_header(headers, header::ENDPOINT, EndpointId::parse).ok_or(Rejection::Endpoint)?,
        attempt: attempt.ok_or(Rejection::Attempt)?,
        origin: origin.ok_or(Rejection::Origin)?,
        pass_through,
    }))
}

/// Reads a message of the `failed` queue.
///
/// # Errors
/// [`Rejection`] names the part that breaks the format; how it failed is read as far as it can be.
pub fn read_failed(message: &Message) -> Result<(Delivery, Option<DeadLetterCause>), Rejection> {
    let Work::Deliver(delivery) = read_work(message)? else {
        return Err(Rejection::Endpoint);
    };
    let headers = &message.headers;
    let reason = headers
        .text(header::REASON)
        .ok()
        .flatten()
        .and_then(DeadLetterReason::parse);
    let failed_at = read_time(headers, header::FAILED_AT);
    let last_status = headers.integer(header::LAST_STATUS).ok().flatten();
    let failure = failed_at.zip(reason).map(|(failed_at, reason)| DeadLetterCause {
        failed_at,
        reason,
        last_outcome: headers
            .text(header::LAST_OUTCOME)
            .ok()
            .flatten()
            .and_then(Outcome::parse),
        last_status: last_status.and_then(|status| u16::try_from(status).ok()),
    });
    Ok((delivery, failure))
}

/// How often its consumer crashed while the message was handled alone.
#[must_use]
pub fn crashes(message: &Message) -> u32 {
    let counted = message.headers.integer(header::CRASHES).ok().flatten();
    counted.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

/// Why and when a message of the `rejected` queue was rejected, as its headers tell.
#[must_use]
pub fn read_rejection(message: &Message) -> (Option<&str>, Option<Timestamp>) {
    let reason = message.headers.text(header::REJECTED_REASON).ok().flatten();
    (reason, read_time(&message.headers, header::REJECTED_AT))
}

fn read_plain<T, E>(text: Option<&str>, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    text.and_then(|text| parse(text).ok())
}

fn read_header<T, E>(headers: &Headers, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    read_plain(headers.text(name).ok().flatten(), parse)
}

fn read_time(headers: &Headers, name: &str) -> Option<Timestamp> {
    headers
        .text(name)
        .ok()
        .flatten()
        .and_then(|text| text.parse().ok())
}

/// `timestamp` must be there, for readers that know nothing else; `created-at` is the same, more exactly.
fn read_created_at(message: &Message) -> Result<CreatedAt, Rejection> {
    let seconds = message
        .timestamp
        .and_then(CreatedAt::from_seconds)
        .ok_or(Rejection::Timestamp)?;
    match message.headers.text(header::CREATED_AT) {
        Ok(None) => Ok(seconds),
        Ok(Some(text)) => CreatedAt::parse(text).ok_or(Rejection::CreatedAt),
        Err(WrongType) => Err(Rejection::CreatedAt),
    }
}

fn read_data(message: &Message) -> Result<Data, Rejection> {
    if let Some(content_type) = &message.content_type {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(JSON) {
            return Err(Rejection::ContentType);
        }
    }
    if message
        .content_encoding
        .as_deref()
        .is_some_and(|encoding| !matches!(encoding, "" | "utf-8" | "identity"))
    {
        return Err(Rejection::ContentEncoding);
    }
    Ok(Data::new(message.body.clone())?)
}

fn read_trace(headers: &Headers) -> TraceContext {
    let text = |name| headers.text(name).ok().flatten();
    TraceContext::from_headers(text(header::TRACEPARENT), text(header::TRACESTATE))
}
