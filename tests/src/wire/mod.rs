//! A link to the broker or to a database that a test may cut: it passes bytes on, as fast and as soon as it may, ends or resets
//! connections, goes silent on them, or cuts them in the middle of something.

mod orders; // what a test orders
mod carry; // and what becomes of the bytes

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::carry::carry;
pub use self::orders::Strike;
use self::orders::{CutAt, Link, Orders, Rate};

/// Where all links carry their bytes: a thread of their own, as a test may be at work for longer than a heartbeat is waited for.
static CARRIERS: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("wires")
        .enable_all()
        .build()
        .expect("a thread")
});

/// The link.
pub struct Wire {
    address: SocketAddr,
    link: Arc<Link>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// A link to the broker of `amqp_url`, or to another service whose URL has a port.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn to(amqp_url: &str) -> Self {
        let url: url::Url = amqp_url.parse().expect("an AMQP URL");
        let host = url.host_str().expect("a host");
        let listener = CARRIERS.spawn(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.await.expect("no panic").expect("a port");
        let address = listener.local_addr().expect("an address");
        let link = Arc::new(Link {
            target: format!("{host}:{}", url.port().unwrap_or(5672)),
            orders: watch::Sender::new(Orders::default()),
            rate: Rate::default(),
            answers: Rate::default(),
            accepted: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            cuts: AtomicUsize::new(0),
            standing: Mutex::default(),
        });
        let shared = Arc::clone(&link);
        let accepting = CARRIERS.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(near, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            link,
            accepting,
        }
    }

    /// The service's URL through this link.
    ///
    /// # Panics
    /// When `amqp_url` is no URL.
    #[must_use]
    pub fn url(&self, amqp_url: &str) -> String {
        let mut url: url::Url = amqp_url.parse().expect("an AMQP URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.address.port())).expect("a port");
        url.to_string()
    }

    /// Carries no more than this to the service, over all connections; what it sends passes as it comes.
    pub fn limit(&self, bytes_per_second: u64) {
        self.link.rate.set(bytes_per_second);
    }

    /// Carries no more than this from the service, over all connections.
    pub fn limit_answers(&self, bytes_per_second: u64) {
        self.link.answers.set(bytes_per_second);
    }

    /// Holds each answer of the service for so long.
    pub fn delay(&self, delay: Duration) {
        self.order(|orders| orders.delay = delay);
    }

    /// Resets every connection, and every new one until [`Wire::restore`].
    pub fn cut(&self) {
        self.order(|orders| orders.is_down = true);
    }

    /// Lets everything through again.
    pub fn restore(&self) {
        self.order(|orders| *orders = Orders::default());
    }

    /// Resets each connection when it has carried so many bytes to the service since it was made, until [`Wire::restore`].
    pub fn cut_each_after(&self, bytes: u64) {
        self.order(|orders| orders.cut_after = Some(bytes));
    }

    /// Resets a connection each time that it carries `text` to the service in one piece, until [`Wire::restore`]: before
    /// that reaches the service, or after that and before the answer comes back.
    pub fn cut_at(&self, text: &'static str, passes: bool) {
        self.order(|orders| orders.cut_at = Some(CutAt { text, passes }));
    }

    /// How many connections were cut after their bytes, or at their text.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.link.cuts.load(Ordering::Relaxed)
    }

    /// Does this to the connections that stand, or to those of them whose client has told this name. New ones pass. Returns how
    /// many that were.
    ///
    /// # Panics
    /// When another thread panicked here.
    pub fn strike(&self, strike: Strike, name: Option<&str>) -> usize {
        let standing = self.link.standing.lock().unwrap();
        let meant = standing
            .iter()
            .filter(|connection| name.is_none_or(|name| connection.is_named(name)));
        let mut struck = 0;
        for connection in meant {
            connection.strike.send_replace(Some(strike));
            struck += 1;
        }
        struck
    }

    /// Goes silent on the connections there are, without a word to either side. New ones pass.
    pub fn fall_silent(&self) {
        self.strike(Strike::Silence, None);
    }

    /// How many silent connections the service has given up: only then does a broker give away again what they held.
    #[must_use]
    pub fn given_up_by_the_broker(&self) -> usize {
        self.link.given_up.load(Ordering::Relaxed)
    }

    /// How many connections are silent that one of their sides has not given up: until the client does there is no new one in its
    /// place, and until the broker does it sends messages there.
    ///
    /// # Panics
    /// When another thread panicked here.
    #[must_use]
    pub fn silent(&self) -> usize {
        let standing = self.link.standing.lock().unwrap();
        standing
            .iter()
            .filter(|connection| connection.is_silent())
            .count()
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.link.accepted.load(Ordering::Relaxed)
    }

    fn order(&self, order: impl FnOnce(&mut Orders)) {
        self.link.orders.send_modify(order);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}
