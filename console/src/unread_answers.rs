//! Answers that nobody reads: whoever asks and then reads nothing, or next to nothing, is hung up on, as all that waits to be sent
//! to it takes memory here.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long nothing of an answer may be taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// How long an answer may take in all, from when it first had to wait for its reader: the largest page at a slow telephone's pace.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

/// What a connection is made of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Drops what was written and is not read yet, which the kernel would go on keeping for it.
    fn forget_unsent(&self);
}

impl Stream for TcpStream {
    fn forget_unsent(&self) {
        // Where that fails the connection is closed all the same, and the kernel gives it up later.
        drop(self.set_zero_linger());
    }
}

/// Whether an answer of a connection is not yet handed over whole to whoever writes it. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct InHand(Arc<AtomicBool>);

impl InHand {
    /// The body of an answer, which is in hand for as long as it is there.
    pub(crate) fn body(&self, body: Body) -> Body {
        self.0.store(true, Ordering::Relaxed);
        Body::new(Answer {
            body,
            in_hand: self.clone(),
        })
    }

    fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Answer {
    body: Body,
    in_hand: InHand,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.in_hand.0.store(false, Ordering::Relaxed);
    }
}

/// A connection whose other side has to read.
pub(crate) struct ToBeRead<S: Stream> {
    stream: S,
    in_hand: InHand,
    /// When the answer that is being written first had to wait.
    waits_since: Option<Instant>,
    /// Runs while a write waits.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S: Stream> ToBeRead<S> {
    /// `in_hand` is asked for whether what is written is all of an answer.
    pub(crate) fn new(stream: S, in_hand: InHand) -> Self {
        Self {
            stream,
            in_hand,
            waits_since: None,
            until: None,
        }
    }

    /// What a write came to, or that it waited too long.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        let now = Instant::now();
        let since = *self.waits_since.get_or_insert(now);
        let until = self.until.get_or_insert_with(|| {
            let end = (now + TAKEN_WITHIN).min(since + WRITTEN_WITHIN);
            Box::pin(sleep_until(end))
        });
        ready!(until.as_mut().poll(context));
        self.stream.forget_unsent();
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: Stream> AsyncRead for ToBeRead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Stream> AsyncWrite for ToBeRead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The server flushes when all that it had buffered is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() && !self.in_hand.is_any() {
            self.waits_since = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
