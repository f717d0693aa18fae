//! A connection to the broker whose bytes are judged before the client library has them.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::super::heard::Heard;
use super::frames::Frames;

/// How much room is made at once for the rest of a frame, so that a length that is claimed costs nothing by itself.
const MORE_AT_ONCE: usize = 64 * 1024;
/// A beginning of a frame that is no longer than this is put before what is read next, in the reader's own buffer: one read
/// brings the frame's rest and all that stands behind it. A longer one is completed where it is held, since it would be copied
/// with each of its pieces.
const SHORT_BEGINNING: usize = 4 * 1024;

/// A stream of frames. What is written passes as it is; what is read is mended (see [`Frames`]) in the reader's own buffer,
/// and only a frame that a read has cut is copied, until its rest is there.
#[derive(Debug)]
pub(in crate::broker) struct JudgedStream<S> {
    pub(super) inner: S,
    frames: Frames,
    /// The beginning of a frame that must be whole before it is handed on. No longer than the longest that the broker lets in.
    held: Vec<u8>,
    /// What was held and can be handed on.
    judged: Vec<u8>,
    /// Told of everything that is read.
    heard: Heard,
}

impl<S> JudgedStream<S> {
    pub(super) fn new(inner: S, heard: Heard, max_frame: u32) -> Self {
        Self {
            inner,
            frames: Frames::heard_by(&heard, max_frame),
            held: Vec::new(),
            judged: Vec::new(),
            heard,
        }
    }

    fn hand_on(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.judged.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(self.judged.drain(..count)) {
            *place = byte;
        }
        count
    }

    /// Whether the frame that is held is to be completed where it is.
    fn is_completed_apart(&self, room: usize) -> bool {
        let known = self.held.len();
        known > SHORT_BEGINNING || known > 0 && room < known + Frames::missing(&self.held)
    }
}

impl<S: AsyncRead + Unpin> JudgedStream<S> {
    /// Reads more of the frame that is held, and moves it to what can be handed on once it is whole.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let known = self.held.len();
        let more = Frames::missing(&self.held).min(MORE_AT_ONCE);
        self.held.resize(known + more, 0);
        let room = self.held.get_mut(known..).unwrap_or_default();
        let read = Pin::new(&mut self.inner).poll_read(context, room);
        let count = if let Poll::Ready(Ok(count)) = &read {
            *count
        } else {
            0
        };
        self.held.truncate(known + count);
        if ready!(read)? == 0 {
            // The connection ends within a frame, which is of no use to anybody, nor of any harm.
            mem::swap(&mut self.held, &mut self.judged);
            return Poll::Ready(Ok(()));
        }
        self.heard.note();
        let judged = self.frames.judge(&mut self.held);
        self.judged.extend(self.held.drain(..judged));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for JudgedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.heard.hang_up.before_read(context)?;
        ready!(this.heard.unread.poll_room(context));
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if !this.judged.is_empty() {
                return Poll::Ready(Ok(this.hand_on(buffer)));
            }
            if this.is_completed_apart(buffer.len()) {
                ready!(this.poll_more(context))?;
                continue;
            }
            let Some((beginning, room)) = buffer.split_at_mut_checked(this.held.len()) else {
                continue;
            };
            let count = ready!(Pin::new(&mut this.inner).poll_read(context, room))?;
            beginning.copy_from_slice(&this.held);
            let read = beginning.len() + count;
            this.held.clear();
            if count == 0 {
                // What ends within a frame is of no use to anybody, nor of any harm.
                return Poll::Ready(Ok(read));
            }
            this.heard.note();
            let read = buffer.get_mut(..read).unwrap_or_default();
            let judged = this.frames.judge(read);
            this.held
                .extend_from_slice(read.get(judged..).unwrap_or_default());
            if judged > 0 {
                return Poll::Ready(Ok(judged));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for JudgedStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.heard.hang_up.before_write()?;
        Pin::new(&mut this.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.heard.hang_up.before_write()?;
        Pin::new(&mut this.inner).poll_write_vectored(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(context)
    }
}
