//! How a service is asked to stop, told to everyone who holds a [`Shutdown`].

use tokio::sync::watch;

mod meaning; // what each signal asks for
mod signals; // hearing them

/// A request to stop. All clones see it.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Requests the shutdown of all clones of its [`Shutdown`].
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Shutdown {
    /// A shutdown and what triggers it: dropping the trigger triggers it too.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
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
