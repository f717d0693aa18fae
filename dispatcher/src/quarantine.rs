//! Messages that came back too often, each handled by itself, so that the one that crashes its consumer is told from those
//! that stood beside it.
//!
//! A crash gives back all that was unacknowledged, and the broker counts a return for each of them: in the windows of the
//! working queues such a count proves nothing. Here one message is asked for at a time, so that a return means that
//! the process ended while it was in hand.
//!
//! A receiver that hangs must not hold up the others here for as long as it likes. So what has been in hand for a moment
//! is no longer waited for, up to a few of them. If the process ends then, they are counted with the one that ended it;
//! so the last try before a message is called the cause is made with nothing else in hand (`suspects.rs`), and an
//! attempt that comes to its end clears the message again.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::Publisher;
use hookline_common::message::{self, Message, Rejection};
use hookline_consume::{Handler, InHand, Taken};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep};

use crate::pipeline::Pipeline;
use crate::suspects::{self, Treatment, Watch};

/// How long a suspect is waited for: what crashes a process does so at once.
const ALONE_FOR: Duration = Duration::from_secs(1);
/// Suspects in hand at most, with receivers that take their time.
const MAX_IN_HAND: u32 = 8;

/// Takes in what stands in the quarantine.
pub struct Quarantine {
    pipeline: Arc<Pipeline>,
    publisher: Publisher,
    longest_attempt: Duration,
    consuming_since: Instant,
    places: Arc<Semaphore>,
}

impl Quarantine {
    /// A quarantine whose messages take the usual way, in a process that begins to consume now and whose attempts take at
    /// most `longest_attempt`.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, publisher: Publisher, longest_attempt: Duration) -> Self {
        let places = Arc::new(Semaphore::new(MAX_IN_HAND as usize));
        Self {
            pipeline,
            publisher,
            longest_attempt,
            consuming_since: Instant::now(),
            places,
        }
    }

    /// Hands a message on, and waits for its end: for a moment, or as long as it takes where it must be alone.
    async fn handle(&self, in_hand: InHand, message: Message, crashes: u32, is_alone: bool) {
        let places = Arc::clone(&self.places);
        let place = places.acquire_many_owned(if is_alone { MAX_IN_HAND } else { 1 });
        // The semaphore is never closed.
        let Ok(place) = place.await else { return };
        let (ends, ended) = oneshot::channel();
        let watch = Watch::new(ends, place);
        self.pipeline.take_suspect(in_hand, message, crashes, watch).await;
        tokio::select! {
            // An error is the end that is waited for: nothing is ever sent.
            _ = ended => {}
            () = sleep(ALONE_FOR), if !is_alone => {}
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
        let lived = self.consuming_since.elapsed();
        match suspects::treatment(crashes, lived, self.longest_attempt) {
            Treatment::Reject => {
                let rejection = Rejection::CrashesConsumer(crashes);
                self.pipeline.reject(in_hand, &message, &rejection).await;
            }
            Treatment::Later(delay) => self.pipeline.set_aside(in_hand, message, crashes, delay).await,
            Treatment::Handle => self.handle(in_hand, message, crashes, false).await,
            Treatment::HandleAlone => self.handle(in_hand, message, crashes, true).await,
        }
    }

    async fn queue_is_missing(&self) {
        self.publisher.declare_again().await;
    }
}
