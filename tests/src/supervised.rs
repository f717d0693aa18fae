//! Programs that are started again whenever they end, as an orchestrator does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::dispatcher::{Dispatcher, Setup};
use crate::eventually::SOON;

/// How often it is looked whether one has ended.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Programs that are started again whenever they end.
pub struct Supervised<'a, S: Fn() -> Setup<'a>> {
    setup: S,
    running: Vec<Arc<Dispatcher>>,
    crashes: usize,
}

impl<'a, S: Fn() -> Setup<'a>> Supervised<'a, S> {
    /// Starts so many.
    #[must_use]
    pub fn start(setup: S, replicas: usize) -> Self {
        let running = (0..replicas).map(|_| setup().launch()).collect();
        Self {
            setup,
            running,
            crashes: 0,
        }
    }

    /// How often one has ended so far.
    #[must_use]
    pub fn crashes(&self) -> usize {
        self.crashes
    }

    /// Starts again whatever ends, for as long as it is waited for.
    pub async fn look_on(&mut self) -> Infallible {
        loop {
            self.look().await;
            sleep(LOOK_EVERY).await;
        }
    }

    /// Starts again what has ended.
    pub async fn look(&mut self) {
        for place in &mut self.running {
            if place.has_ended().await {
                self.crashes += 1;
                *place = (self.setup)().launch();
            }
        }
    }

    /// Waits until all are ready.
    pub async fn are_ready(&self) {
        for dispatcher in &self.running {
            dispatcher.is_ready_within(SOON).await;
        }
    }
}
