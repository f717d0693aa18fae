//! Events and deliveries as messages: strict and total. Any message in; work, or a named reason to reject it, out.
//!
//! Every rule of the message format stands here once, for what comes in and for what goes out.

use bytes::Bytes;
use jiff::Timestamp;

use crate::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin, PassThrough, Unrouted, Work};
use crate::event::{CreatedAt, Data, Event, InvalidData};
use crate::headers::{Headers, WrongType};
use crate::ids::{AttemptNo, CompanyId, EndpointId, EventId, EventType};
use crate::outcome::Outcome;
use crate::trace_context::TraceContext;

/// Properties, headers and body of one message, as the broker carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// MIME type of the body.
    pub content_type: Option<String>,
    /// Encoding of the body (`zstd`), if any.
    pub content_encoding: Option<String>,
    /// The `message_id` property.
    pub message_id: Option<String>,
    /// The `type` property.
    pub message_type: Option<String>,
    /// The `timestamp` property: seconds since the epoch.
    pub timestamp: Option<u64>,
    /// Application headers.
    pub headers: Headers,
    /// The payload; clones share it.
    pub body: Bytes,
}

impl Message {
    /// What it takes in memory and on the wire, in bytes and by and large: the body, and what is said beside it.
    #[must_use]
    pub fn size(&self) -> usize {
        /// Properties and the frames around them.
        const REST: usize = 200;
        REST + self.body.len() + self.headers.size()
    }
}

/// Names of the headers that are ours.
mod header {
    pub(super) const COMPANY: &str = "company";
    pub(super) const CREATED_AT: &str = "created-at";
    pub(super) const TRACEPARENT: &str = "traceparent";
    pub(super) const TRACESTATE: &str = "tracestate";
    pub(super) const ENDPOINT: &str = "endpoint";
    pub(super) const ATTEMPT: &str = "attempt";
    pub(super) const ORIGIN: &str = "origin";
    pub(super) const PARKED: &str = "parked";
    pub(super) const UNKNOWN_SINCE: &str = "unknown-since";
    pub(super) const RETRIED_AT: &str = "retried-at";
    pub(super) const CRASHES: &str = "crashes";
    pub(super) const FAILED_AT: &str = "failed-at";
    pub(super) const LAST_OUTCOME: &str = "last-outcome";
    pub(super) const LAST_STATUS: &str = "last-status";
    pub(super) const REASON: &str = "reason";
    pub(super) const REJECTED_REASON: &str = "rejected-reason";
    pub(super) const REJECTED_DETAIL: &str = "rejected-detail";
    pub(super) const REJECTED_AT: &str = "rejected-at";

    pub(super) const OURS: [&str; 18] = [
        COMPANY,
        CREATED_AT,
        TRACEPARENT,
        TRACESTATE,
        ENDPOINT,
        ATTEMPT,
        ORIGIN,
        PARKED,
        UNKNOWN_SINCE,
        RETRIED_AT,
        CRASHES,
        FAILED_AT,
        LAST_OUTCOME,
        LAST_STATUS,
        REASON,
        REJECTED_REASON,
        REJECTED_DETAIL,
        REJECTED_AT,
    ];
}

const JSON: &str = "application/json";

/// Why a message cannot be understood. The name goes into the `rejected-reason` header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The `content_type` is there and is not JSON.
    #[error("content_type is not application/json")]
    ContentType,
    /// The body is compressed or otherwise encoded.
    #[error("content_encoding is set; the body must be plain JSON")]
    ContentEncoding,
    /// No `message_id`, or not an event id.
    #[error("message_id is missing or not 1 to 64 characters of A-Z a-z 0-9 _ -")]
    MessageId,
    /// No `type`, or not an event type.
    #[error("type is missing or not lower-case words joined by dots, at most 128 characters")]
    Type,
    /// No `timestamp`, or beyond the year 9999.
    #[error("timestamp is missing or not seconds since the epoch before the year 10000")]
    Timestamp,
    /// A `created-at` that is not RFC 3339 in UTC.
    #[error("created-at is not an RFC 3339 time in UTC")]
    CreatedAt,
    /// No `company`, or not a company id.
    #[error("company is missing or not 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Company,
    /// An `endpoint` that is not an endpoint id.
    #[error("endpoint is not 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Endpoint,
    /// No `attempt` beside an `endpoint`, or not an integer from 1 to 1000.
    #[error("attempt is missing or not an integer from 1 to 1000")]
    Attempt,
    /// No `origin` beside an `endpoint`, or not `event`, `test` or `manual`.
    #[error("origin is missing or not event, test or manual")]
    Origin,
    /// A `parked` that is not a count.
    #[error("parked is not an integer from 0 up")]
    Parked,
    /// The body is not an event's data.
    #[error(transparent)]
    Data(#[from] InvalidData),
    /// The consumer crashed so often while it handled this message alone.
    #[error("its consumer crashed {0} times while it handled this message and no other")]
    CrashesConsumer(u32),
}

impl Rejection {
    /// The stable name, for the `rejected-reason` header and for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ContentType => "bad_content_type",
            Self::ContentEncoding => "bad_content_encoding",
            Self::MessageId => "bad_message_id",
            Self::Type => "bad_type",
            Self::Timestamp => "bad_timestamp",
            Self::CreatedAt => "bad_created_at",
            Self::Company => "bad_company",
            Self::Endpoint => "bad_endpoint",
            Self::Attempt => "bad_attempt",
            Self::Origin => "bad_origin",
            Self::Parked => "bad_parked",
            Self::Data(InvalidData::TooLong { .. }) => "data_too_long",
            Self::Data(InvalidData::NotUtf8) => "data_not_utf8",
            Self::Data(InvalidData::ByteOrderMark) => "data_has_bom",
            Self::Data(InvalidData::NotJson(_)) => "data_not_json",
            Self::Data(InvalidData::NotAnObject) => "data_not_an_object",
            Self::CrashesConsumer(_) => "crashes_consumer",
        }
    }
}

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

/// A message as it goes to the quarantine: as it came, but for what the broker wrote on it.
#[must_use]
pub fn write_suspect(message: &Message) -> Message {
    Message {
        headers: message.headers.without(|_| false),
        ..message.clone()
    }
}

/// Why and when a message of the `rejected` queue was rejected, as its headers tell.
#[must_use]
pub fn read_rejection(message: &Message) -> (Option<&str>, Option<Timestamp>) {
    let reason = message.headers.text(header::REJECTED_REASON).ok().flatten();
    (reason, read_time(&message.headers, header::REJECTED_AT))
}

/// An event as producers publish it.
#[must_use]
pub fn write_event(event: &Event) -> Message {
    event_message(event, &Headers::default())
}

/// Work as it is set aside or waits for its turn.
#[must_use]
pub fn write_work(work: &Work) -> Message {
    match work {
        Work::Deliver(delivery) => write_delivery(delivery),
        Work::Route(Unrouted { event, pass_through }) => {
            let mut message = event_message(event, &pass_through.other);
            write_pass_through(&mut message.headers, pass_through);
            message
        }
    }
}

/// A delivery as it waits for the attempt that it names.
#[must_use]
pub fn write_delivery(delivery: &Delivery) -> Message {
    let mut message = event_message(&delivery.event, &delivery.pass_through.other);
    let headers = &mut message.headers;
    headers.set_text(header::ENDPOINT, delivery.endpoint.as_str());
    headers.set_integer(header::ATTEMPT, i64::from(delivery.attempt.get()));
    headers.set_text(header::ORIGIN, delivery.origin.as_str());
    write_pass_through(headers, &delivery.pass_through);
    message
}

/// A delivery as a dead letter. Its attempt is the last one that was made, or the one that was never made.
#[must_use]
pub fn write_failed(delivery: &Delivery, failure: &DeadLetterCause) -> Message {
    let mut message = write_delivery(delivery);
    let headers = &mut message.headers;
    headers.set_text(header::FAILED_AT, &time_text(failure.failed_at));
    headers.set_text(header::REASON, failure.reason.as_str());
    if let Some(outcome) = failure.last_outcome {
        headers.set_text(header::LAST_OUTCOME, outcome.as_str());
    }
    if let Some(status) = failure.last_status {
        headers.set_integer(header::LAST_STATUS, i64::from(status));
    }
    message
}

/// A message that is not understood, as it goes to the `rejected` queue: untouched but for the reason.
#[must_use]
pub fn write_rejected(message: &Message, rejection: &Rejection, now: Timestamp) -> Message {
    let mut rejected = Message {
        headers: message.headers.without(|_| false),
        ..message.clone()
    };
    rejected
        .headers
        .set_text(header::REJECTED_REASON, rejection.name());
    rejected
        .headers
        .set_text(header::REJECTED_DETAIL, &rejection.to_string());
    rejected.headers.set_text(header::REJECTED_AT, &time_text(now));
    rejected
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

fn event_message(event: &Event, other: &Headers) -> Message {
    let mut headers = other.clone();
    headers.set_text(header::COMPANY, event.company.as_str());
    headers.set_text(header::CREATED_AT, &event.created_at.to_millis_text());
    if let Some(parent) = event.trace.traceparent() {
        headers.set_text(header::TRACEPARENT, parent);
    }
    if let Some(state) = event.trace.tracestate() {
        headers.set_text(header::TRACESTATE, state);
    }
    Message {
        content_type: Some(JSON.to_owned()),
        content_encoding: None,
        message_id: Some(event.id.as_str().to_owned()),
        message_type: Some(event.event_type.as_str().to_owned()),
        timestamp: Some(event.created_at.as_seconds()),
        headers,
        body: event.data.as_bytes().clone(),
    }
}

fn write_pass_through(headers: &mut Headers, pass_through: &PassThrough) {
    if pass_through.parked > 0 {
        headers.set_integer(header::PARKED, i64::from(pass_through.parked));
    }
    if let Some(since) = pass_through.unknown_since {
        headers.set_text(header::UNKNOWN_SINCE, &time_text(since));
    }
    if let Some(at) = pass_through.retried_at {
        headers.set_text(header::RETRIED_AT, &time_text(at));
    }
    if pass_through.crashes > 0 {
        headers.set_integer(header::CRASHES, i64::from(pass_through.crashes));
    }
}

/// RFC 3339 in UTC with milliseconds.
fn time_text(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests;
