//! A link to the broker that a test may cut: it passes bytes on, as fast as it may, resets connections, or goes silent on
//! them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// What becomes of connections, which are counted from 1.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// All are reset, and new ones too.
    is_down: bool,
    /// Those up to this one stand, and nothing comes through any more: as when a machine on the way forgets them.
    silent_up_to: usize,
}

/// How many bytes a second all connections together may carry to the broker; 0 for any number.
#[derive(Default)]
struct Rate {
    bytes_per_second: AtomicU64,
    free_at: Mutex<Option<Instant>>,
}

impl Rate {
    /// Waits until `bytes` have had the time that they need.
    async fn carry(&self, bytes: usize) {
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
        sleep_until(done_at).await;
    }
}

/// The link.
pub struct Wire {
    address: SocketAddr,
    rate: Arc<Rate>,
    state: watch::Sender<State>,
    accepted: Arc<AtomicUsize>,
    given_up: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// A link to the broker of `amqp_url`.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn to(amqp_url: &str) -> Self {
        let url: url::Url = amqp_url.parse().expect("an AMQP URL");
        let host = url.host_str().expect("a host");
        let target = format!("{host}:{}", url.port().unwrap_or(5672));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = watch::Sender::new(State::default());
        let watched = state.subscribe();
        let accepted = Arc::new(AtomicUsize::new(0));
        let given_up = Arc::new(AtomicUsize::new(0));
        let (counter, gone) = (Arc::clone(&accepted), Arc::clone(&given_up));
        let rate = Arc::new(Rate::default());
        let shared_rate = Arc::clone(&rate);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::spawn(carry(
                    number,
                    near,
                    target.clone(),
                    Arc::clone(&shared_rate),
                    watched.clone(),
                    Arc::clone(&gone),
                ));
            }
        });
        Self {
            address,
            rate,
            state,
            accepted,
            given_up,
            accepting,
        }
    }

    /// The broker's URL through this link.
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

    /// Carries no more than this to the broker, over all connections; what the broker sends passes as it comes.
    pub fn limit(&self, bytes_per_second: u64) {
        self.rate
            .bytes_per_second
            .store(bytes_per_second, Ordering::Relaxed);
    }

    /// Resets every connection, and every new one until [`Wire::restore`].
    pub fn cut(&self) {
        self.state.send_modify(|state| state.is_down = true);
    }

    /// Lets new connections through again.
    pub fn restore(&self) {
        self.state.send_modify(|state| state.is_down = false);
    }

    /// Goes silent on the connections there are, without a word to either side. New ones pass.
    pub fn fall_silent(&self) {
        let silent_up_to = self.accepted();
        self.state.send_modify(|state| state.silent_up_to = silent_up_to);
    }

    /// How many silent connections the broker has given up: only then does it give away again what they held.
    #[must_use]
    pub fn given_up_by_the_broker(&self) -> usize {
        self.given_up.load(Ordering::Relaxed)
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(
    number: usize,
    near: TcpStream,
    target: String,
    rate: Arc<Rate>,
    state: watch::Receiver<State>,
    given_up: Arc<AtomicUsize>,
) {
    let far = if state.borrow().is_down {
        None
    } else {
        TcpStream::connect(target).await.ok()
    };
    let Some(far) = far else {
        return reset(&near);
    };
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    {
        let is_silent = || state.borrow().silent_up_to >= number;
        let there = pump(&mut from_near, &mut to_far, Some(&rate), is_silent, || {});
        let back = pump(&mut from_far, &mut to_near, None, is_silent, || {
            given_up.fetch_add(1, Ordering::Relaxed);
        });
        let mut watched = state.clone();
        tokio::select! {
            () = there => {}
            () = back => {}
            _ = watched.wait_for(|state| state.is_down) => {}
        }
    }
    for (from, to) in [(from_near, to_near), (from_far, to_far)] {
        if let Ok(stream) = from.reunite(to) {
            reset(&stream);
        }
    }
}

/// A connection that is dropped with this set is reset, not ended politely.
fn reset(stream: &TcpStream) {
    drop(stream.set_zero_linger());
}

/// Bytes on a silent connection are read and forgotten, and its end is only told to the test.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    rate: Option<&Rate>,
    is_silent: impl Fn() -> bool,
    ended: impl FnOnce(),
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        if is_silent() {
            if !matches!(read, Ok(1..)) {
                ended();
                return std::future::pending().await;
            }
            continue;
        }
        let Ok(read @ 1..) = read else { return };
        if let Some(rate) = rate {
            rate.carry(read).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
