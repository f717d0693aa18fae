//! Interim responses (1xx): hyper reads over them for as long as they come, so they are counted here, and the tap is turned
//! off where there are too many. A receiver that sends nothing else would keep a processor busy until the time is up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

/// Interim responses before the response, at most: servers send one (100 or 102), browsers' ones two or three (103).
const MAX_HEADS: usize = 8;
/// What they may hold together, in bytes: the size of a large page's early hints, many times.
const MAX_BYTES: usize = 32 * 1024;
/// What stands in each head besides its headers: `HTTP/1.1 103 ` and the line breaks.
const STATUS_LINE: usize = 17;

/// The interim responses to the request that a connection carries.
#[derive(Debug, Default)]
pub(super) struct Interim {
    heads: AtomicUsize,
    /// What their headers hold.
    bytes: AtomicUsize,
    /// What was read from the connection, all in all and before the last time.
    read: AtomicUsize,
    read_before: AtomicUsize,
}

/// What a connection's reader is told, instead of more bytes, once there were too many.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("(more than {MAX_HEADS}, or more than 32 KiB of them)")]
pub(super) struct TooManyInterim;

impl Interim {
    /// Counts those to `request` from now on.
    pub(super) fn count_for(self: &Arc<Self>, request: &mut Request<Full<Bytes>>) {
        for count in [&self.heads, &self.bytes, &self.read, &self.read_before] {
            count.store(0, Ordering::Relaxed);
        }
        let this = Arc::clone(self);
        hyper::ext::on_informational(request, move |head| {
            // A name, a colon, a space, a value and a line break.
            let headers = head.headers().iter();
            let bytes: usize = headers
                .map(|(name, value)| name.as_str().len() + value.len() + 4)
                .sum();
            this.add(bytes + STATUS_LINE);
        });
    }

    /// So many bytes were read.
    pub(super) fn has_read(&self, bytes: usize) {
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        self.read_before.store(before, Ordering::Relaxed);
    }

    /// One with headers of `bytes` is over. It ends in what was read last, so that all before that was interim responses too,
    /// lines that are no headers among them.
    fn add(&self, bytes: usize) {
        self.heads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes
            .fetch_max(self.read_before.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether there were no more than may be.
    pub(super) fn check(&self) -> Result<(), TooManyInterim> {
        let is_too_much =
            self.heads.load(Ordering::Relaxed) > MAX_HEADS || self.bytes.load(Ordering::Relaxed) > MAX_BYTES;
        if is_too_much { Err(TooManyInterim) } else { Ok(()) }
    }
}

impl From<TooManyInterim> for io::Error {
    fn from(error: TooManyInterim) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_and_32_kib_are_taken_and_no_more() {
        let interim = Interim::default();
        for _ in 0..MAX_HEADS {
            assert!(interim.check().is_ok());
            interim.add(MAX_BYTES / MAX_HEADS);
        }
        assert!(interim.check().is_ok());
        interim.add(0);
        assert!(interim.check().is_err());

        let interim = Interim::default();
        interim.add(MAX_BYTES + 1);
        assert!(interim.check().is_err());

        // What follows in the same bytes is perhaps the response.
        let interim = Interim::default();
        interim.has_read(2 * MAX_BYTES);
        interim.add(0);
        assert!(interim.check().is_ok());
        interim.has_read(1);
        assert!(interim.check().is_ok());
        interim.add(0);
        assert!(interim.check().is_err());
    }
}
