//! How much the client library has read of a connection that nobody has taken out of it yet.
//!
//! It reads whatever the broker sends, as fast as it comes, and the broker counts messages and knows nothing of bytes: where large ones
//! follow small ones, a thousand of them are in the library's queues before the first of them is looked at. So a connection that
//! consumes is not read on while much is unread; what the broker sends waits in the network then, and with the broker. Bodies count, and
//! headers do not: the longest, of 32 KiB each, are 32 MB in a window of a thousand.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Bytes of bodies that may be unread: more than a thousand messages of ordinary size, and few enough to be no weight.
const MAX_UNREAD: i64 = 4 * 1024 * 1024;
/// What stands in a content header before the length of the body: class and weight.
const BEFORE_BODY_LENGTH: usize = 2 + 2;

/// What is unread of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether whoever takes messages out says so.
    is_bounded: AtomicBool,
    /// Bytes of messages that are there as a whole. Less than nothing where the last one was taken out, which is counted when the next
    /// one begins.
    bytes: AtomicI64,
    reader: AtomicWaker,
}

impl Unread {
    /// From now on each message that comes is taken out by somebody who says so.
    pub(super) fn bound(&self) {
        self.0.is_bounded.store(true, Ordering::Release);
    }

    /// Everything is read from now on, whether anybody takes it out or not.
    pub(super) fn unbound(&self) {
        self.0.is_bounded.store(false, Ordering::Release);
        self.0.reader.wake();
    }

    /// A message with a body of so many bytes was taken out.
    pub(super) fn taken(&self, body: usize) {
        let body = i64::try_from(body).unwrap_or(i64::MAX);
        let before = self.0.bytes.fetch_sub(body, Ordering::AcqRel);
        if before > MAX_UNREAD && before - body <= MAX_UNREAD {
            self.0.reader.wake();
        }
    }

    /// To be asked before each read: whether there may be one. Whoever reads is woken for it.
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        self.0.reader.register(context.waker());
        if self.has_room() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn has_room(&self) -> bool {
        self.0.bytes.load(Ordering::Acquire) <= MAX_UNREAD || !self.0.is_bounded.load(Ordering::Acquire)
    }
}

/// The content headers of one connection, which say how long each body is.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    unread: Unread,
    /// Length of the last body, by its channel. It is there as a whole when the next one begins: only then can it be taken out.
    last: HashMap<u16, i64>,
}

impl Bodies {
    pub(super) fn new(unread: Unread) -> Self {
        Self {
            unread,
            last: HashMap::new(),
        }
    }

    /// The payload of a content header.
    pub(super) fn header(&mut self, channel: u16, payload: &[u8]) {
        if !self.unread.0.is_bounded.load(Ordering::Acquire) {
            return;
        }
        let Some(length) = payload
            .get(BEFORE_BODY_LENGTH..)
            .and_then(|rest| rest.first_chunk())
        else {
            return;
        };
        let length = i64::try_from(u64::from_be_bytes(*length)).unwrap_or(i64::MAX);
        if let Some(whole) = self.last.insert(channel, length) {
            self.unread.0.bytes.fetch_add(whole, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::task::noop_waker_ref;

    use super::*;

    const LARGE: usize = 1024 * 1024;

    fn header(body: usize) -> Vec<u8> {
        let length = u64::try_from(body).unwrap_or_default().to_be_bytes();
        [&[0, 60, 0, 0][..], &length, &[0; 2]].concat()
    }

    fn is_read_on(unread: &Unread) -> bool {
        unread
            .poll_room(&Context::from_waker(noop_waker_ref()))
            .is_ready()
    }

    #[test]
    fn a_connection_is_read_on_when_what_came_is_taken_out() {
        let unread = Unread::default();
        unread.bound();
        let mut bodies = Bodies::new(unread.clone());
        for _ in 0..=5 {
            assert!(is_read_on(&unread));
            bodies.header(1, &header(LARGE));
        }
        assert!(!is_read_on(&unread));
        unread.taken(LARGE);
        assert!(is_read_on(&unread));
    }

    /// It can be taken out only when it is there as a whole.
    #[test]
    fn a_message_larger_than_all_that_may_be_unread_is_read_to_its_end() {
        let unread = Unread::default();
        unread.bound();
        let mut bodies = Bodies::new(unread.clone());
        bodies.header(1, &header(100 * LARGE));
        assert!(is_read_on(&unread));
        bodies.header(2, &header(1));
        assert!(is_read_on(&unread), "it is on another channel");
        unread.taken(100 * LARGE);
        bodies.header(1, &header(1));
        assert!(is_read_on(&unread));
    }

    #[test]
    fn one_from_which_nobody_takes_anything_is_read_in_any_case() {
        let unread = Unread::default();
        let mut bodies = Bodies::new(unread.clone());
        (0..100).for_each(|_| bodies.header(1, &header(LARGE)));
        assert!(is_read_on(&unread));
        unread.bound();
        (0..100).for_each(|_| bodies.header(1, &header(LARGE)));
        assert!(!is_read_on(&unread));
        unread.unbound();
        assert!(is_read_on(&unread));
    }

    #[test]
    fn whoever_waits_to_read_is_woken() {
        let (unread, woken) = (Unread::default(), Arc::new(Woken::default()));
        unread.bound();
        let mut bodies = Bodies::new(unread.clone());
        (0..7).for_each(|_| bodies.header(1, &header(LARGE)));
        let waker = Waker::from(Arc::clone(&woken));
        assert!(unread.poll_room(&Context::from_waker(&waker)).is_pending());
        unread.taken(LARGE);
        assert!(!woken.0.load(Ordering::Acquire), "five are still unread");
        unread.taken(LARGE);
        assert!(woken.0.load(Ordering::Acquire));
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }
}
