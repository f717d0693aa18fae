//! Hears the process's signals and does what they ask for.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::meaning::{self, Request, Stop};
use super::{Shutdown, Trigger};

/// Signals that wait to be judged; more of one kind are one for the system, too.
const WAITING: usize = 16;

impl Shutdown {
    /// A shutdown that SIGTERM or Ctrl-C triggers. Another signal, unless it is an echo within 100 ms, ends the process
    /// at once: shells and `timeout` signal a process and then its group.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn on_signals() -> std::io::Result<Self> {
        listen(&meaning::of_commands(), Arc::default())
    }

    /// The same for a service: no signal that can be caught ends it without a drain. SIGTERM, SIGINT and SIGQUIT
    /// trigger the shutdown, and what is returned beside it fires at each SIGHUP. Signals without a meaning are
    /// ignored with a line in the log.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn on_service_signals() -> std::io::Result<(Self, Arc<Notify>)> {
        let reload = Arc::new(Notify::new());
        let shutdown = listen(&meaning::of_services(), Arc::clone(&reload))?;
        Ok((shutdown, reload))
    }
}

fn listen(signals: &[(i32, Request)], reload: Arc<Notify>) -> std::io::Result<Shutdown> {
    let (heard, hearing) = mpsc::channel(WAITING);
    for (number, request) in signals.iter().copied() {
        let mut listener = match signal(SignalKind::from_raw(number)) {
            Ok(listener) => listener,
            // Some real-time signals belong to the system's own libraries.
            Err(error) if request == Request::Nothing => {
                debug!(signal = number, %error, "this signal cannot be listened for");
                continue;
            }
            Err(error) => return Err(error),
        };
        let heard = heard.clone();
        tokio::spawn(async move {
            while listener.recv().await.is_some() && heard.send((number, request)).await.is_ok() {}
        });
    }
    let (trigger, shutdown) = Shutdown::new();
    tokio::spawn(follow(hearing, trigger, reload));
    Ok(shutdown)
}

async fn follow(mut hearing: mpsc::Receiver<(i32, Request)>, trigger: Trigger, reload: Arc<Notify>) {
    let mut first = None;
    while let Some((number, request)) = hearing.recv().await {
        let signal = meaning::name(number);
        match request {
            Request::Stop => match meaning::judge(first, Instant::now()) {
                Stop::InOrder => {
                    info!(signal, "stopping; another signal ends the process at once");
                    first = Some(Instant::now());
                    trigger.pull();
                }
                Stop::Echo => {}
                Stop::AtOnce => end_at_once(&signal),
            },
            Request::Reload => {
                info!(signal, "reading the files again");
                reload.notify_one();
            }
            Request::Nothing => info!(signal, "this signal has no meaning here and is ignored"),
        }
    }
}

fn end_at_once(signal: &str) {
    warn!(
        signal,
        "ended before everything was settled; the broker redelivers it"
    );
    crate::stderr::flush();
    std::process::exit(1);
}
