//! Room for what is published and not answered: bounded in bytes, first come first served.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use super::publish_fault::PublishFault;
use super::refusal::Refusal;
use super::stats::BrokerStats;
use super::unanswered::{DOUBTED_FOR, DestinationId, End, Stall, Unanswered};

/// Unanswered bytes at most. Two thirds of a second's worth on a link of 100 Mbit/s, so that no link idles for want of
/// bytes; and little enough that the library's copies of them, and the broker's, are no burden.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What one publisher has in flight.
pub(super) struct InFlight {
    unanswered: Mutex<Unanswered>,
    /// Gives its permits out in the order in which they were asked for, so that a small message never overtakes a large
    /// one for ever, nor the other way round.
    budget: Semaphore,
    resumed: Notify,
    stats: Arc<BrokerStats>,
}

impl InFlight {
    pub(super) fn new(stats: Arc<BrokerStats>) -> Self {
        Self {
            unanswered: Mutex::new(Unanswered::new(Instant::now())),
            budget: Semaphore::new(MAX_BYTES),
            resumed: Notify::new(),
            stats,
        }
    }

    pub(super) fn stats(&self) -> &Arc<BrokerStats> {
        &self.stats
    }

    pub(super) fn unanswered(&self) -> MutexGuard<'_, Unanswered> {
        // Nothing in there can be left half done.
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room for a message of `bytes` to `destination`. One that is larger than all the room takes all of it.
    pub(super) async fn admit(&self, destination: &str, bytes: usize) -> Admitted<'_> {
        let bytes = bytes.min(MAX_BYTES);
        loop {
            // The semaphore is never closed, and MAX_BYTES fits.
            if let Ok(permits) = self.budget.acquire_many(bytes as u32).await {
                // Given back by hand, because those of a stalled destination are given back before its messages end.
                permits.forget();
            }
            let Some(id) = self.enter(destination, bytes) else {
                self.budget.add_permits(bytes);
                self.until_it_answers(destination).await;
                continue;
            };
            self.stats.add_unconfirmed(bytes as u64);
            return Admitted {
                in_flight: self,
                id,
                bytes,
                end: End::Unknown,
            };
        }
    }

    /// Enters a message as sent, unless its destination makes it wait.
    fn enter(&self, destination: &str, bytes: usize) -> Option<DestinationId> {
        let now = Instant::now();
        let mut unanswered = self.unanswered();
        let id = unanswered.id(destination, now);
        if unanswered.must_wait(id, now) {
            return None;
        }
        unanswered.sent(id, bytes, now);
        Some(id)
    }

    async fn until_it_answers(&self, destination: &str) {
        loop {
            let resumed = self.resumed.notified();
            let look_again_at = {
                let now = Instant::now();
                let mut unanswered = self.unanswered();
                let id = unanswered.id(destination, now);
                if !unanswered.must_wait(id, now) {
                    return;
                }
                // Its doubts may have begun, and be over, with nobody being told: it is looked at again in any case.
                unanswered.doubted_until(id, now).unwrap_or(now + DOUBTED_FOR)
            };
            // It may have answered before that.
            drop(timeout_at(look_again_at, resumed).await);
        }
    }

    /// The broker answers others but not these destinations: makes room for the others, and tells people.
    pub(super) fn set_stalled_aside(&self, now: Instant) {
        let (freed, stalls) = self.unanswered().find_stalls(now);
        self.budget.add_permits(freed);
        for Stall {
            destination,
            waiting,
            for_seconds,
        } in stalls
        {
            warn!(
                queue = destination,
                waiting,
                for_seconds,
                "the broker is there but does not confirm what is published: the queue has no quorum, or the link is \
                 slow; waiting for it"
            );
        }
    }

    /// No queue takes what is published to `destination`.
    pub(super) fn tell_missing(&self, destination: &str, fault: &PublishFault) {
        if let Some(messages) = self.refused(destination) {
            error!(error = %fault, messages, "a queue is missing; publishing waits until it is there again");
        }
    }

    /// The broker refuses what is published to `destination`, whichever message it is.
    pub(super) fn tell_refused(&self, destination: &str, refusal: &Refusal) {
        if let Some(messages) = self.refused(destination) {
            let advice = refusal.advice();
            error!(
                destination,
                error = %refusal,
                advice,
                messages,
                "the broker does not let us publish; publishing waits until it does"
            );
        }
    }

    fn refused(&self, destination: &str) -> Option<u64> {
        let now = Instant::now();
        let mut unanswered = self.unanswered();
        let id = unanswered.id(destination, now);
        unanswered.refused(id, now)
    }

    /// What is published to `destination` next goes alone and after a pause, and the rest when that is stored. What nobody waits
    /// for any more is not counted here, and the broker still has it in hand.
    pub(super) fn doubt(&self, destination: &str) {
        let now = Instant::now();
        let mut unanswered = self.unanswered();
        let id = unanswered.id(destination, now);
        unanswered.doubted(id, now);
    }
}

/// A message that may be sent. Its room is given back when this is dropped.
pub(super) struct Admitted<'a> {
    in_flight: &'a InFlight,
    id: DestinationId,
    bytes: usize,
    end: End,
}

impl Admitted<'_> {
    /// A queue has the message.
    pub(super) fn stored(mut self) {
        self.in_flight.stats.count_confirmed();
        self.end = End::Stored;
    }

    /// The broker said something else of the message.
    pub(super) fn answered(mut self) {
        self.end = End::Answered;
    }

    /// The message's channel was closed, or its connection: the next one is a new beginning.
    pub(super) fn without_channel(&self) {
        self.in_flight.unanswered().unproven(self.id);
    }

    /// The broker would not store the message.
    pub(super) fn refused(mut self, destination: &str) {
        self.end = End::Answered;
        self.in_flight.stats.count_refused();
        let told = self.in_flight.unanswered().refused(self.id, Instant::now());
        if let Some(refused) = told {
            warn!(
                queue = destination,
                refused, "the broker refused it: its queue is full or has no quorum; trying again"
            );
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let in_flight = self.in_flight;
        let released = in_flight.unanswered().ended(self.id, self.bytes, self.end, now);
        in_flight.stats.remove_unconfirmed(self.bytes as u64);
        in_flight.budget.add_permits(released.budget);
        if released.is_resumed {
            in_flight.resumed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;
    use crate::broker::unanswered::CONFIRM_TIMEOUT;

    fn in_flight() -> InFlight {
        InFlight::new(Arc::default())
    }

    #[tokio::test]
    async fn what_is_larger_than_all_the_room_passes_alone_and_in_its_turn() {
        let in_flight = in_flight();
        let small = in_flight.admit("a", 1000).await;
        let mut large = Box::pin(in_flight.admit("a", 10 * MAX_BYTES));
        assert!((&mut large).now_or_never().is_none(), "no room beside another");
        let mut behind = Box::pin(in_flight.admit("b", 1));
        assert!((&mut behind).now_or_never().is_none(), "nobody overtakes it");
        drop(small);
        let large = large.now_or_never().expect("it is alone");
        assert_eq!(in_flight.stats().unconfirmed_bytes(), MAX_BYTES as u64);
        assert!((&mut behind).now_or_never().is_none(), "it takes all the room");
        large.answered();
        drop(behind.now_or_never().expect("there is room again"));
        assert_eq!(in_flight.stats().unconfirmed_bytes(), 0);
        assert_eq!(in_flight.budget.available_permits(), MAX_BYTES);
    }

    #[tokio::test]
    async fn a_queue_that_answers_nothing_leaves_the_room_to_the_others() {
        let in_flight = in_flight();
        let stuck = in_flight.admit("stuck", MAX_BYTES).await;
        let mut other = Box::pin(in_flight.admit("well", 1000));
        assert!((&mut other).now_or_never().is_none());
        in_flight.set_stalled_aside(Instant::now() + CONFIRM_TIMEOUT);
        other.await.answered();
        let mut more = Box::pin(in_flight.admit("stuck", 1));
        assert!((&mut more).now_or_never().is_none(), "more of it only waits");
        stuck.answered();
        more.await.answered();
        assert_eq!(in_flight.budget.available_permits(), MAX_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_did_not_answer_in_time_is_tried_with_one_message_a_second() {
        let in_flight = in_flight();
        in_flight.admit("hangs", 1).await.stored();
        let late = [
            in_flight.admit("hangs", 1).await,
            in_flight.admit("hangs", 1).await,
        ];
        drop(late);
        in_flight.doubt("hangs");
        for _ in 0..3 {
            let mut next = Box::pin(in_flight.admit("hangs", 1));
            assert!((&mut next).now_or_never().is_none(), "not at once");
            in_flight.admit("well", 1).await.answered();
            let admitted = next.await;
            let mut beside = Box::pin(in_flight.admit("hangs", 1));
            assert!((&mut beside).now_or_never().is_none(), "nothing beside it");
            drop(admitted);
            in_flight.doubt("hangs");
            assert!((&mut beside).now_or_never().is_none(), "nor right after it");
        }
        in_flight.admit("hangs", 1).await.stored();
        let flowing = [in_flight.admit("hangs", 1), in_flight.admit("hangs", 1)];
        assert!(join_all(flowing).now_or_never().is_some(), "it answers again");
    }
}
