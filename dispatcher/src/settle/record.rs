//! What the log keeps of an attempt, as the line that goes there. Pure.

use std::borrow::Cow;

use hookline_common::delivery::Delivery;
use hookline_common::ids::EventId;
use hookline_common::record::{HeaderList, RecordLine, UnwritableRecord};
use hookline_common::schedule::{Delay, NextStep};
use hookline_outbound::request::{self, Destination};
use hyper::header::HeaderMap;
use jiff::Timestamp;

use crate::attempt::Report;
use crate::endpoints::PreparedEndpoint;

/// Bytes of response headers that a record keeps, names and values together: a page of them, which is more than servers
/// send that are not out to fill our log.
const RECORDED_HEADER_BYTES: usize = 8 * 1024;

/// The record of one attempt as a line of the log; with the event's data where `keeps_data`. `endpoint` is none where it is
/// gone.
///
/// # Errors
/// Only when the line cannot be serialised, which no record of ours does.
pub fn line(
    delivery: &Delivery,
    endpoint: Option<&PreparedEndpoint>,
    report: &Report,
    next: NextStep,
    keeps_data: bool,
) -> Result<Vec<u8>, UnwritableRecord> {
    let (event, verdict) = (&delivery.event, &report.verdict);
    let id = EventId::new();
    let record = RecordLine {
        id: id.as_str().trim_start_matches("evt_"),
        event: &event.id,
        event_type: &event.event_type,
        company: &event.company,
        endpoint: &delivery.endpoint,
        url: endpoint.map_or("", |endpoint| &endpoint.shown_url),
        origin: delivery.origin.as_str(),
        attempt: delivery.attempt.get(),
        started_at: report.started_at,
        duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        outcome: verdict.outcome,
        status: verdict.status,
        error: verdict.error.as_deref(),
        response: verdict.body.as_deref().map(String::from_utf8_lossy),
        next_attempt_at: match next {
            NextStep::RetryAfter(delay) => due_after(report, delay),
            NextStep::Done | NextStep::Failed => None,
        },
        is_final: !matches!(next, NextStep::RetryAfter(_)),
        trace_id: event.trace.trace_id(),
        request_headers: endpoint
            .map_or_else(HeaderList::default, |endpoint| sent(endpoint, delivery, report)),
        response_headers: received(&verdict.headers),
        created_at: keeps_data.then(|| event.created_at.as_timestamp()),
        data: keeps_data.then(|| event.data.as_str()),
    };
    record.to_bytes()
}

fn due_after(report: &Report, delay: Delay) -> Option<Timestamp> {
    let ended = report.started_at.checked_add(report.duration).ok()?;
    ended.checked_add(delay.as_duration()).ok()
}

fn sent<'a>(endpoint: &'a PreparedEndpoint, delivery: &'a Delivery, report: &Report) -> HeaderList<'a> {
    match &endpoint.destination {
        Destination::Allowed { headers, .. } => {
            request::recorded_headers(headers, delivery, report.started_at.as_second())
        }
        Destination::Refused(_) => HeaderList::default(),
    }
}

/// The response's headers as far as they are worth keeping; several of one name in one line.
fn received(headers: &HeaderMap) -> HeaderList<'_> {
    let mut kept: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(headers.keys_len());
    let mut bytes = 0;
    // All values of one name come one after the other.
    for (name, value) in headers {
        bytes += name.as_str().len() + value.len();
        if bytes > RECORDED_HEADER_BYTES {
            break;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        match kept.last_mut() {
            Some((last, values)) if *last == name.as_str() => {
                let values = values.to_mut();
                values.push_str(", ");
                values.push_str(&value);
            }
            _ => kept.push((name.as_str(), value)),
        }
    }
    HeaderList(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn response_headers_are_kept_up_to_a_page_and_each_name_once() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a"));
        headers.append("server", HeaderValue::from_static("s"));
        headers.append("set-cookie", HeaderValue::from_static("b"));
        let mut kept = received(&headers).0;
        kept.sort();
        assert_eq!(kept, [("server", "s".into()), ("set-cookie", "a, b".into())]);

        let long = HeaderValue::from_str(&"x".repeat(5000)).expect("a value");
        for name in ["x-1", "x-2", "x-3"] {
            headers.append(HeaderName::from_static(name), long.clone());
        }
        let kept = received(&headers).0;
        assert_eq!(kept.iter().filter(|(name, _)| name.starts_with("x-")).count(), 1);
    }
}
