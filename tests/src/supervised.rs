//! Programs that are started again whenever they end, as an orchestrator does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hookline_common::topology::Queue;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::broker::Stored;
use crate::dispatcher::{Dispatcher, Setup};
use crate::eventually::{SOON, eventually};
use crate::moment::Moment;
use crate::world::World;

/// Returns after which a message is suspected.
pub const SUSPECT_RETURNS: usize = 3;
/// A message may crash the program so often at most.
const MAX_CRASHES: usize = 10;
/// Long enough for a crash loop to come to its end.
const ENDS_WITHIN: Duration = Duration::from_secs(180);
/// How often it is looked whether one has ended.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Programs that are started again whenever they end.
pub struct Supervised<'a, S: Fn() -> Setup<'a>> {
    setup: S,
    running: Vec<Arc<Dispatcher>>,
    crashes: usize,
    last_crash: watch::Sender<Option<Moment>>,
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
            last_crash: watch::Sender::new(None),
        }
    }

    /// How often one has ended so far.
    #[must_use]
    pub fn crashes(&self) -> usize {
        self.crashes
    }

    /// When one was last found to have ended, which changes each time. Closed once nobody looks on any more.
    #[must_use]
    pub fn last_crash(&self) -> watch::Receiver<Option<Moment>> {
        self.last_crash.subscribe()
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
                self.last_crash.send_replace(Some(Moment::now()));
                *place = (self.setup)().launch();
            }
        }
    }

    /// Looks on until the message that ends them lies in `rejected` and everything else `is_done`, and then until nothing is left of
    /// it anywhere. Returns what was rejected: the message, or two of it where one of two programs ended on its last crash as the
    /// other rejected it.
    ///
    /// # Panics
    /// When it takes more crashes than a message may cause, fewer than prove anything, or for ever.
    pub async fn crash_loop_ends(&mut self, world: &World, mut is_done: impl FnMut() -> bool) -> Vec<Stored> {
        let ready = async |queue| world.broker().ready(&world.queue(queue)).await;
        eventually(ENDS_WITHIN, "it is rejected, and all else is done", async || {
            self.look().await;
            assert!(self.crashes <= MAX_CRASHES, "{} crashes", self.crashes);
            (ready(Queue::Rejected).await > Some(0) && is_done()).then_some(())
        })
        .await;
        eventually(SOON, "nothing is left of the message", async || {
            self.look().await;
            (ready(Queue::Quarantine).await == Some(0)).then_some(())
        })
        .await;
        self.look().await;
        self.are_ready().await;
        // What the broker has not yet given back may come once more, and end a program once more.
        tokio::select! {
            () = world.is_settled_within(SOON) => {}
            never = self.look_on() => match never {},
        }
        let rejected = world.read(Queue::Rejected).await;
        assert!((1..=2).contains(&rejected.len()), "{rejected:#?}");
        for rejected in &rejected {
            assert_eq!(rejected.text("rejected-reason"), "crashes_consumer");
        }
        assert!(
            self.crashes > SUSPECT_RETURNS,
            "{} crashes prove nothing",
            self.crashes
        );
        rejected
    }

    /// Waits until all are ready.
    pub async fn are_ready(&self) {
        for dispatcher in &self.running {
            dispatcher.is_ready_within(SOON).await;
        }
    }
}
