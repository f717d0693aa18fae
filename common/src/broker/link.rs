//! A connection that comes back: one task connects, prepares, watches, and begins again with jittered backoff.
//!
//! Reconnecting is ours, not the client library's: its automatic recovery was seen to hang for more than a minute
//! after a broker restart, without an event or an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::{Stream, StreamExt as _};
use lapin::{Connection, ErrorKind, Event};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use super::connect::{LinkSettings, close, open};
use super::error::BrokerError;

/// How often a connection that looks healthy is asked whether it still is.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long one message at a time is taken after one that the client library could not read.
const CAREFUL_FOR: Duration = Duration::from_secs(10);
/// A connection that lived this long was no flap: the next loss starts with the shortest pause again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// What a link makes of each new connection before anyone uses it.
pub(super) trait Prepare: Send + Sync + 'static {
    /// What it makes.
    type Ready: Send + Sync + 'static;

    /// Makes it; a final error ends the link.
    fn prepare(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<Self::Ready, BrokerError>> + Send;

    /// Looks after it for as long as the connection lives, and ends with it.
    fn attend(&self, _: &Established<Self::Ready>) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// One life of a connection.
pub(super) struct Established<T> {
    /// Counts the lives; what belonged to an earlier one is void.
    pub(super) generation: u64,
    pub(super) connection: Connection,
    pub(super) ready: T,
    /// Whether the life before ended with bytes that the client library cannot read. It ends the connection for any
    /// property that is not UTF-8, and would again and again with everything that was in flight beside it.
    pub(super) is_careful: bool,
    is_unreadable: AtomicBool,
    gone: watch::Sender<bool>,
}

impl<T> Established<T> {
    /// Says that the connection is of no use any more, so that the link makes a new one.
    pub(super) fn give_up(&self) {
        self.gone.send_replace(true);
    }

    /// As [`Self::give_up`], after an error that may say why.
    pub(super) fn give_up_after(&self, error: &lapin::Error) {
        self.is_unreadable
            .fetch_or(is_unreadable(error), Ordering::AcqRel);
        self.give_up();
    }

    pub(super) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Returns when this life is over.
    pub(super) async fn ended(&self) {
        // The sender is a field of ours, so waiting cannot fail.
        drop(self.gone.subscribe().wait_for(|gone| *gone).await);
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }
}

enum State<T> {
    Down {
        failures: u32,
        last: Option<Arc<BrokerError>>,
    },
    Up(Arc<Established<T>>),
    Final(Arc<BrokerError>),
}

/// Why there is no connection to be had.
#[derive(Debug)]
pub(super) enum NoLink {
    /// The deadline passed; with the last failure, if one was seen.
    Late(Option<Arc<BrokerError>>),
    /// Trying again is of no use.
    Final(Arc<BrokerError>),
}

/// A connection that comes back. Dropping every clone closes it.
pub(super) struct Link<T> {
    state: watch::Receiver<State<T>>,
    stop: Arc<Notify>,
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            stop: Arc::clone(&self.stop),
        }
    }
}

impl<T: Send + Sync + 'static> Link<T> {
    /// Starts to connect, and goes on for as long as somebody holds the link.
    pub(super) fn start(settings: LinkSettings, prepare: impl Prepare<Ready = T>) -> Self {
        let (sender, state) = watch::channel(State::Down {
            failures: 0,
            last: None,
        });
        let stop = Arc::new(Notify::new());
        tokio::spawn(supervise(settings, prepare, sender, Arc::clone(&stop)));
        Self { state, stop }
    }

    /// Closes the connection for good, politely, and returns when that is done: at once where there is none yet.
    pub(super) async fn close(&self) {
        self.stop.notify_one();
        // The supervisor's last act is to drop its end of the state.
        drop(self.state.clone().wait_for(|_| false).await);
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(established) if !established.is_gone())
    }

    pub(super) fn is_blocked(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(established) if established.is_blocked())
    }

    /// The connection, as soon as there is one.
    pub(super) async fn up(&self, deadline: Option<Instant>) -> Result<Arc<Established<T>>, NoLink> {
        self.wait(deadline, u32::MAX).await
    }

    /// The connection, or the failure of the first try: for commands, whose user would rather know at once.
    pub(super) async fn up_at_first_try(&self) -> Result<Arc<Established<T>>, NoLink> {
        self.wait(None, 1).await
    }

    /// Returns when trying again is of no use: with what is to be mended.
    pub(super) async fn broken(&self) -> Arc<BrokerError> {
        let mut state = self.state.clone();
        let mut error = None;
        let is_final = |state: &State<T>| {
            error = if let State::Final(error) = state {
                Some(Arc::clone(error))
            } else {
                None
            };
            error.is_some()
        };
        drop(state.wait_for(is_final).await);
        match error {
            Some(error) => error,
            // The supervisor ended with its runtime; nobody is left to tell.
            None => std::future::pending().await,
        }
    }

    async fn wait(
        &self,
        deadline: Option<Instant>,
        max_failures: u32,
    ) -> Result<Arc<Established<T>>, NoLink> {
        let mut state = self.state.clone();
        let mut decided = None;
        let wait = state.wait_for(|state| {
            decided = match state {
                State::Up(established) if !established.is_gone() => Some(Ok(Arc::clone(established))),
                State::Final(error) => Some(Err(NoLink::Final(Arc::clone(error)))),
                State::Down { failures, last } if *failures >= max_failures => {
                    Some(Err(NoLink::Late(last.clone())))
                }
                State::Up(_) | State::Down { .. } => None,
            };
            decided.is_some()
        });
        // Without an answer the deadline passed, or the supervisor ended with the runtime that carried it.
        let _timed_out = match deadline {
            Some(deadline) => timeout_at(deadline, wait).await.is_err(),
            None => wait.await.is_err(),
        };
        decided.unwrap_or_else(|| Err(NoLink::Late(self.last_failure())))
    }

    /// Why there is no connection, where that is known.
    pub(super) fn last_failure(&self) -> Option<Arc<BrokerError>> {
        match &*self.state.borrow() {
            State::Down { last, .. } => last.clone(),
            State::Final(error) => Some(Arc::clone(error)),
            State::Up(_) => None,
        }
    }
}

async fn supervise<P: Prepare>(
    settings: LinkSettings,
    prepare: P,
    state: watch::Sender<State<P::Ready>>,
    stop: Arc<Notify>,
) {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .with_jitter()
        .without_max_times();
    let mut pause = pauses.build();
    let mut failures = 0;
    let mut generation = 0;
    let mut is_careful = false;
    let mut was_connected = false;
    loop {
        generation += 1;
        // Whoever closes the link does not wait for a broker that is silent.
        let established = tokio::select! {
            established = establish(&settings, &prepare, generation, is_careful) => established,
            () = state.closed() => return,
            () = stop.notified() => return,
        };
        let failure = match established {
            Ok(established) => {
                if std::mem::replace(&mut was_connected, true) {
                    settings.stats.count_reconnect();
                }
                let since = Instant::now();
                if !is_careful {
                    info!(link = settings.name, broker = %settings.url, "connected to the broker");
                }
                let mut events = Box::pin(established.connection.events_listener());
                let established = Arc::new(established);
                state.send_replace(State::Up(Arc::clone(&established)));
                let why = tokio::select! {
                    why = watch_over(&settings.name, &established, &mut events) => Some(why),
                    () = prepare.attend(&established) => None,
                    () = state.closed() => None,
                    () = stop.notified() => None,
                };
                established.give_up();
                let Some(Loss { why, is_unreadable }) = why else {
                    close(&established.connection).await;
                    return;
                };
                state.send_replace(State::Down {
                    failures: 0,
                    last: None,
                });
                failures = 0;
                if since.elapsed() > STABLE_AFTER {
                    pause = pauses.build();
                }
                tokio::spawn(async move { close(&established.connection).await });
                let was_careful = std::mem::replace(&mut is_careful, is_unreadable);
                if was_careful || is_careful {
                    // The broker is well. The message is counted up to its limit and set aside there: the sooner the
                    // better, and without a line for each time.
                    if was_careful != is_careful {
                        warn!(
                            link = settings.name,
                            error = why,
                            one_at_a_time = is_careful,
                            "connecting again"
                        );
                    }
                    continue;
                }
                why
            }
            Err(error) if error.is_final() => {
                state.send_replace(State::Final(Arc::new(error)));
                return;
            }
            Err(error) => {
                failures += 1;
                let text = error.to_string();
                state.send_replace(State::Down {
                    failures,
                    last: Some(Arc::new(error)),
                });
                text
            }
        };
        let retry_in = pause.next().unwrap_or(Duration::from_secs(2));
        let retry_in_ms = retry_in.as_millis() as u64;
        warn!(link = settings.name, broker = %settings.url, error = failure, retry_in_ms, "no connection to the broker");
        tokio::select! {
            () = sleep(retry_in) => {}
            () = state.closed() => return,
            () = stop.notified() => return,
        }
    }
}

async fn establish<P: Prepare>(
    settings: &LinkSettings,
    prepare: &P,
    generation: u64,
    is_careful: bool,
) -> Result<Established<P::Ready>, BrokerError> {
    let connection = open(settings).await?;
    let ready = match prepare.prepare(&connection).await {
        Ok(ready) => ready,
        Err(error) => {
            close(&connection).await;
            return Err(error);
        }
    };
    Ok(Established {
        generation,
        connection,
        ready,
        is_careful,
        is_unreadable: AtomicBool::new(false),
        gone: watch::Sender::new(false),
    })
}

/// What ended a connection's life.
struct Loss {
    why: String,
    is_unreadable: bool,
}

/// Waits for the end of a connection's life and says what ended it.
async fn watch_over<T>(
    name: &str,
    established: &Established<T>,
    events: &mut (impl Stream<Item = Event> + Unpin),
) -> Loss {
    let lost = |why: &str| Loss {
        why: why.to_owned(),
        is_unreadable: false,
    };
    let careful_until = Instant::now() + CAREFUL_FOR;
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                // It closed one channel, whose user learns of it; the connection stands.
                Some(Event::Error(error)) if error.is_amqp_soft_error() => debug!(link = name, %error, "a channel was closed"),
                Some(Event::Error(error)) => {
                    return Loss { why: error.to_string(), is_unreadable: is_unreadable(&error) };
                }
                Some(Event::ConnectionBlocked(reason)) => {
                    warn!(link = name, reason, "the broker takes no messages for now; publishing waits");
                }
                Some(Event::ConnectionUnblocked) => info!(link = name, "the broker takes messages again"),
                Some(_) => {}
                None => return lost("the connection ended"),
            },
            () = established.ended() => {
                let is_unreadable = established.is_unreadable.load(Ordering::Acquire);
                return Loss { is_unreadable, ..lost("the connection was given up") };
            }
            () = sleep_until(careful_until), if established.is_careful => return lost("all is readable again"),
            () = sleep(CHECK_EVERY) => if !established.connection.status().connected() {
                return lost("the connection is closed");
            },
        }
    }
}

fn is_unreadable(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ParsingError(_))
}
