//! Messages that came back too often, each handled by itself, so that the one that crashes its consumer is told from those
//! that stood beside it.
//!
//! A crash gives back all that was unacknowledged, and the broker counts a return for each of them: in the windows of the
//! working queues such a count proves nothing. Here one message is asked for when the one before it is acknowledged, so
//! that a return means that the process ended while it was in hand. A stop would count as well where it gave back what it had not
//! begun: so that is stored in the quarantine anew, with what was counted of it, and acknowledged.
//!
//! A receiver that hangs must not hold up the others here for as long as it likes. So what has been in hand for a moment
//! is no longer waited for, up to a few of them. If the process ends then, they are counted with the one that ended it;
//! so the last tries before a message is called the cause are made with nothing else in hand (`suspects.rs`), and an
//! attempt that comes to its end clears the message again.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::message::{Message, Rejection};
use hookline_consume::{AckLedger, Handler, InHand, Taken};
use tokio::time::{Instant, timeout};

use crate::outside::Keeps;
use crate::pipeline::Pipeline;
use crate::queues::Working;
use crate::suspects::{self, Treatment};

/// How long a suspect is waited for: what crashes a process does so at once.
const ALONE_FOR: Duration = Duration::from_secs(1);
/// Suspects in hand at most, with receivers that take their time.
const MAX_IN_HAND: usize = 8;
/// What settling may take beyond the longest attempt. Whatever takes longer does not hold the quarantine up for ever.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);

/// Takes in what stands in the quarantine.
pub struct Quarantine {
    pipeline: Arc<Pipeline>,
    publisher: Arc<dyn Keeps>,
    ledger: Arc<AckLedger>,
    longest_attempt: Duration,
    consuming_since: Instant,
}

impl Quarantine {
    /// A quarantine whose messages take the usual way, in a process that begins to consume now and whose attempts take at
    /// most `longest_attempt`.
    #[must_use]
    pub fn new(
        pipeline: Arc<Pipeline>,
        publisher: Arc<dyn Keeps>,
        ledger: Arc<AckLedger>,
        longest_attempt: Duration,
    ) -> Self {
        Self {
            pipeline,
            publisher,
            ledger,
            longest_attempt,
            consuming_since: Instant::now(),
        }
    }

    /// Hands a message on, once it is the only one in hand, and waits for its end.
    async fn handle_alone(&self, in_hand: InHand, message: Message, crashes: u32) {
        self.has_at_most(1).await;
        self.pipeline.take_suspect(in_hand, message, crashes).await;
        self.has_at_most(0).await;
    }

    /// Hands a message on, and waits for its end for a moment.
    async fn handle(&self, in_hand: InHand, message: Message, crashes: u32) {
        self.has_at_most(MAX_IN_HAND).await;
        let others = self.ledger.untold().saturating_sub(1);
        self.pipeline.take_suspect(in_hand, message, crashes).await;
        // Either way the next is asked for.
        drop(timeout(ALONE_FOR, self.ledger.untold_at_most(others)).await);
    }

    async fn has_at_most(&self, messages: usize) {
        let max = self.longest_attempt + SETTLES_WITHIN;
        drop(timeout(max, self.ledger.untold_at_most(messages)).await);
    }
}

impl Handler for Quarantine {
    async fn take(&self, taken: Taken) {
        let Taken {
            in_hand,
            returned,
            message,
        } = taken;
        let known = suspects::known_crashes(Working::Quarantine, &message);
        let crashes = known.unwrap_or(0).saturating_add(returned);
        self.pipeline.keep_from_a_stop(&in_hand, &message, crashes);
        let lived = self.consuming_since.elapsed();
        match suspects::treatment(crashes, lived, self.longest_attempt) {
            Treatment::Reject => {
                let rejection = Rejection::CrashesConsumer(crashes);
                let others = self.ledger.untold().saturating_sub(1);
                self.pipeline.reject(in_hand, message, rejection);
                self.has_at_most(others).await;
            }
            Treatment::Later(delay) => {
                let others = self.ledger.untold().saturating_sub(1);
                self.pipeline.set_aside(in_hand, message, crashes, delay);
                self.has_at_most(others).await;
            }
            Treatment::Handle => self.handle(in_hand, message, crashes).await,
            Treatment::HandleAlone => self.handle_alone(in_hand, message, crashes).await,
        }
    }

    fn queue_is_missing(&self) {
        self.publisher.look_for_missing();
    }
}
