//! What takes a delivery's place once it is decided what comes after: nothing, a retry, or a dead letter. Pure.

use hookline_common::delivery::{DeadLetterCause, DeadLetterReason, Delivery};
use hookline_common::message::{self, Message};
use hookline_common::schedule::NextStep;
use hookline_common::topology::Queue;
use jiff::Timestamp;

use crate::classify::Verdict;

/// The message that replaces `delivery`, and where it goes.
#[must_use]
pub fn replacement(
    delivery: &Delivery,
    verdict: &Verdict,
    next: NextStep,
    now: Timestamp,
) -> Option<(Queue, Message)> {
    match next {
        NextStep::Done => None,
        NextStep::RetryAfter(delay) => {
            let retry = message::write_delivery(&delivery.for_next_attempt());
            Some((Queue::Retry(delay), retry))
        }
        NextStep::Failed => {
            let cause = DeadLetterCause {
                failed_at: now,
                reason: DeadLetterReason::RetriesExhausted,
                last_outcome: Some(verdict.outcome),
                last_status: verdict.status,
            };
            Some((Queue::Failed, message::write_failed(delivery, &cause)))
        }
    }
}
