//! Step 3: what a message of a working queue asks for, given the endpoints of its company. Pure.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin, Unrouted, Work};
use hookline_common::ids::EndpointId;
use hookline_common::message::{self, Message, Rejection};
use hookline_common::schedule::Delay;
use hookline_common::topology::{PARK_DELAYS, Queue};
use jiff::Timestamp;

use crate::endpoints::{Lookup, Matching, Registered};
use crate::queues::Working;
#[cfg(test)]
use crate::tests::simulation::mistakes::{Mistake, is_back};

/// What is to be done for a piece of work.
pub enum Step {
    /// Nobody wants the event: it is over.
    Nobody(Unrouted),
    /// Several endpoints want the event: a delivery to each.
    FanOut(Unrouted, Vec<EndpointId>),
    /// Make an attempt.
    Attempt(Delivery, Arc<Registered>),
    /// Its endpoints, or its endpoint, cannot be found yet: set it aside.
    Park(Work, Delay),
    /// Its endpoint is switched off: it becomes a dead letter.
    Fail(Delivery, DeadLetterCause),
    /// Its endpoint is gone: say so in the log, and it is over.
    Discard(Delivery),
}

/// Reads a message as what its queue holds.
///
/// # Errors
/// [`Rejection`] when nobody can understand it.
pub fn read(queue: Working, message: &Message) -> Result<Work, Rejection> {
    match queue {
        // Whoever publishes there does not decide how a delivery goes on.
        Working::Events => message::read_event(message).map(Work::Route),
        Working::Deliveries | Working::Due | Working::Quarantine => message::read_work(message),
    }
}

/// Decides what to do, given what is known of the company's endpoints. An endpoint that was not found for `unknown_grace`
/// is gone.
#[must_use]
pub fn step(work: Work, endpoints: &Lookup, unknown_grace: Duration, now: Timestamp) -> Step {
    match work {
        Work::Route(unrouted) => route(unrouted, endpoints, now),
        Work::Deliver(delivery) => deliver(delivery, endpoints, unknown_grace, now),
    }
}

/// Whether a fresh look at the company could change what [`step`] says: it is not known, or has no endpoint of that id.
#[must_use]
pub fn needs_a_fresh_look(work: &Work, endpoints: &Lookup) -> bool {
    match (endpoints, work) {
        (Lookup::NotYet, _) => true,
        (Lookup::Known(_), Work::Route(_)) => false,
        (Lookup::Known(endpoints), Work::Deliver(delivery)) => endpoints.find(&delivery.endpoint).is_none(),
    }
}

/// One endpoint is served without a further hop; several get a message each, so that each goes its own way.
fn route(unrouted: Unrouted, endpoints: &Lookup, now: Timestamp) -> Step {
    let Lookup::Known(endpoints) = endpoints else {
        let delay = unknown_delay(unrouted.pass_through.parked);
        return Step::Park(Work::Route(unrouted), delay);
    };
    match endpoints.matching(&unrouted.event.event_type) {
        Matching::None => Step::Nobody(unrouted),
        Matching::One(endpoint) => {
            let delivery = Delivery::first(unrouted, endpoint.endpoint.id.clone());
            attempt_or_fail(delivery, endpoint, now)
        }
        Matching::Many(endpoints) => Step::FanOut(unrouted, endpoints),
    }
}

/// An event that nobody wants as far as is known, while changes are not told of: it is set aside until they are.
#[must_use]
pub fn not_known_for_sure(unrouted: Unrouted) -> Step {
    let delay = unknown_delay(unrouted.pass_through.parked);
    Step::Park(Work::Route(unrouted), delay)
}

fn deliver(mut delivery: Delivery, endpoints: &Lookup, unknown_grace: Duration, now: Timestamp) -> Step {
    let (found, is_certain) = match endpoints {
        Lookup::Known(endpoints) => (
            endpoints.find(&delivery.endpoint),
            !endpoints.is_unopened(&delivery.endpoint),
        ),
        Lookup::NotYet => (None, false),
    };
    if let Some(endpoint) = found {
        delivery.pass_through.unknown_since = None;
        return attempt_or_fail(delivery, endpoint, now);
    }
    // Replicas learn of a new endpoint at different moments, so an unknown one is waited for before it counts as gone.
    // A time in the future would let it wait for ever.
    let since = delivery.pass_through.unknown_since.unwrap_or(now);
    #[cfg(test)]
    let now = if is_back(Mistake::WaitsForTheFuture) {
        now.max(since)
    } else {
        now
    };
    let since = since.min(now);
    delivery.pass_through.unknown_since = Some(since);
    let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    if waited >= unknown_grace && is_certain {
        return Step::Discard(delivery);
    }
    let delay = unknown_delay(delivery.pass_through.parked);
    Step::Park(Work::Deliver(delivery), delay)
}

/// A disabled endpoint gets nothing but test events; what else there is for it goes to the dead letters.
fn attempt_or_fail(delivery: Delivery, endpoint: Arc<Registered>, now: Timestamp) -> Step {
    if !endpoint.endpoint.disabled || delivery.origin == Origin::Test {
        return Step::Attempt(delivery, endpoint);
    }
    let cause = DeadLetterCause {
        failed_at: now,
        reason: DeadLetterReason::EndpointDisabled,
        last_outcome: None,
        last_status: None,
    };
    Step::Fail(delivery, cause)
}

/// How long to wait for endpoints that are not known: registries agree within seconds, or not for minutes.
fn unknown_delay(parked: u32) -> Delay {
    let [first, .., _] = PARK_DELAYS;
    let later = PARK_DELAYS.iter().find(|delay| delay.as_seconds() >= 8);
    if parked == 0 {
        first
    } else {
        later.copied().unwrap_or(first)
    }
}

/// A first attempt for one of an event's endpoints, as it goes to its own queue.
#[must_use]
pub fn fanned_out(unrouted: &Unrouted, endpoint: &EndpointId) -> (Queue, Message) {
    let delivery = Delivery::first(unrouted.clone(), endpoint.clone());
    (Queue::Deliveries, message::write_delivery(&delivery))
}

/// `work` set aside for `delay`, one time more.
#[must_use]
pub fn parked(mut work: Work, delay: Delay) -> (Queue, Message) {
    let (Work::Route(Unrouted { pass_through, .. }) | Work::Deliver(Delivery { pass_through, .. })) =
        &mut work;
    pass_through.parked = pass_through.parked.saturating_add(1);
    (Queue::Park(delay), message::write_work(&work))
}
