//! The words for HTTP statuses: those that have a meaning of their own to whoever mends a receiver, and all others by their
//! class.

use std::borrow::Cow;

use super::words::Explanation;

/// Statuses with a meaning of their own to whoever mends a receiver.
const STATUSES: [(u16, Explanation); 12] = [
    (
        400,
        Explanation::of(
            "The endpoint found the request faulty (400).",
            "Look at the response: the handler may expect another format than the endpoint is set to.",
        ),
    ),
    (
        401,
        Explanation::of(
            "The endpoint wants to know who asks (401).",
            "Look whether the secret that it verifies with is the endpoint's own, and whether it verifies the raw body.",
        ),
    ),
    (
        403,
        Explanation::of(
            "The endpoint does not allow the request (403).",
            "Look at its firewall and its check of signatures: a wrong secret, or a bot filter that knows no webhooks.",
        ),
    ),
    (
        404,
        Explanation::of(
            "There is nothing at the URL's path (404).",
            "Mend the path in the endpoint's URL, or deploy the handler there.",
        ),
    ),
    (
        405,
        Explanation::of(
            "The URL's path takes no POST (405).",
            "Let the handler take POST, or mend the path: a slash at its end can make the difference.",
        ),
    ),
    (
        408,
        Explanation::of(
            "The endpoint's server gave up waiting for the request (408).",
            "Look at its load: it accepted the connection and did not read in time.",
        ),
    ),
    (
        410,
        Explanation::of(
            "The endpoint says that it is gone for good (410).",
            "Remove the endpoint, or give it the new URL.",
        ),
    ),
    (
        413,
        Explanation::of(
            "The event is larger than the endpoint takes (413).",
            "Let the server and what stands before it take bodies of 100 KiB.",
        ),
    ),
    (
        415,
        Explanation::of(
            "The endpoint takes no application/json (415).",
            "Let the handler read a JSON body.",
        ),
    ),
    (
        422,
        Explanation::of(
            "The endpoint understood the event, and refused what is in it (422).",
            "Look at the response, and let the handler ignore types and members that it does not know.",
        ),
    ),
    (
        429,
        Explanation::of(
            "The endpoint has too much to do and asked for fewer requests (429).",
            "Set a rate for the endpoint, so that less is sent to it at once, or raise the limit of its server.",
        ),
    ),
    (
        503,
        Explanation::of(
            "The endpoint is not available for now (503).",
            "Look whether it is being deployed or overloaded, and let it answer 2xx once it is back.",
        ),
    ),
];

/// What an answer with this status means.
pub(super) fn of_status(status: Option<u16>) -> Explanation {
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
