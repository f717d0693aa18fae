//! Why there is no answer: what the attempt ends in, and what its endpoint's owner may read about it.

use std::error::Error as _;
use std::io;

use hookline_common::guard::Refusal;
use hookline_common::outcome::Outcome;

use super::Shortage;

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
    /// What happened, fit for the endpoint's owner.
    pub text: String,
    /// What the guard refused, fit for the operator only.
    pub refusal: Option<Refusal>,
}

impl RequestError {
    pub(super) fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self {
            outcome,
            text: text.into(),
            refusal: None,
        }
    }

    /// A refusal by the guard. Its reason would tell a hostile owner about our network, so the text does not.
    #[must_use]
    pub fn blocked(refusal: Refusal) -> Self {
        let text = "the URL or its address is not allowed".to_owned();
        Self {
            outcome: Outcome::Blocked,
            text,
            refusal: Some(refusal),
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
            return Self::new(Outcome::TlsError, format!("TLS failed before a response: {tls}"));
        }
        let what = if error.is_parse_too_large() {
            "the response's head is too large"
        } else if error.is_parse() {
            "the response is not HTTP/1.1"
        } else if error.is_incomplete_message() {
            "the connection was closed before a response"
        } else {
            "the connection was lost before a response"
        };
        let text = io.map_or_else(|| what.to_owned(), |io| format!("{what}: {}", io.kind()));
        Self::new(Outcome::ProtocolError, text)
    }
}
