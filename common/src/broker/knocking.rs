//! Who tries again where the broker does not let us publish: one message for each destination, since each try costs the
//! broker a channel and a line in its log, and a destination that is silent must not hold up the tries of another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The turns of all destinations. There are as many as the topology has queues, so none is ever removed.
#[derive(Default)]
pub(super) struct Knocking(Mutex<HashMap<String, Arc<Turn<()>>>>);

impl Knocking {
    /// Waits until no other message tries `destination`. The turn ends when what is returned is dropped.
    pub(super) async fn turn(&self, destination: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(destination.to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_message_at_a_time_knocks_and_at_each_destination() {
        let knocking = Knocking::default();
        let first = knocking.turn("silent").now_or_never().expect("nobody is there");
        assert!(knocking.turn("silent").now_or_never().is_none(), "one at a time");
        let other = knocking
            .turn("other")
            .now_or_never()
            .expect("it waits for nobody");
        drop(first);
        assert!(knocking.turn("silent").now_or_never().is_some());
        assert!(knocking.turn("other").now_or_never().is_none());
        drop(other);
    }
}
