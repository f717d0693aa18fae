//! A delivery's way: the event, each attempt with the time between them, and what comes next or how it ended.

use hookline_common::delivery::Origin;
use hookline_store::{DeliveryDetail, DeliveryStatus, LoggedAttempt};
use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};

use super::attempt::inside;
use super::body::Sent;
use super::upcoming::{Planned, span};
use crate::pages::outcome::attempt_badge;
use crate::pages::words::{count, grouped, time};

/// Attempts that have a line.
const SHOWN: usize = 30;
/// Bytes that all which can be opened may take; older ones have only their line then.
const ROOM: usize = 32 * 1024;
/// Less than this between two attempts is not worth a word.
const GAP_S: i64 = 2;

pub(super) fn timeline(
    found: &DeliveryDetail,
    sent: &Sent,
    next: Option<&Planned>,
    now: Timestamp,
) -> Markup {
    let DeliveryDetail { delivery, attempts } = found;
    let skipped = attempts.len().saturating_sub(SHOWN);
    let shown: Vec<&LoggedAttempt> = attempts.iter().skip(skipped).collect();
    let insides = insides(&shown, sent);
    let kept = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
    let gone = u64::from(delivery.attempts.saturating_sub(kept)) + skipped as u64;
    let begun = sent
        .happened_at
        .map_or(delivery.created_at, |happened| happened.as_timestamp());
    html! {
        ol.timeline {
            li.idle {
                span { @if sent.happened_at.is_some() { "The event happened" } @else { "Recorded first" } " " (time(begun)) }
            }
            @if gone > 0 {
                li.idle { span.hint { (count(gone, "earlier attempt")) " not shown here" } }
            }
            @for (number, (attempt, inside)) in shown.iter().zip(insides).enumerate() {
                @let is_last = number + 1 == shown.len();
                @let before = number.checked_sub(1).and_then(|before| shown.get(before));
                (one(attempt, before.copied(), inside, is_last))
            }
            (end(found, next, now))
        }
    }
}

/// What each can be opened to: the newest first, as far as there is room.
fn insides(shown: &[&LoggedAttempt], sent: &Sent) -> Vec<Option<Markup>> {
    let mut room = ROOM;
    let mut insides: Vec<Option<Markup>> = shown
        .iter()
        .rev()
        .map(|attempt| {
            let inside = inside(attempt, sent).into_string();
            let left = room.checked_sub(inside.len())?;
            room = left;
            Some(PreEscaped(inside))
        })
        .collect();
    insides.reverse();
    insides
}

fn one(
    attempt: &LoggedAttempt,
    before: Option<&LoggedAttempt>,
    inside: Option<Markup>,
    is_open: bool,
) -> Markup {
    let kind = match attempt.outcome {
        hookline_common::outcome::Outcome::Delivered => "good",
        _ => "bad",
    };
    let line = html! {
        strong { @if attempt.origin == "manual" { "Sent again, attempt " } @else { "Attempt " } (attempt.attempt) }
        " " (attempt_badge(attempt))
        " " span.number { (grouped(attempt.duration_ms)) " ms" }
        " " (time(attempt.started_at))
    };
    html! {
        li class=(kind) {
            @if let Some(gap) = before.and_then(|before| gap(before, attempt)) { p.gap { (gap) } }
            @match inside {
                Some(inside) => details id={ "attempt-" (attempt.id) } open[is_open] {
                    summary { (line) }
                    div.inside { (inside) }
                },
                None => p { (line) },
            }
        }
    }
}

/// How long nothing happened.
fn gap(before: &LoggedAttempt, attempt: &LoggedAttempt) -> Option<String> {
    let ended_ms = before.started_at.as_millisecond() + i64::try_from(before.duration_ms).ok()?;
    let seconds = (attempt.started_at.as_millisecond() - ended_ms + 500).div_euclid(1000);
    let waited = u64::try_from(seconds).ok()?;
    (seconds >= GAP_S).then(|| format!("{} later", span(waited)))
}

fn end(found: &DeliveryDetail, next: Option<&Planned>, now: Timestamp) -> Markup {
    html! {
        @match found.delivery.status {
            DeliveryStatus::Retrying => li.warn.next {
                @match next {
                    Some(planned) => span { (planned.sentence(now)) },
                    None => span { "Another attempt is planned." },
                }
            },
            DeliveryStatus::Delivered => li.good { span { "Delivered." } },
            DeliveryStatus::Failed if found.delivery.origin == Origin::Test.as_str() => li.bad { span { "Failed, and not tried again: it was a test event." } },
            DeliveryStatus::Failed if found.delivery.attempts == 0 => li.bad { span { "Failed for good without an attempt." } },
            DeliveryStatus::Failed => li.bad { span { "Failed for good." } },
            DeliveryStatus::Discarded => li.idle { span { "Discarded." } },
        }
    }
}
