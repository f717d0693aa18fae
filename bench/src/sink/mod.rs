//! The receiver: a process that answers as its paths say, and keeps books of what came.

mod behaviour; // what a path asks for
mod ledger; // what came, and whether it should have
mod pace; // what an answer depends on beside its request
mod request; // what is read of a request
mod serve; // sockets
mod tls; // a certificate of its own
mod traffic; // connections, and requests in hand

use std::net::TcpListener as StdListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) use self::behaviour::Behaviour;
use self::ledger::Ledger;
pub(crate) use self::ledger::{Arrived, Summary};
use self::pace::Pace;
pub(crate) use self::traffic::Traffic;
use self::traffic::TrafficMeter;
use crate::child;
use crate::error::{Context as _, Fault, Result};
use crate::names;

/// The ports it listens on, the same at every host.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Ports {
    /// Plain HTTP.
    pub(crate) http: u16,
    /// HTTPS, by a certificate of the sink's own CA.
    pub(crate) https: u16,
}

/// All that the sink remembers.
#[derive(Default)]
struct State {
    ledger: Ledger,
    pace: Pace,
    traffic: TrafficMeter,
}

impl State {
    fn forget(&mut self) {
        self.ledger = Ledger::default();
        self.pace = Pace::default();
        self.traffic.reset();
    }
}

/// What the sink can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// The counts of one run of publishing: answered with a [`Summary`].
    Summary {
        /// Which run.
        run: u32,
    },
    /// Every delivery of a run: answered with a list of [`Arrived`].
    Arrivals {
        /// Which run.
        run: u32,
    },
    /// When a number of its requests had come: answered with a time, or with null if they have not.
    ReachedAt {
        /// Which run.
        run: u32,
        /// How many.
        count: usize,
    },
    /// How late each retry of a run was, in nanoseconds after the failed attempt's answer: answered with a list.
    Gaps {
        /// Which run.
        run: u32,
    },
    /// Connections and requests in hand, of all runs together: answered with a [`Traffic`].
    Traffic,
    /// Forget everything: answered with an empty list.
    Forget,
}

/// Listens and answers until the standard input ends.
///
/// # Errors
/// There is no port, or no certificate can be made.
pub(crate) async fn run(ca_file: &Path) -> Result<()> {
    let state = Arc::new(Mutex::new(State::default()));
    let hosts: Vec<String> = (0..names::HOSTS).map(names::host).collect();
    let tls = tls::acceptor(&hosts, ca_file)?;
    let ports = Ports {
        http: listen(&hosts, None, &state)?,
        https: listen(&hosts, Some(&tls), &state)?,
    };
    child::say(&ports).await?;
    child::answer_questions(async |question: Question| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match question {
            Question::Summary { run } => serde_json::to_value(state.ledger.summary(run)),
            Question::Arrivals { run } => serde_json::to_value(state.ledger.arrivals(run)),
            Question::ReachedAt { run, count } => serde_json::to_value(state.ledger.reached_at(run, count)),
            Question::Gaps { run } => serde_json::to_value(state.ledger.gaps(run)),
            Question::Traffic => serde_json::to_value(state.traffic.totals()),
            Question::Forget => {
                state.forget();
                Ok(serde_json::Value::Array(Vec::new()))
            }
        };
        answer.context("writing an answer")
    })
    .await
}

/// Listens at all hosts on one port that is free at each of them, and returns it.
fn listen(hosts: &[String], tls: Option<&TlsAcceptor>, state: &Arc<Mutex<State>>) -> Result<u16> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        let Some((port, listeners)) = bind_all(hosts) else {
            continue;
        };
        for listener in listeners {
            let listener = listener
                .set_nonblocking(true)
                .and_then(|()| TcpListener::from_std(listener));
            let listener = listener.context("listening")?;
            tokio::spawn(serve::accept(listener, tls.cloned(), Arc::clone(state)));
        }
        return Ok(port);
    }
    Err(Fault::new(
        "no port is free at all of the sink's addresses, 127.0.1.1 and on",
    ))
}

fn bind_all(hosts: &[String]) -> Option<(u16, Vec<StdListener>)> {
    let (first, rest) = hosts.split_first()?;
    let first = StdListener::bind((first.as_str(), 0)).ok()?;
    let port = first.local_addr().ok()?.port();
    let rest = rest
        .iter()
        .map(|host| StdListener::bind((host.as_str(), port)).ok());
    let all: Option<Vec<StdListener>> = [Some(first)].into_iter().chain(rest).collect();
    Some((port, all?))
}
