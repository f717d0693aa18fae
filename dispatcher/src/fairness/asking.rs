//! Who asks: one job of each working queue at a time. What is held asks again before any other of its queue does, and the
//! others wait behind it in the order in which they came, whatever tasks they are in: if each was held by itself, every
//! answer would wake all of them for one that may begin.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::terms::MAX_QUEUES;

/// The turns to ask, of each working queue one.
pub(super) struct Asking([Semaphore; MAX_QUEUES]);

/// The turn to ask for a job of one working queue, until it is dropped.
pub struct Turn<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

impl Asking {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Semaphore::new(1)))
    }

    /// The turn, unless another has it or waits for it.
    pub(super) fn try_turn(&self, queue: usize) -> Option<Turn<'_>> {
        let permit = match self.0.get(queue) {
            Some(turns) => Some(turns.try_acquire().ok()?),
            // There is no window of that queue, so nothing of it is held.
            None => None,
        };
        Some(Turn { _permit: permit })
    }

    /// Waits for the turn. None once nobody asks any more.
    pub(super) async fn turn(&self, queue: usize) -> Option<Turn<'_>> {
        let permit = match self.0.get(queue) {
            Some(turns) => Some(turns.acquire().await.ok()?),
            None => None,
        };
        Some(Turn { _permit: permit })
    }

    /// Nobody asks any more: whoever waits for a turn is told so at once.
    pub(super) fn close(&self) {
        self.0.iter().for_each(Semaphore::close);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.iter().any(Semaphore::is_closed)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_asks_at_a_time_and_the_others_in_the_order_in_which_they_came() {
        let asking = Asking::new();
        let first = asking.try_turn(0).expect("free");
        let mut second = pin!(asking.turn(0));
        let mut third = pin!(asking.turn(0));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        assert!(asking.try_turn(1).is_some(), "another queue's is free");
        drop(first);
        assert!(asking.try_turn(0).is_none(), "whoever waits comes first");
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.await.is_some());
        assert!(third.await.is_some());
    }

    #[tokio::test]
    async fn whoever_gives_up_lets_the_next_one_ask_and_at_the_end_nobody_waits() {
        let asking = Asking::new();
        let first = asking.try_turn(0).expect("free");
        {
            let mut given_up = pin!(asking.turn(0));
            assert!(given_up.as_mut().now_or_never().is_none());
        }
        drop(first);
        let held = asking.try_turn(0).expect("free again");
        let mut waiting = pin!(asking.turn(0));
        assert!(waiting.as_mut().now_or_never().is_none());
        asking.close();
        assert!(waiting.await.is_none());
        assert!(asking.is_closed());
        drop(held);
        assert!(asking.try_turn(0).is_none());
    }
}
