//! Step 7: what an answer means, or that there was none. Pure.

use std::borrow::Cow;
use std::time::Duration;

use hookline_common::cause::BODY_CUT_OFF;
use hookline_common::outcome::Outcome;
use hookline_common::retry_after;
use hookline_outbound::client::{Answer, RequestError};
use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;

use crate::fairness::Feedback;

/// What one attempt came to.
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// What went wrong, for the endpoint's owner.
    pub error: Option<Cow<'static, str>>,
    /// The first bytes of the response's body, if there was a response.
    pub body: Option<Vec<u8>>,
    /// The response's headers.
    pub headers: HeaderMap,
    /// How long the receiver asked not to be tried again.
    pub not_before: Option<Duration>,
    /// What it shows of how much the endpoint bears.
    pub feedback: Feedback,
}

impl Verdict {
    /// An end without an answer.
    #[must_use]
    pub fn without_answer(outcome: Outcome, error: Option<Cow<'static, str>>) -> Self {
        Self {
            outcome,
            status: None,
            error,
            body: None,
            headers: HeaderMap::new(),
            not_before: None,
            feedback: feedback_without_answer(outcome),
        }
    }
}

/// What an answer comes to. One rule: a 2xx is success, whatever the body does after it.
#[must_use]
pub fn answered(answer: Answer, now: Timestamp) -> Verdict {
    let Answer {
        status,
        headers,
        body,
        body_incomplete,
    } = answer;
    let not_before = not_before(status, &headers, now);
    let (outcome, feedback) = match status {
        status if status.is_success() => (Outcome::Delivered, Feedback::Success),
        status if is_refusal(status) => (
            Outcome::HttpStatus,
            Feedback::Refused {
                retry_after: not_before,
            },
        ),
        _ => (Outcome::HttpStatus, Feedback::Answered),
    };
    Verdict {
        outcome,
        status: Some(status.as_u16()),
        error: body_incomplete.then_some(Cow::Borrowed(BODY_CUT_OFF)),
        body: Some(body),
        headers,
        not_before,
        feedback,
    }
}

/// What it comes to that there is no answer.
#[must_use]
pub fn unanswered(error: RequestError) -> Verdict {
    Verdict::without_answer(error.outcome, Some(Cow::Owned(error.text)))
}

fn feedback_without_answer(outcome: Outcome) -> Feedback {
    match outcome {
        Outcome::Timeout | Outcome::ConnectError | Outcome::TlsError | Outcome::DnsError => {
            Feedback::NoAnswer
        }
        // Something came back, or was cut off by one who is there.
        Outcome::Delivered | Outcome::HttpStatus | Outcome::ProtocolError => Feedback::Answered,
        Outcome::Blocked | Outcome::Discarded => Feedback::NothingAsked,
    }
}

/// Whether an answer says "too much". A gateway that says 502 or 504 means by that what a server does by 503.
fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// `Retry-After` stands in 429 and 503 by their definitions (RFC 6585 §4, RFC 9110 §15.6.4), and is open to others (RFC 9110
/// §10.2.3): it is kept in whatever is a refusal, so that the refused delivery and its endpoint follow one rule.
fn not_before(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if !is_refusal(status) {
        return None;
    }
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(value, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn answer(status: u16, retry_after: Option<&'static str>) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        }
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers,
            body: Vec::new(),
            body_incomplete: false,
        };
        answered(answer, Timestamp::now())
    }

    #[test]
    fn only_a_2xx_is_a_success() {
        for (status, outcome, feedback) in [
            (200, Outcome::Delivered, Feedback::Success),
            (299, Outcome::Delivered, Feedback::Success),
            (302, Outcome::HttpStatus, Feedback::Answered),
            (404, Outcome::HttpStatus, Feedback::Answered),
            (500, Outcome::HttpStatus, Feedback::Answered),
        ] {
            let verdict = answer(status, None);
            assert_eq!(
                (verdict.outcome, verdict.feedback),
                (outcome, feedback),
                "{status}"
            );
        }
    }

    #[test]
    fn signs_of_overload_say_for_how_long_where_the_receiver_does() {
        for status in [429, 502, 503, 504] {
            let bare = Feedback::Refused { retry_after: None };
            assert_eq!(answer(status, None).feedback, bare, "{status}");
            let verdict = answer(status, Some("7"));
            assert_eq!(verdict.not_before, Some(Duration::from_secs(7)));
            let retry_after = verdict.not_before;
            assert_eq!(verdict.feedback, Feedback::Refused { retry_after });
        }
        for status in [200, 301, 408, 425, 500, 505] {
            assert_eq!(answer(status, Some("7")).not_before, None, "{status}");
        }
    }

    #[test]
    fn what_was_never_asked_shows_nothing_of_the_endpoint() {
        for outcome in Outcome::ALL {
            let expected = match outcome {
                Outcome::Blocked | Outcome::Discarded => Feedback::NothingAsked,
                Outcome::Timeout | Outcome::ConnectError | Outcome::TlsError | Outcome::DnsError => {
                    Feedback::NoAnswer
                }
                _ => Feedback::Answered,
            };
            assert_eq!(
                Verdict::without_answer(outcome, None).feedback,
                expected,
                "{outcome}"
            );
        }
    }
}
