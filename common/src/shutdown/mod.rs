//! How a service is asked to stop, told to everyone who holds a [`Shutdown`].

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

mod meaning; // what each signal asks for
mod signals; // hearing them

/// A request to stop. All clones see it, and hear of it in the order in which they began to wait: in a simulation the same each time,
/// which a `watch` channel is not.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<Request>);

/// Requests the shutdown of all clones of its [`Shutdown`].
#[derive(Debug)]
pub struct Trigger(Arc<Request>);

#[derive(Debug, Default)]
struct Request {
    is_made: AtomicBool,
    made: Notify,
}

impl Shutdown {
    /// A shutdown and what triggers it: dropping the trigger triggers it too.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let request = Arc::<Request>::default();
        (Trigger(Arc::clone(&request)), Self(request))
    }

    /// Returns when it is time to stop.
    pub async fn requested(&self) {
        let mut made = pin!(self.0.made.notified());
        // It counts from here on, so that none is missed that is made between the question and the wait.
        made.as_mut().enable();
        if !self.is_requested() {
            made.await;
        }
    }

    /// Whether it is time to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.is_made.load(Ordering::SeqCst)
    }
}

impl Trigger {
    /// Asks everyone to stop.
    pub fn pull(&self) {
        self.0.is_made.store(true, Ordering::SeqCst);
        self.0.made.notify_waiters();
    }
}

impl Drop for Trigger {
    /// Nobody is left who could want us to go on.
    fn drop(&mut self) {
        self.pull();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn all_hear_of_it_in_the_order_in_which_they_began_to_wait() {
        let (trigger, shutdown) = Shutdown::new();
        let heard = Arc::new(Mutex::new(Vec::new()));
        for number in 0..20 {
            let (shutdown, heard) = (shutdown.clone(), Arc::clone(&heard));
            tokio::spawn(async move {
                shutdown.requested().await;
                heard.lock().unwrap().push(number);
            });
        }
        yield_now().await;
        assert!(heard.lock().unwrap().is_empty() && !shutdown.is_requested());
        trigger.pull();
        yield_now().await;
        assert_eq!(*heard.lock().unwrap(), (0..20).collect::<Vec<_>>());
        shutdown.requested().await;
    }

    #[tokio::test]
    async fn a_trigger_that_is_gone_has_triggered_it() {
        let (trigger, shutdown) = Shutdown::new();
        let waits = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        yield_now().await;
        drop(trigger);
        waits.await.unwrap();
        assert!(shutdown.is_requested());
    }
}
