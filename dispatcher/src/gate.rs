//! How many attempts of one working queue begin at once: as many as keep the processors busy, and no more.
//!
//! A queue that has thousands of messages ready would otherwise begin as many requests as its window is wide, in the
//! same moment. They would answer no sooner, and whatever comes by another queue meanwhile would stand behind them.
//! Requests that have not ended after a moment wait for their receiver and keep no processor busy: they count no longer,
//! so the gate holds nobody back for an endpoint that is slow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a request counts that has not ended.
const MOMENT: Duration = Duration::from_millis(5);

/// Lets one intake begin attempts.
pub struct Gate {
    most: usize,
    inside: Mutex<Inside>,
    /// Half of the places are free.
    freed: Notify,
}

#[derive(Default)]
struct Inside {
    passes: usize,
    /// Passes of earlier generations count no longer.
    generation: u64,
}

/// A place, until it is dropped or a moment is over.
pub struct Pass {
    gate: Arc<Gate>,
    generation: u64,
}

impl Gate {
    /// A gate with so many places.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            inside: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Waits for a place, for a moment at most: what is inside then has shown that it waits for others.
    pub async fn enter(self: &Arc<Self>) -> Pass {
        if self.lock().passes >= self.most {
            let is_stale = timeout(MOMENT, self.half_free()).await.is_err();
            if is_stale {
                let mut inside = self.lock();
                inside.generation += 1;
                inside.passes = 0;
            }
        }
        let mut inside = self.lock();
        inside.passes += 1;
        Pass {
            gate: Arc::clone(self),
            generation: inside.generation,
        }
    }

    /// Whoever waits is woken once for many, since waking costs about as much as a request.
    async fn half_free(&self) {
        while self.lock().passes > self.most / 2 {
            self.freed.notified().await;
        }
    }

    /// A panic elsewhere leaves a count that is still sound: every change under the lock is whole.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.gate.lock();
        if inside.generation == self.generation {
            inside.passes -= 1;
            if inside.passes == self.gate.most / 2 {
                self.gate.freed.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_it_full_waits_until_half_of_it_is_free() {
        let gate = Gate::new(4);
        let mut passes = Vec::new();
        for _ in 0..4 {
            passes.push(gate.enter().await);
        }
        let entering = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter().await }
        });
        tokio::task::yield_now().await;
        passes.pop();
        tokio::task::yield_now().await;
        assert!(!entering.is_finished());
        passes.pop();
        let since = Instant::now();
        assert!(entering.await.is_ok());
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_holds_nobody_back_for_longer_than_a_moment() {
        let gate = Gate::new(2);
        let since = Instant::now();
        let mut passes = Vec::new();
        for _ in 0..6 {
            passes.push(gate.enter().await);
        }
        assert_eq!(since.elapsed(), MOMENT * 2);
        // Those of earlier generations leave without being counted.
        passes.drain(..4);
        assert_eq!(gate.lock().passes, 2);
        passes.clear();
        assert_eq!(gate.lock().passes, 0);
    }
}
