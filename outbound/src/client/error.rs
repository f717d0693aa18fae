//! Why there is no answer: what the attempt ends in, and what its endpoint's owner may read about it.

use std::error::Error as _;
use std::fmt::Display;
use std::io;

use hookline_common::cause::Cause;
use hookline_common::guard::Refusal;
use hookline_common::outcome::Outcome;

use super::Shortage;
use super::interim::TooManyInterim;

/// What may be said about a failure, in characters: a certificate with many names fills pages, in the log as in every record.
const MAX_TEXT: usize = 500;

/// No more of a text than may be said; where something is left out, it ends with a sign of that.
pub(super) fn capped(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
        text.truncate(last);
        text.push('…');
    }
    text
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The attempt has failed.
    #[error("{0}")]
    Failed(#[from] RequestError),
    /// We ran out of something before a byte was sent. No attempt was made: try later.
    #[error("{0}")]
    Shortage(#[from] Shortage),
}

/// Why an attempt has failed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct RequestError {
    /// What the attempt ends in.
    pub outcome: Outcome,
    /// What happened, fit for the endpoint's owner, in 500 characters at most.
    pub text: String,
    /// What the guard refused, fit for the operator only.
    pub refusal: Option<Refusal>,
}

impl RequestError {
    /// With nothing to say besides.
    pub(super) fn plain(cause: Cause) -> Self {
        Self::told(cause, cause.to_string())
    }

    /// With what there is to say besides.
    pub(super) fn new(cause: Cause, detail: impl Display) -> Self {
        Self::told(cause, cause.with(detail))
    }

    fn told(cause: Cause, text: String) -> Self {
        Self {
            outcome: cause.outcome(),
            text: capped(text),
            refusal: None,
        }
    }

    /// A refusal by the guard. Its reason would tell a hostile owner about our network, so the text does not.
    #[must_use]
    pub fn blocked(refusal: Refusal) -> Self {
        Self {
            refusal: Some(refusal),
            ..Self::plain(Cause::NotAllowed)
        }
    }

    /// What went wrong on a connection before a response was there.
    pub(super) fn on_connection(error: &hyper::Error) -> Self {
        // A request that was not begun carries the connection's own error within.
        let mut error = error;
        while let Some(cause) = error.source().and_then(|cause| cause.downcast_ref()) {
            error = cause;
        }
        let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        // With TLS 1.3 a server that refuses us, for want of a certificate perhaps, can say so only after our own
        // side of the handshake is done and the request is on its way.
        let inner = io.and_then(io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::new(Cause::TlsBrokenOff, tls);
        }
        if inner.is_some_and(|inner| inner.is::<TooManyInterim>()) {
            return Self::new(Cause::TooManyInterim, TooManyInterim);
        }
        let cause = if error.is_parse_too_large() {
            Cause::HeadTooLarge
        } else if error.is_parse() {
            Cause::NotHttp
        } else if error.is_incomplete_message() {
            Cause::Closed
        } else {
            Cause::Lost
        };
        io.map_or_else(
            || Self::plain(cause),
            |io| Self::new(cause, format_args!("({})", io.kind())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_500_characters_and_say_so() {
        for (length, said) in [(0, 0), (499, 499), (500, 500), (501, 500), (45_000, 500)] {
            let text = capped("ü".repeat(length));
            assert_eq!(text.chars().count(), said, "{length}");
            assert_eq!(text.ends_with('…'), length > MAX_TEXT, "{length}");
        }
    }
}
