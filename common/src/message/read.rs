//! From messages to work. Total: whatever a message holds, it is read or there is a name for why not.

use jiff::Timestamp;

use super::found::Found;
use super::rejection::Rejection;
use super::{Message, header, limits, media};
use crate::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin, PassThrough, Unrouted, Work};
use crate::event::{CreatedAt, Data, Event};
use crate::headers::{HeaderValue, Headers};
use crate::ids::{AttemptNo, CompanyId, EndpointId, EventId, EventType};
use crate::outcome::Outcome;
use crate::trace_context::TraceContext;

/// Reads a message of the `events` queue. Headers that only deliveries have mean nothing there; they count like any other.
///
/// # Errors
/// [`Rejection`] names the part that breaks the format.
pub fn read_event(message: &Message) -> Result<Unrouted, Rejection> {
    limits::check(&message.headers, limits::counts_on_events)?;
    let event = event_in(message)?;
    let pass_through = PassThrough {
        other: message.headers.without(header::is_ours),
        ..PassThrough::default()
    };
    Ok(Unrouted { event, pass_through })
}

/// Reads a message of the `deliveries` or `due` queue: a delivery, or an event that was parked before its
/// endpoints were known.
///
/// # Errors
/// [`Rejection`] names the part that breaks the format.
pub fn read_work(message: &Message) -> Result<Work, Rejection> {
    let headers = &message.headers;
    limits::check(headers, limits::counts_on_deliveries)?;
    let event = event_in(message)?;
    let pass_through = PassThrough {
        parked: parked(headers).ok_or_else(|| Rejection::Parked(Found::header(headers, header::PARKED)))?,
        unknown_since: read_time(headers, header::UNKNOWN_SINCE),
        retried_at: read_time(headers, header::RETRIED_AT),
        crashes: crashes(message),
        other: headers.without(header::is_ours),
    };
    // One that says nothing is no missing one: what was meant for one endpoint must not go to all of them.
    if headers.get(header::ENDPOINT).is_none() {
        return Ok(Work::Route(Unrouted { event, pass_through }));
    }
    let endpoint = read_header(headers, header::ENDPOINT, EndpointId::parse);
    let attempt = headers.integer(header::ATTEMPT).ok().flatten();
    let origin = headers.text(header::ORIGIN).ok().flatten();
    Ok(Work::Deliver(Delivery {
        event,
        endpoint: endpoint.ok_or_else(|| Rejection::Endpoint(Found::header(headers, header::ENDPOINT)))?,
        attempt: attempt
            .and_then(AttemptNo::new)
            .ok_or_else(|| Rejection::Attempt(Found::header(headers, header::ATTEMPT)))?,
        origin: origin
            .and_then(Origin::parse)
            .ok_or_else(|| Rejection::Origin(Found::header(headers, header::ORIGIN)))?,
        pass_through,
    }))
}

fn parked(headers: &Headers) -> Option<u32> {
    let parked = headers.integer(header::PARKED).ok()?;
    u32::try_from(parked.unwrap_or(0)).ok()
}

/// Reads a message of the `failed` queue.
///
/// # Errors
/// [`Rejection`] names the part that breaks the format; how it failed is read as far as it can be.
pub fn read_failed(message: &Message) -> Result<(Delivery, Option<DeadLetterCause>), Rejection> {
    let Work::Deliver(delivery) = read_work(message)? else {
        return Err(Rejection::Endpoint(Found::default()));
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

/// Reads a message of the `failed` queue for keeping: one that does not say when it failed, and why, is no dead letter.
///
/// # Errors
/// [`Rejection`] names the part that breaks the format.
pub fn read_dead_letter(message: &Message) -> Result<(Delivery, DeadLetterCause), Rejection> {
    let (delivery, cause) = read_failed(message)?;
    let cause = cause.ok_or_else(|| Rejection::DeadLetter {
        failed_at: Found::header(&message.headers, header::FAILED_AT),
        reason: Found::header(&message.headers, header::REASON),
    })?;
    Ok((delivery, cause))
}

/// Which endpoint a message is for, and which attempt, as far as its headers say so in the way that they must.
#[must_use]
pub fn read_target(message: &Message) -> (Option<&str>, Option<AttemptNo>) {
    let endpoint = message.headers.text(header::ENDPOINT).ok().flatten();
    let attempt = message.headers.integer(header::ATTEMPT).ok().flatten();
    (
        endpoint.filter(|endpoint| EndpointId::parse(endpoint).is_ok()),
        attempt.and_then(AttemptNo::new),
    )
}

/// How often its consumer crashed while the message was handled alone; none where it is no suspect.
#[must_use]
pub fn crashes(message: &Message) -> Option<u32> {
    let counted = message.headers.integer(header::CRASHES).ok().flatten();
    counted.and_then(|count| u32::try_from(count).ok())
}

/// Why and when a message of the `rejected` queue was rejected, as its headers tell.
#[must_use]
pub fn read_rejection(message: &Message) -> (Option<&str>, Option<Timestamp>) {
    let reason = message.headers.text(header::REJECTED_REASON).ok().flatten();
    (reason, read_time(&message.headers, header::REJECTED_AT))
}

/// What makes up the event, in a message of whatever queue.
fn event_in(message: &Message) -> Result<Event, Rejection> {
    let (id, event_type) = (message.message_id.as_deref(), message.message_type.as_deref());
    Ok(Event {
        id: read_plain(id, EventId::parse).ok_or_else(|| Rejection::MessageId(Found::property(id)))?,
        company: read_company(&message.headers)?,
        event_type: read_plain(event_type, EventType::parse).ok_or_else(|| Rejection::Type {
            found: Found::property(event_type),
            suggestion: event_type.and_then(EventType::suggest),
        })?,
        created_at: read_created_at(message)?,
        data: read_data(message)?,
        trace: read_trace(&message.headers),
    })
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

/// Many platforms number their tenants, and clients write a number as an integer.
fn read_company(headers: &Headers) -> Result<CompanyId, Rejection> {
    let text = headers.text_or_integer(header::COMPANY).ok().flatten();
    read_plain(text.as_deref(), CompanyId::parse)
        .ok_or_else(|| Rejection::Company(Found::header(headers, header::COMPANY)))
}

/// `timestamp` must be there, for readers that know nothing else; `created-at` is the same, more exactly. Clients that have
/// a type for times write it as AMQP's, which is no doubtful number like an integer, and those that have nothing to write
/// may write that.
fn read_created_at(message: &Message) -> Result<CreatedAt, Rejection> {
    let seconds = message.timestamp.and_then(CreatedAt::from_seconds);
    let seconds = seconds.ok_or_else(|| Rejection::Timestamp(found_time(message.timestamp)))?;
    let headers = &message.headers;
    match headers.get(header::CREATED_AT) {
        None | Some(HeaderValue::Void) => Ok(seconds),
        Some(HeaderValue::Timestamp(number)) => {
            CreatedAt::from_seconds(*number).ok_or_else(|| Rejection::CreatedAt(found_time(Some(*number))))
        }
        Some(_) => {
            let text = headers.text(header::CREATED_AT).ok().flatten();
            text.and_then(CreatedAt::parse)
                .ok_or_else(|| Rejection::CreatedAt(Found::header(headers, header::CREATED_AT)))
        }
    }
}

/// A number that is no time in seconds.
fn found_time(number: Option<u64>) -> Found {
    match number {
        None => Found::default(),
        Some(number) => Found::said(match CreatedAt::likely_unit(number) {
            Some(unit) => format!("{number}, which looks like {unit}"),
            None => number.to_string(),
        }),
    }
}

fn read_data(message: &Message) -> Result<Data, Rejection> {
    let content_type = message.content_type.as_deref();
    if !content_type.is_none_or(media::is_json) {
        return Err(Rejection::ContentType(Found::property(content_type)));
    }
    let encoding = message.content_encoding.as_deref();
    if !encoding.is_none_or(media::is_plain) {
        return Err(Rejection::ContentEncoding(Found::property(encoding)));
    }
    Ok(Data::new(message.body.clone())?)
}

fn read_trace(headers: &Headers) -> TraceContext {
    let text = |name| headers.text(name).ok().flatten();
    TraceContext::from_headers(text(header::TRACEPARENT), text(header::TRACESTATE))
}
