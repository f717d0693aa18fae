//! How far a delivery has come and how an attempt ended: a word beside a shape and a colour, and a sentence.

use hookline_common::outcome::Outcome;
use hookline_store::{DeliveryStatus, LoggedAttempt, LoggedDelivery};
use maud::{Markup, html};

use super::parts::badge;
use crate::api::words::in_words;

/// How far a delivery has come.
pub(super) fn status_badge(status: DeliveryStatus) -> Markup {
    let kind = match status {
        DeliveryStatus::Delivered => "good",
        DeliveryStatus::Retrying => "warn",
        DeliveryStatus::Failed => "bad",
        DeliveryStatus::Discarded => "idle",
    };
    badge(kind, status.as_str())
}

/// How an attempt ended.
pub(super) fn attempt_badge(attempt: &LoggedAttempt) -> Markup {
    let kind = match attempt.outcome {
        Outcome::Delivered => "good",
        Outcome::Discarded => "idle",
        _ => "bad",
    };
    badge(kind, &ended(attempt.outcome, attempt.status))
}

/// How a delivery's last attempt ended: a sentence where it failed.
pub(super) fn last_ended(delivery: &LoggedDelivery) -> Markup {
    let LoggedDelivery {
        last_outcome: outcome,
        last_status: status,
        last_error: error,
        ..
    } = delivery;
    html! {
        @match (outcome, status) {
            (Some(Outcome::Delivered), Some(status)) => { "Answered " (status) }
            (Some(Outcome::Delivered), None) => "Answered",
            _ => (in_words(*outcome, *status, error.as_deref()).sentence),
        }
    }
}

/// The same in two or three words.
pub(super) fn ended(outcome: Outcome, status: Option<u16>) -> String {
    match (outcome, status) {
        (Outcome::Delivered | Outcome::HttpStatus, Some(status)) => format!("answered {status}"),
        _ => name(outcome).to_owned(),
    }
}

/// An outcome as a list of them names it.
pub(super) fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::HttpStatus => "answered, not 2xx",
        Outcome::Timeout => "no answer in time",
        Outcome::DnsError => "name not found",
        Outcome::ConnectError => "no connection",
        Outcome::TlsError => "no secure connection",
        Outcome::ProtocolError => "no valid answer",
        Outcome::Blocked => "address not allowed",
        Outcome::Discarded => "endpoint gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_words_of_its_own() {
        let mut names: Vec<&str> = Outcome::ALL.into_iter().map(name).collect();
        assert!(names.iter().all(|name| !name.contains('_')), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Outcome::ALL.len());
        assert_eq!(ended(Outcome::HttpStatus, Some(503)), "answered 503");
        assert_eq!(ended(Outcome::Timeout, None), "no answer in time");
    }
}
