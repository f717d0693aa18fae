//! What a message of a working queue asks for, given the endpoints there are. Pure.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin, Unrouted, Work};
use hookline_common::message::{self, Message, Rejection};
use hookline_common::schedule::Delay;
use hookline_common::topology::{PARK_DELAYS, Queue};
use jiff::Timestamp;

use crate::endpoints::{Endpoints, Lookup, Matching, Registered};
use crate::settle::{Replacements, Source};

/// Returns to the queue from which on a message is handled alone: one of those that came back is what crashes us.
const SUSPICIOUS_RETURNS: u32 = 3;
/// Returns at which a message is taken for the one that crashes us.
const MOST_RETURNS: u32 = 20;

/// What is to be done with a message.
pub enum Step {
    /// It is over: put these in its place.
    Settle(Replacements),
    /// Its endpoint is gone: say so in the log, and it is over.
    Discard(Delivery),
    /// Make an attempt.
    Attempt(Delivery, Arc<Registered>),
    /// Nobody can understand it.
    Reject(Rejection),
}

/// Whether a message came back so often that it must be handled apart from others.
#[must_use]
pub fn is_suspicious(returned: u32) -> bool {
    returned >= SUSPICIOUS_RETURNS
}

/// Decides what to do with a message that came back `returned` times.
#[must_use]
pub fn step(
    endpoints: &dyn Endpoints,
    source: Source,
    message: &Message,
    returned: u32,
    unknown_grace: Duration,
    now: Timestamp,
) -> Step {
    if returned >= MOST_RETURNS {
        return Step::Reject(Rejection::CrashesConsumer);
    }
    let work = match source {
        Source::Events => message::read_event(message).map(Work::Route),
        Source::Deliveries | Source::Due => message::read_work(message),
    };
    match work {
        Ok(Work::Route(unrouted)) => route(endpoints.lookup(&unrouted.event.company), unrouted, now),
        Ok(Work::Deliver(delivery)) => deliver(
            endpoints.lookup(&delivery.event.company),
            delivery,
            unknown_grace,
            now,
        ),
        Err(rejection) => Step::Reject(rejection),
    }
}

/// One endpoint is served without a further hop; several get a message each, so that each goes its own way.
fn route(endpoints: Lookup, unrouted: Unrouted, now: Timestamp) -> Step {
    let Lookup::Known(endpoints) = endpoints else {
        let delay = PARK_DELAYS[usize::from(unrouted.pass_through.parked > 0)];
        return Step::Settle(vec![parked(Work::Route(unrouted), delay)]);
    };
    match endpoints.matching(&unrouted.event.event_type) {
        Matching::None => Step::Settle(Vec::new()),
        Matching::One(endpoint) => {
            let delivery = Delivery::first(unrouted, endpoint.endpoint.id.clone());
            attempt_or_fail(delivery, endpoint, now)
        }
        Matching::Many(endpoints) => {
            let first = |endpoint: Arc<Registered>| {
                let delivery = Delivery::first(unrouted.clone(), endpoint.endpoint.id.clone());
                (Queue::Deliveries, message::write_delivery(&delivery))
            };
            Step::Settle(endpoints.into_iter().map(first).collect())
        }
    }
}

fn deliver(endpoints: Lookup, mut delivery: Delivery, unknown_grace: Duration, now: Timestamp) -> Step {
    let (found, is_known) = match endpoints {
        Lookup::Known(endpoints) => (endpoints.find(&delivery.endpoint), true),
        Lookup::NotYet => (None, false),
    };
    if let Some(endpoint) = found {
        delivery.pass_through.unknown_since = None;
        return attempt_or_fail(delivery, endpoint, now);
    }
    // Replicas learn of a new endpoint at different moments, so an unknown one is waited for before it counts as gone.
    // A time in the future would let it wait for ever.
    let since = delivery
        .pass_through
        .unknown_since
        .map_or(now, |since| since.min(now));
    delivery.pass_through.unknown_since = Some(since);
    let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    if is_known && waited >= unknown_grace {
        return Step::Discard(delivery);
    }
    let delay = PARK_DELAYS[usize::from(delivery.pass_through.parked > 0)];
    Step::Settle(vec![parked(Work::Deliver(delivery), delay)])
}

/// A disabled endpoint gets nothing but test events; what else there is for it goes to the dead letters.
fn attempt_or_fail(delivery: Delivery, endpoint: Arc<Registered>, now: Timestamp) -> Step {
    if !endpoint.endpoint.disabled || delivery.origin == Origin::Test {
        return Step::Attempt(delivery, endpoint);
    }
    let failure = DeadLetterCause {
        failed_at: now,
        reason: DeadLetterReason::EndpointDisabled,
        last_outcome: None,
        last_status: None,
    };
    Step::Settle(vec![(Queue::Failed, message::write_failed(&delivery, &failure))])
}

/// `work` set aside for `delay`, one time more.
#[must_use]
pub fn parked(mut work: Work, delay: Delay) -> (Queue, Message) {
    let (Work::Route(Unrouted { pass_through, .. }) | Work::Deliver(Delivery { pass_through, .. })) =
        &mut work;
    pass_through.parked = pass_through.parked.saturating_add(1);
    (Queue::Park(delay), message::write_work(&work))
}
