//! What a test orders of a link: of all its connections, and of one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// What happens to a connection that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// Both sides are told that it is over, politely (FIN).
    End,
    /// Both sides are told that it is broken (RST).
    Reset,
    /// Nothing comes through any more, and nobody is told: as when a machine on the way forgets it.
    Silence,
    /// What comes from the service is lost, and nobody is told; what goes there arrives.
    Deafness,
}

/// What holds for all connections of a link.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    /// All are reset, and new ones too.
    pub(super) is_down: bool,
    /// Each is reset when it has carried so many bytes to the service: wherever in a frame that is.
    pub(super) cut_after: Option<u64>,
    /// So long is each answer of the service held.
    pub(super) delay: Duration,
    /// A connection is cut where it carries these bytes.
    pub(super) cut_at: Option<CutAt>,
}

/// Bytes at which a connection is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct CutAt {
    /// The bytes.
    pub(super) text: &'static str,
    /// Whether they still reach the service, and only its answer is lost.
    pub(super) passes: bool,
}

/// How many bytes a second all connections together may carry in one direction; 0 for any number.
#[derive(Default)]
pub(super) struct Rate {
    bytes_per_second: std::sync::atomic::AtomicU64,
    free_at: Mutex<Option<Instant>>,
    /// Told when it is another one: what waits by the old one goes on.
    changed: Notify,
}

impl Rate {
    pub(super) fn set(&self, bytes_per_second: u64) {
        self.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
        *self.free_at.lock().unwrap() = None;
        self.changed.notify_waiters();
    }

    /// Waits until `bytes` have had the time that they need.
    pub(super) async fn carry(&self, bytes: usize) {
        let changed = self.changed.notified();
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        if rate == 0 {
            return;
        }
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let done_at = {
            let mut free_at = self.free_at.lock().unwrap();
            let now = Instant::now();
            let done_at = free_at.map_or(now, |free_at| free_at.max(now)) + takes;
            *free_at = Some(done_at);
            done_at
        };
        tokio::select! {
            () = sleep_until(done_at) => {}
            () = changed => {}
        }
    }
}

/// A connection of a link.
pub(super) struct Connection {
    /// The first bytes that came from the client: an AMQP client tells its name there.
    pub(super) head: Mutex<Vec<u8>>,
    /// What was ordered of it.
    pub(super) strike: watch::Sender<Option<Strike>>,
    /// The next answer is where it is cut.
    pub(super) is_cut_at_answer: AtomicBool,
    /// How many of its two sides have given it up while nothing came through.
    pub(super) given_up_by: AtomicUsize,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            head: Mutex::default(),
            strike: watch::Sender::new(None),
            is_cut_at_answer: AtomicBool::new(false),
            given_up_by: AtomicUsize::new(0),
        }
    }

    /// Whether nothing comes through, and a side still reckons with it.
    pub(super) fn is_silent(&self) -> bool {
        *self.strike.borrow() == Some(Strike::Silence) && self.given_up_by.load(Ordering::Relaxed) < 2
    }

    /// Whether its first bytes hold this text.
    pub(super) fn is_named(&self, name: &str) -> bool {
        holds(&self.head.lock().unwrap(), name)
    }
}

/// Whether these bytes hold a text.
pub(super) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A link and its connections.
pub(super) struct Link {
    pub(super) target: String,
    pub(super) orders: watch::Sender<Orders>,
    pub(super) rate: Rate,
    pub(super) answers: Rate,
    /// How many connections were made.
    pub(super) accepted: AtomicUsize,
    /// How many silent ones the service has given up.
    pub(super) given_up: AtomicUsize,
    /// How many were cut after so many bytes, or at a text.
    pub(super) cuts: AtomicUsize,
    /// Those that stand.
    pub(super) standing: Mutex<Vec<std::sync::Arc<Connection>>>,
}
