//! When it is time to stop.

use tokio::sync::watch;

/// A request to stop. All clones see it.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A request that is made by sending `true`, or by dropping the sender.
    pub(super) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns when it is time to stop.
    pub(super) async fn requested(&self) {
        let mut receiver = self.0.clone();
        drop(receiver.wait_for(|requested| *requested).await);
    }

    /// Whether it is time to stop.
    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}
