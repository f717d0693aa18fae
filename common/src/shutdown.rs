//! How a service is asked to stop: SIGTERM or Ctrl-C, told to everyone who holds a [`Shutdown`].

use tokio::sync::watch;

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

    /// A shutdown that SIGTERM or Ctrl-C triggers. A second one ends the process at once.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn on_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (trigger, shutdown) = Self::new();
        tokio::spawn(async move {
            for is_first in [true, false] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if is_first {
                    tracing::info!(
                        signal = name,
                        "stopping; a second signal ends the process at once"
                    );
                    trigger.pull();
                } else {
                    tracing::warn!(
                        signal = name,
                        "ended before everything was settled; the broker redelivers it"
                    );
                    std::process::exit(1);
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
