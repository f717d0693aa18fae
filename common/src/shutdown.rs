//! How a service is asked to stop: SIGTERM or Ctrl-C, told to everyone who holds a [`Shutdown`].

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long a further signal is taken for an echo of the first.
const ECHO: Duration = Duration::from_secs(1);

/// Told once; clones hear the same word.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Says the word.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Shutdown {
    /// A shutdown and what triggers it: dropping the trigger triggers it too.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
    }

    /// A shutdown that SIGTERM or Ctrl-C triggers. Another signal, at least a second later, ends the process at once;
    /// sooner it is taken for an echo, since shells and `timeout` signal a process and then its group.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (trigger, shutdown) = Self::new();
        tokio::spawn(async move {
            let mut since: Option<Instant> = None;
            loop {
                let signal = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                match since {
                    None => {
                        tracing::info!(signal, "stopping; another signal ends the process at once");
                        since = Some(Instant::now());
                        trigger.pull();
                    }
                    Some(since) if since.elapsed() < ECHO => {}
                    Some(_) => {
                        tracing::warn!(
                            signal,
                            "ended before everything was settled; the broker redelivers it"
                        );
                        std::process::exit(1);
                    }
                }
            }
        });
        Ok(shutdown)
    }

    /// Returns when it is time to stop.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        // An error means that the trigger is gone, and with it everyone who could want us to go on.
        drop(receiver.wait_for(|requested| *requested).await);
    }

    /// Whether it is time to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

impl Trigger {
    /// Asks everyone to stop.
    pub fn pull(&self) {
        self.0.send_replace(true);
    }
}
