//! One attempt: what was sent, what came back, how long that took, and what it means.

use hookline_common::outcome::Outcome;
use hookline_store::LoggedAttempt;
use maud::{Markup, html};

use super::body::Sent;
use super::cut::seen;
use crate::api::deliveries::recorded_headers;
use crate::api::words::in_words;
use crate::pages::parts::{header_list, id, raw};
use crate::pages::words::{exact, grouped, pretty, visible};

/// Bytes that headers may take in a page, and the body of an answer: a record has a kilobyte of it at most, which takes six
/// times as much where all of it is escaped.
const SHOWN_BYTES: usize = 6 * 1024;
/// Bytes of an answer's body that are recorded.
const RECORDED_BYTES: usize = hookline_common::record::AttemptRecord::RESPONSE_BYTES;

/// All that is known of it.
pub(super) fn inside(attempt: &LoggedAttempt, sent: &Sent) -> Markup {
    let words = in_words(Some(attempt.outcome), attempt.status, attempt.error.as_deref());
    let is_delivered = attempt.outcome == Outcome::Delivered;
    html! {
        p { (words.sentence) @if !is_delivered { " " (words.next_step) } }
        @if let Some(error) = &attempt.error { p.hint { (seen(error, SHOWN_BYTES).text) } }
        div.exchange {
            div.request { h3 { "Request" } (request(attempt, sent)) }
            div.answer { h3 { "Answer" } (answer(attempt)) }
        }
    }
}

fn request(attempt: &LoggedAttempt, sent: &Sent) -> Markup {
    html! {
        @if attempt.url.is_empty() {
            p.hint { "Nothing was sent." }
        } @else {
            p.url { "POST " (seen(&attempt.url, SHOWN_BYTES).text) }
            (headers(&attempt.request_headers))
            p.hint { "Signatures and the values of the endpoint's own headers are not recorded." }
            @if let Some(size) = sent.size() { p { a href="#body" { "Body, " (size) } } }
        }
        p.hint { "Began " (exact(attempt.started_at)) }
        @if let Some(trace) = &attempt.trace_id { p.hint { "Trace " (id(&visible(trace))) } }
    }
}

fn answer(attempt: &LoggedAttempt) -> Markup {
    let body = attempt.response.as_deref().unwrap_or_default();
    html! {
        p.verdict {
            @match attempt.status {
                Some(status) => span { "HTTP " strong { (status) } },
                None => span { "none" },
            }
            span.number { (grouped(attempt.duration_ms)) " ms" }
        }
        (headers(&attempt.response_headers))
        @if !body.is_empty() {
            (raw(&seen_pretty(body), "Body of the answer"))
            @if body.len() >= RECORDED_BYTES { p.hint { "Of the body the first 1,024 bytes are kept." } }
        } @else if attempt.status.is_some() {
            p.hint { "The answer had no body, which is as good as any." }
        }
    }
}

fn seen_pretty(body: &str) -> String {
    // It is visible already, and what is written about a character is not cut in its middle by much.
    seen(&pretty(body), SHOWN_BYTES).text
}

/// Headers as a record has them, as far as a page can bear.
fn headers(json: &str) -> Markup {
    let all = recorded_headers(json);
    let mut room = SHOWN_BYTES;
    let mut shown = Vec::with_capacity(all.len());
    for (name, value) in &all {
        let (name, value) = (seen(name, room / 2), seen(value, room / 2));
        let taken = name.bytes + value.bytes + OF_A_HEADER;
        if taken > room {
            break;
        }
        room -= taken;
        shown.push((name.text, value.text));
    }
    let left_out = all.len() - shown.len();
    html! {
        (header_list(shown.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
        @if left_out > 0 { p.hint { "and " (left_out) " more" } }
    }
}

/// Bytes of markup around a header.
const OF_A_HEADER: usize = 40;
