//! Keeps a connection up: connects, prepares, watches, and begins again with jittered backoff. What happens is told in the
//! log, with its cause.
//!
//! Reconnecting is ours, not the client library's: its automatic recovery was seen to hang for more than a minute
//! after a broker restart, without an event or an error.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::connect::{LinkSettings, any_turn, open_from};
use super::error::BrokerError;
use super::established::{Established, Prepare};
use super::loss::{Loss, SILENT};
use super::watch_over::watch_over;

/// A connection that lived this long was no flap: the next loss starts with the shortest pause again.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Between two tries: the first after the shortest, so that a blink is not noticed, and later ones after so long that
/// thousands of clients do not keep a broker from starting.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How soon it is looked again whether somebody has mended what trying again does not.
const MENDED_AFTER: Duration = Duration::from_secs(10);

/// How it stands with a link.
pub(super) enum State<T> {
    /// There is no connection.
    Down {
        /// Tries in a row that failed.
        failures: u32,
        /// Why the last one did.
        last: Option<Arc<BrokerError>>,
    },
    /// There is one.
    Up(Arc<Established<T>>),
    /// There is none, and there will be none until a person has mended something.
    Final(Arc<BrokerError>),
}

/// Keeps `state` true until `stop`, or until nobody looks at it any more.
pub(super) async fn supervise<P: Prepare>(
    settings: LinkSettings,
    prepare: P,
    state: watch::Sender<State<P::Ready>>,
    stop: Arc<Notify>,
) {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times();
    let mut pause = pauses.build();
    let mut failures = 0;
    let mut is_careful = false;
    let mut was_connected = false;
    let mut teller = Teller::new(&settings);
    // Each connect begins with another node, the first with any.
    let mut turn = any_turn();
    for generation in 1.. {
        turn = turn.wrapping_add(1);
        // Whoever closes the link does not wait for a broker that is silent.
        let made = tokio::select! {
            made = establish(&settings, &prepare, generation, is_careful, turn) => made,
            () = state.closed() => return,
            () = stop.notified() => return,
        };
        let (established, node) = match made {
            Ok(made) => made,
            Err(error) if error.is_final() => {
                // Who has nothing else to do ends with that. A booking service does not.
                state.send_replace(State::Final(Arc::new(error)));
                tokio::select! {
                    () = sleep(MENDED_AFTER) => continue,
                    () = state.closed() => return,
                    () = stop.notified() => return,
                }
            }
            Err(error) => {
                failures += 1;
                let retry_in = pause.next().unwrap_or(LONGEST_PAUSE);
                teller.not_connected(&error, retry_in);
                let last = Some(Arc::new(error));
                state.send_replace(State::Down { failures, last });
                tokio::select! {
                    () = sleep(retry_in) => continue,
                    () = state.closed() => return,
                    () = stop.notified() => return,
                }
            }
        };
        let is_first = !std::mem::replace(&mut was_connected, true);
        if !is_first {
            settings.stats.count_reconnect();
        }
        let since = Instant::now();
        if is_first {
            let (link, broker) = (&settings.name, &settings.url);
            info!(link, %broker, node, "connected to the broker");
        } else if !is_careful {
            teller.connected_again(&node);
        }
        // From before anyone uses it, so that nothing that the broker says is missed.
        let events = established.connection.events_listener();
        let established = Arc::new(established);
        state.send_replace(State::Up(Arc::clone(&established)));
        let loss = tokio::select! {
            loss = watch_over(&settings.name, &established, events) => Some(loss),
            () = prepare.attend(&established) => None,
            () = state.closed() => None,
            () = stop.notified() => None,
        };
        let Some(Loss { why, is_unreadable }) = loss else {
            established.give_up("it is closed");
            established.close().await;
            return;
        };
        established.give_up(why.as_str());
        failures = 0;
        state.send_replace(State::Down { failures, last: None });
        if since.elapsed() > STABLE_AFTER {
            pause = pauses.build();
        }
        tokio::spawn(async move { established.close().await });
        let was_careful = std::mem::replace(&mut is_careful, is_unreadable);
        if was_careful || is_careful {
            // The broker is well. The message is counted up to its limit and set aside there: the sooner the better, and
            // without a line for each time.
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
        let retry_in = pause.next().unwrap_or(LONGEST_PAUSE);
        teller.lost(why, &node, retry_in);
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
    turn: usize,
) -> Result<(Established<P::Ready>, String), BrokerError> {
    let opened = open_from(settings, turn).await?;
    let heartbeat = Duration::from_secs(opened.connection.configuration().heartbeat().into());
    let prepared = tokio::select! {
        prepared = prepare.prepare(&opened) => prepared,
        () = opened.heard.falls_silent(heartbeat) => Err(BrokerError::Lost {
            what: "preparing a connection",
            why: SILENT.to_owned(),
        }),
    };
    match prepared {
        Ok(ready) => {
            let (connection, heard, node) = opened.into_parts();
            let established = Established::new(generation, connection, heard, ready, is_careful);
            Ok((established, node))
        }
        Err(error) => {
            opened.close().await;
            Err(error)
        }
    }
}

/// Writes a link's lines in the log: at most one a second, together with those of other links. The cause of a loss is told
/// in the next line of the same link where it found no room in its own.
struct Teller<'a> {
    settings: &'a LinkSettings,
    untold: Option<String>,
}

impl<'a> Teller<'a> {
    fn new(settings: &'a LinkSettings) -> Self {
        let untold = None;
        Self { settings, untold }
    }

    /// How many lines were left out, and what was not told yet, if a line may be written now.
    fn turn(&mut self) -> Option<(Option<u64>, Option<String>)> {
        let left_out = self.settings.stats.lines.may_tell(Instant::now())?;
        Some(((left_out > 0).then_some(left_out), self.untold.take()))
    }

    fn connected_again(&mut self, node: &str) {
        let Some((left_out, untold)) = self.turn() else {
            return;
        };
        let link = &self.settings.name;
        match untold {
            Some(why) => warn!(
                link,
                node,
                error = why,
                left_out,
                "the connection to the broker was lost, and is there again"
            ),
            None => info!(link, node, left_out, "connected to the broker again"),
        }
    }

    fn not_connected(&mut self, error: &BrokerError, retry_in: Duration) {
        let Some((left_out, untold)) = self.turn() else {
            return;
        };
        let (link, broker, lost_before) = (&self.settings.name, &self.settings.url, untold.as_deref());
        let (advice, retry_in_ms) = (error.advice(), retry_in.as_millis() as u64);
        warn!(link, %broker, %error, advice, retry_in_ms, lost_before, left_out, "no connection to the broker");
    }

    fn lost(&mut self, why: String, node: &str, retry_in: Duration) {
        let Some((left_out, untold)) = self.turn() else {
            self.untold = Some(why);
            return;
        };
        let (link, lost_before) = (&self.settings.name, untold.as_deref());
        let retry_in_ms = retry_in.as_millis() as u64;
        warn!(
            link,
            node,
            error = why,
            retry_in_ms,
            lost_before,
            left_out,
            "the connection to the broker is lost"
        );
    }
}
