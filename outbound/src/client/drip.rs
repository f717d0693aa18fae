//! A request that goes out a few bytes at a time, as from a client on a bad line. Certificates are played so; deliveries never.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep, sleep};

/// How a request drips.
#[derive(Debug, Clone, Copy)]
pub struct Drip {
    /// Bytes in each piece, head and body alike; at least 1.
    pub bytes: usize,
    /// From one piece to the next.
    pub pause: Duration,
}

/// When the next piece of a connection may go out.
pub(super) struct Tap {
    drip: Drip,
    next: Pin<Box<Sleep>>,
}

impl Tap {
    pub(super) fn new(drip: Drip) -> Self {
        Self {
            drip,
            next: Box::pin(sleep(Duration::ZERO)),
        }
    }

    /// Writes one piece when it is time for it.
    pub(super) fn poll_write(
        &mut self,
        stream: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.next.as_mut().poll(cx));
        let piece = buf.get(..self.drip.bytes.max(1)).unwrap_or(buf);
        let written = ready!(stream.poll_write(cx, piece));
        self.next.as_mut().reset(Instant::now() + self.drip.pause);
        Poll::Ready(written)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_piece_goes_out_in_each_pause_and_nothing_is_lost() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let pause = Duration::from_millis(50);
        let mut tap = Tap::new(Drip { bytes: 4, pause });
        let (mut left, begun, mut pieces) = (&b"0123456789"[..], Instant::now(), 0);
        while !left.is_empty() {
            let written = poll_fn(|cx| tap.poll_write(Pin::new(&mut near), cx, left)).await;
            left = &left[written.unwrap()..];
            pieces += 1;
        }
        assert_eq!(pieces, 3);
        assert!(begun.elapsed() >= 2 * pause);
        drop(near);
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"0123456789");
    }
}
