//! What an attempt's outcome means to the endpoint's owner, in words, and what to do about it. Pure; the texts are plain and
//! hold nothing that came from outside.

mod words; // a sentence and a next step for each
mod short; // the same in a few words

use std::borrow::Cow;

use self::words::{
    BLOCKED, CONNECT_ERRORS, DELIVERED, DISCARDED, DNS, Known, NO_ANSWER, NO_CONNECTION, NO_HTTP, NO_TLS,
    PROTOCOL_ERRORS, STATUSES, TIMEOUTS, TLS_ERRORS,
};
use crate::outcome::Outcome;

pub use self::short::in_short;
pub use self::words::{ENDPOINT_DISABLED, Explanation};

/// What it means that an attempt ended in `outcome`, with this HTTP status if there was one, and with the record's `error`
/// if it is at hand. Without it, or with one that is not known, the words are more general.
#[must_use]
pub fn explain(outcome: Outcome, status: Option<u16>, error: Option<&str>) -> Explanation {
    let error = error.unwrap_or_default();
    match outcome {
        Outcome::Delivered => DELIVERED,
        Outcome::HttpStatus => of_status(status),
        Outcome::Timeout => of_error(error, &TIMEOUTS, NO_ANSWER),
        Outcome::DnsError => DNS,
        Outcome::ConnectError => of_error(error, &CONNECT_ERRORS, NO_CONNECTION),
        Outcome::TlsError => of_error(error, &TLS_ERRORS, NO_TLS),
        Outcome::ProtocolError => of_error(error, &PROTOCOL_ERRORS, NO_HTTP),
        Outcome::Blocked => BLOCKED,
        Outcome::Discarded => DISCARDED,
    }
}

fn of_error(error: &str, known: &Known, else_: Explanation) -> Explanation {
    let found = known.iter().find(|(part, _)| error.contains(part));
    found.map_or(else_, |(_, explanation)| explanation.clone())
}

fn of_status(status: Option<u16>) -> Explanation {
    let Some(status) = status else {
        return Explanation::of(
            "The endpoint answered with a status that is not 2xx.",
            "Look at the response, and let the handler answer 2xx once the event is stored.",
        );
    };
    if let Some((_, explanation)) = STATUSES.iter().find(|(known, _)| *known == status) {
        return explanation.clone();
    }
    let (what, next_step) = match status {
        300..=399 => (
            "The endpoint answered with a redirect, which is never followed",
            "Give the endpoint the URL that it redirects to, with https and the right slash at its end.",
        ),
        400..=499 => (
            "The endpoint refused the request",
            "Look at the response and the server's log, and let the handler answer 2xx once the event is stored.",
        ),
        502 | 504 => (
            "What stands before the endpoint got no good answer from it",
            "Look whether the server behind the proxy or load balancer runs, and answers in time.",
        ),
        500..=599 => (
            "The endpoint's server failed while it handled the event",
            "Look at the server's log at that time for the error, and mend the handler.",
        ),
        _ => (
            "The endpoint answered with a status that means no success",
            "Let the handler answer 2xx once the event is stored.",
        ),
    };
    Explanation {
        sentence: format!("{what} ({status}).").into(),
        next_step: Cow::Borrowed(next_step),
    }
}

#[cfg(test)]
mod tests;
