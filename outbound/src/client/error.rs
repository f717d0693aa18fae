//! Why there is no answer: what the attempt ends in, and what its endpoint's owner may read about it.

use std::error::Error as _;
use std::fmt::Display;
use std::io;

use hookline_common::cause::Cause;
use hookline_common::guard::Refusal;
use hookline_common::outcome::Outcome;

use super::Shortage;
use super::interim::TooManyInterim;
use super::socket::TooManyTickets;

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
    /// We ran out of something before a whole request was sent. No attempt was made: try later.
    #[error("{0}")]
    Shortage(#[from] Shortage),
}

impl SendError {
    /// What went wrong on a connection before a response was there.
    pub(super) fn on_connection(error: &hyper::Error) -> Self {
        // A request that was not begun carries the connection's own error within.
        let mut error = error;
        while let Some(cause) = error.source().and_then(|cause| cause.downcast_ref()) {
            error = cause;
        }
        let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        let inner = io.and_then(io::Error::get_ref);
        match inner.and_then(|inner| inner.downcast_ref::<Shortage>()) {
            Some(shortage) => Self::Shortage(*shortage),
            None => RequestError::on_connection(error, io).into(),
        }
    }
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

    fn on_connection(error: &hyper::Error, io: Option<&io::Error>) -> Self {
        // With TLS 1.3 a server that refuses us, for want of a certificate perhaps, can say so only after our own
        // side of the handshake is done and the request is on its way.
        let inner = io.and_then(io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::new(Cause::TlsBrokenOff, tls);
        }
        if inner.is_some_and(|inner| inner.is::<TooManyInterim>()) {
            return Self::new(Cause::TooManyInterim, TooManyInterim);
        }
        if inner.is_some_and(|inner| inner.is::<TooManyTickets>()) {
            return Self::new(Cause::TlsBrokenOff, TooManyTickets);
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
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::Request;
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    #[test]
    fn texts_are_cut_at_500_characters_and_say_so() {
        for (length, said) in [(0, 0), (499, 499), (500, 500), (501, 500), (45_000, 500)] {
            let text = capped("ü".repeat(length));
            assert_eq!(text.chars().count(), said, "{length}");
            assert_eq!(text.ends_with('…'), length > MAX_TEXT, "{length}");
        }
    }

    /// A connection that breaks when it is written to, or once it is read after that.
    struct Broken {
        on_write: Option<io::Error>,
        on_read: io::ErrorKind,
        reader: Option<Waker>,
        is_written: bool,
    }

    impl AsyncWrite for Broken {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            if let Some(error) = self.on_write.take() {
                return Poll::Ready(Err(error));
            }
            self.is_written = true;
            self.reader.take().into_iter().for_each(Waker::wake);
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for Broken {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.is_written {
                return Poll::Ready(Err(self.on_read.into()));
            }
            self.reader = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    /// What becomes of a request on such a connection.
    async fn sent(on_write: Option<io::Error>) -> SendError {
        let broken = Broken {
            on_write,
            on_read: io::ErrorKind::ConnectionReset,
            reader: None,
            is_written: false,
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(broken)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("/").body(Full::new(Bytes::from("{}"))).unwrap();
        SendError::on_connection(&sender.send_request(request).await.unwrap_err())
    }

    #[tokio::test]
    async fn what_we_ran_out_of_while_the_request_was_written_is_no_attempt() {
        let error = sent(Some(io::Error::other(Shortage::Buffers))).await;
        assert!(
            matches!(error, SendError::Shortage(Shortage::Buffers)),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn what_breaks_a_connection_otherwise_is_a_failed_attempt() {
        for on_write in [None, Some(io::ErrorKind::BrokenPipe.into())] {
            let error = sent(on_write).await;
            let SendError::Failed(error) = error else {
                panic!("{error:?}")
            };
            assert_eq!(error.outcome, Outcome::ProtocolError, "{}", error.text);
        }
    }
}
