//! From work to messages.

use jiff::Timestamp;

use super::rejection::Rejection;
use super::sender::Sender;
use super::{JSON, Message, header, keep, limits};
use crate::delivery::{DeadLetterCause, Delivery, PassThrough, Unrouted, Work};
use crate::event::{CreatedAt, Event};
use crate::headers::Headers;

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
            let headers = &mut message.headers;
            // It may have come without `created-at` and with as many headers as an event may have, and must not have one more
            // when a person publishes it again. Of a whole second `timestamp` says all.
            if CreatedAt::from_seconds(event.created_at.as_seconds()) == Some(event.created_at) {
                headers.retain(|name, _| name != header::CREATED_AT);
            }
            write_pass_through(headers, pass_through);
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

/// A message that is not understood, as it goes to the `rejected` queue: as it came, with the reason, and with what its sender
/// set where the broker would act on it under other names. What is beyond the limits is left out, and named in the detail.
#[must_use]
pub fn write_rejected(message: &Message, rejection: &Rejection, now: Timestamp) -> Message {
    let counts = if message.headers.get(header::ENDPOINT).is_none() {
        limits::counts_on_kept_events
    } else {
        limits::counts_on_kept_deliveries
    };
    let (mut rejected, left_out) = keep::kept(message, |_| true, counts);
    let mut detail = rejection.to_string();
    if let Some(left_out) = left_out {
        detail.push_str("; ");
        detail.push_str(&left_out);
    }
    let headers = &mut rejected.headers;
    headers.set_text(header::REJECTED_REASON, rejection.name());
    headers.set_text(header::REJECTED_DETAIL, &detail);
    headers.set_text(header::REJECTED_AT, &time_text(now));
    rejected
}

/// A message as it goes to the quarantine: as it came, but for what the broker wrote on it, and unread, since reading may be
/// what crashes. What only deliveries say means nothing on an event, and stays behind.
///
/// # Errors
/// [`Rejection`] when its headers are beyond the limits.
pub fn write_suspect(message: &Message, is_event: bool) -> Result<Message, Rejection> {
    // Within the limits nothing is left out but what none of ours holds, and what deliveries do not carry along.
    let (suspect, _) = if is_event {
        limits::check(&message.headers, limits::counts_on_events)?;
        let is_meant = |name: &str| header::is_of_events(name) || !header::is_ours(name);
        keep::kept(message, is_meant, limits::counts_on_kept_events)
    } else {
        limits::check(&message.headers, limits::counts_on_deliveries)?;
        keep::kept(message, |_| true, limits::counts_on_deliveries)
    };
    Ok(suspect)
}

/// Writes down on a suspect how often its consumer crashed while it was handled alone.
pub fn set_crashes(suspect: &mut Message, crashes: u32) {
    suspect.headers.set_integer(header::CRASHES, i64::from(crashes));
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
        sender: Sender::default(),
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
    if let Some(crashes) = pass_through.crashes {
        headers.set_integer(header::CRASHES, i64::from(crashes));
    }
}

/// RFC 3339 in UTC with milliseconds.
fn time_text(at: Timestamp) -> String {
    format!("{at:.3}")
}
