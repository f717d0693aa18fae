//! Messages that came back too often, each handled by itself, so that the one that crashes its consumer is told from those
//! that stood beside it.
//!
//! A crash gives back all that was unacknowledged, and the broker counts a return for each of them: in the windows of the
//! working queues such a count proves nothing. Here one message is asked for at a time, so that a return means that
//! the process ended while it was in hand.
//!
//! A receiver that hangs must not hold up the others here for as long as it likes. So what has been in hand for a moment, and
//! never came back to this queue, is no longer waited for, up to a few of them. If the process ends then, they are
//! counted with the one that ended it; so what did come back is handled alone to its end, and its count means something
//! again.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::Publisher;
use hookline_common::message::{self, Rejection};
use hookline_consume::{Handler, Taken};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

use crate::pipeline::Pipeline;
use crate::suspects::Watch;

/// Ends of a process with this message alone in its hand that are enough to call it the cause. With the three before it that
/// makes nine crashes.
const MAX_CRASHES: u32 = 6;
/// How long the process must have been consuming before it takes a suspect. A process that is killed as it starts, again
/// and again, would otherwise have its harmless suspects counted as the cause.
pub const SETTLING_TIME: Duration = Duration::from_secs(2);
/// How long a suspect is waited for: what crashes a process does so at once.
const ALONE_FOR: Duration = Duration::from_secs(1);
/// Suspects in hand at most, with receivers that take their time.
const MAX_IN_HAND: u32 = 8;

/// Takes in what stands in the quarantine.
pub struct Quarantine {
    pipeline: Arc<Pipeline>,
    publisher: Publisher,
    places: Arc<Semaphore>,
}

impl Quarantine {
    /// A quarantine whose messages take the usual way, one at a time.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, publisher: Publisher) -> Self {
        let places = Arc::new(Semaphore::new(MAX_IN_HAND as usize));
        Self {
            pipeline,
            publisher,
            places,
        }
    }
}

impl Handler for Quarantine {
    async fn take(&self, taken: Taken) {
        let Taken {
            in_hand,
            returned,
            message,
        } = taken;
        let crashes = message::crashes(&message).saturating_add(returned);
        if crashes >= MAX_CRASHES {
            let rejection = Rejection::CrashesConsumer(crashes);
            return self.pipeline.reject(in_hand, &message, &rejection).await;
        }
        let came_back = returned > 0;
        let places = Arc::clone(&self.places);
        let place = places.acquire_many_owned(if came_back { MAX_IN_HAND } else { 1 });
        // The semaphore is never closed.
        let Ok(place) = place.await else { return };
        let (ends, ended) = oneshot::channel();
        let watch = Watch::new(ends, place);
        self.pipeline.take_suspect(in_hand, message, crashes, watch).await;
        tokio::select! {
            // An error is the end that is waited for: nothing is ever sent.
            _ = ended => {}
            () = sleep(ALONE_FOR), if !came_back => {}
        }
    }

    async fn queue_is_missing(&self) {
        self.publisher.declare_again().await;
    }
}
