//! A connection to a receiver, encrypted or not, as one type.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::Shortage;
use super::drip::Tap;
use super::interim::Interim;

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<InTurns>>),
}

impl Stream {
    /// Whether its receiver has sent what no receiver needs to.
    fn check(&self) -> Result<(), TooManyTickets> {
        match self {
            Self::Tls(stream) if stream.get_ref().1.tls13_tickets_received() > MAX_TICKETS => {
                Err(TooManyTickets)
            }
            Self::Plain(_) | Self::Tls(_) => Ok(()),
        }
    }
}

/// Session tickets over the life of a connection, at most: servers send two or four, and each costs as much as a small handshake.
const MAX_TICKETS: u32 = 32;

/// What is read from a connection by TLS before others have their turn: what comes may be no plaintext at all, of which whoever reads
/// through TLS sees nothing.
const AT_ONCE: usize = 64 * 1024;

/// Why a connection by TLS is read no further.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("(more than {MAX_TICKETS} TLS session tickets)")]
pub(super) struct TooManyTickets;

/// What TLS reads from and writes to: after so many bytes, a read waits for its next turn.
pub(super) struct InTurns {
    tcp: TcpStream,
    read: usize,
}

impl InTurns {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, read: 0 }
    }
}

impl AsyncRead for InTurns {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read >= AT_ONCE {
            this.read = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.tcp).poll_read(cx, buf);
        this.read = if polled.is_pending() {
            0
        } else {
            this.read + buf.filled().len() - before
        };
        polled
    }
}

impl AsyncWrite for InTurns {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write_vectored(cx, buffers)
    }
}

/// One that reads no further after too many interim responses or session tickets.
pub(super) struct Socket {
    pub(super) stream: Stream,
    pub(super) interim: Arc<Interim>,
    /// Where it is to write a few bytes at a time.
    pub(super) tap: Option<Tap>,
}

/// Hands a poll on to whichever stream it is.
macro_rules! on_stream {
    ($socket:expr, $method:ident($($argument:expr),*)) => {
        match &mut $socket.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).$method($($argument),*),
        }
    };
}

/// Names what of ours has run out where that is why something cannot be written. The other side has no whole request then. What
/// is read comes after one, and what goes wrong there is an attempt's end, whoever's fault it is.
fn told<T>(written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    written.map_err(|error| match Shortage::once_connected(&error) {
        Some(shortage) => io::Error::other(shortage),
        None => error,
    })
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        socket.interim.check()?;
        let before = buf.filled().len();
        let polled = match &mut socket.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        };
        socket.stream.check().map_err(io::Error::other)?;
        if polled.is_ready() {
            socket.interim.has_read(buf.filled().len() - before);
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        told(match (&mut socket.tap, &mut socket.stream) {
            (None, Stream::Plain(stream)) => Pin::new(stream).poll_write(cx, buf),
            (None, Stream::Tls(stream)) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            (Some(tap), Stream::Plain(stream)) => tap.poll_write(Pin::new(stream), cx, buf),
            (Some(tap), Stream::Tls(stream)) => tap.poll_write(Pin::new(stream.as_mut()), cx, buf),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        told(on_stream!(self, poll_flush(cx)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        // What drips is one piece at a time.
        self.tap.is_none()
            && match &self.stream {
                Stream::Plain(stream) => stream.is_write_vectored(),
                Stream::Tls(stream) => stream.is_write_vectored(),
            }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        told(on_stream!(self, poll_write_vectored(cx, buffers)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_of_ours_has_run_out_is_named_to_whoever_writes() {
        let named = |errno: Errno| {
            let Poll::Ready(Err(error)) = told::<()>(Poll::Ready(Err(errno.into()))) else {
                panic!("an error stays one")
            };
            error.get_ref().and_then(|inner| inner.downcast_ref().copied())
        };
        assert_eq!(named(Errno::NOBUFS), Some(Shortage::Buffers));
        assert_eq!(named(Errno::NOMEM), Some(Shortage::Memory));
        assert_eq!(named(Errno::PIPE), None);
        assert!(matches!(told(Poll::Ready(Ok(7))), Poll::Ready(Ok(7))));
        assert!(told::<()>(Poll::Pending).is_pending());
    }
}
