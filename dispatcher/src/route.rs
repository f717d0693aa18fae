//! Step 3: what a message of a working queue asks for, given the endpoints of its company. Pure.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin, Unrouted, Work};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::message::{self, Message, Rejection};
use hookline_common::schedule::Delay;
use hookline_common::topology::{PARK_DELAYS, Queue};
use jiff::Timestamp;

use crate::endpoints::{Lookup, Matching, PreparedEndpoint};
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
    Attempt(Delivery, Arc<PreparedEndpoint>),
    /// Something else than an attempt takes its place.
    Replace(Instead),
}

/// What is done instead of an attempt.
pub enum Instead {
    /// Its endpoints, or its endpoint, cannot be found yet: set it aside.
    Park(Work, Delay),
    /// Its endpoint is switched off: it becomes a dead letter.
    Fail(Delivery, DeadLetterCause),
    /// Its endpoint is gone: say so in the log, and it is over.
    Discard(Delivery),
}

/// How far it may be relied on that what was not found is not there.
#[derive(Debug, Clone, Copy)]
pub struct Reliance {
    /// How long an endpoint must be unknown before it counts as gone: for ever, while nobody can look.
    pub gone_after: Duration,
    /// Whether an event that no known endpoint wants is wanted by none.
    pub knows_all: bool,
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

/// Decides what to do, given what is known of the company's endpoints. `reliance` is asked for only where something was not found.
///
/// What was not found may have been loaded before `reliance` was asked for, which then says that all is known. So where that ends
/// the message, it is decided once more by a `lookup` that comes after it.
#[must_use]
pub fn step(
    work: Work,
    endpoints: &Lookup,
    reliance: impl FnOnce(&CompanyId) -> Reliance,
    lookup: impl FnOnce(&CompanyId) -> Lookup,
    now: Timestamp,
) -> Step {
    let mut asked = None;
    let first = step_by(work, endpoints, |company| *asked.insert(reliance(company)), now);
    let (ended, reliance) = match (first, asked) {
        (Step::Nobody(unrouted), Some(reliance)) => (Work::Route(unrouted), reliance),
        (Step::Replace(Instead::Discard(delivery)), Some(reliance)) => (Work::Deliver(delivery), reliance),
        (first, _) => return first,
    };
    let endpoints = lookup(&ended.event().company);
    step_by(ended, &endpoints, |_| reliance, now)
}

fn step_by(
    work: Work,
    endpoints: &Lookup,
    reliance: impl FnOnce(&CompanyId) -> Reliance,
    now: Timestamp,
) -> Step {
    match work {
        Work::Route(unrouted) => route(unrouted, endpoints, reliance, now),
        Work::Deliver(delivery) => deliver(delivery, endpoints, reliance, now),
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
fn route(
    unrouted: Unrouted,
    endpoints: &Lookup,
    reliance: impl FnOnce(&CompanyId) -> Reliance,
    now: Timestamp,
) -> Step {
    let Lookup::Known(endpoints) = endpoints else {
        return not_known(Work::Route(unrouted));
    };
    match endpoints.matching(&unrouted.event.event_type) {
        Matching::None if !reliance(&unrouted.event.company).knows_all => not_known(Work::Route(unrouted)),
        Matching::None => Step::Nobody(unrouted),
        Matching::One(endpoint) => {
            let delivery = Delivery::first(unrouted, endpoint.endpoint.id.clone());
            attempt_or_fail(delivery, endpoint, now)
        }
        Matching::Many(endpoints) => Step::FanOut(unrouted, endpoints),
    }
}

/// Where it goes cannot be told now: it is set aside until it can.
fn not_known(mut work: Work) -> Step {
    let delay = unknown_delay(work.pass_through_mut().parked);
    Step::Replace(Instead::Park(work, delay))
}

fn deliver(
    mut delivery: Delivery,
    endpoints: &Lookup,
    reliance: impl FnOnce(&CompanyId) -> Reliance,
    now: Timestamp,
) -> Step {
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
    let waited = waited.min(believed(delivery.pass_through.parked));
    if is_certain && waited >= reliance(&delivery.event.company).gone_after {
        return Step::Replace(Instead::Discard(delivery));
    }
    not_known(Work::Deliver(delivery))
}

/// A disabled endpoint gets nothing but test events; what else there is for it goes to the dead letters.
fn attempt_or_fail(delivery: Delivery, endpoint: Arc<PreparedEndpoint>, now: Timestamp) -> Step {
    if !endpoint.endpoint.disabled || delivery.origin == Origin::Test {
        return Step::Attempt(delivery, endpoint);
    }
    let cause = DeadLetterCause {
        failed_at: now,
        reason: DeadLetterReason::EndpointDisabled,
        last_outcome: None,
        last_status: None,
    };
    Step::Replace(Instead::Fail(delivery, cause))
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

/// How long the clock is believed to say that something waited which was set aside so often: one that is set forward must not make
/// minutes of a moment. Set aside twice, it has waited for longer than registries take to agree, whatever the clock says.
fn believed(parked: u32) -> Duration {
    #[cfg(test)]
    if is_back(Mistake::BelievesTheClock) {
        return Duration::MAX;
    }
    match parked {
        0 => Duration::ZERO,
        1 => unknown_delay(0).as_duration(),
        _ => Duration::MAX,
    }
}

/// A first attempt for one of an event's endpoints, as it goes to its own queue.
#[must_use]
pub fn fanned_out(unrouted: &Unrouted, endpoint: &EndpointId) -> (Queue, Message) {
    let mut delivery = Delivery::first(unrouted.clone(), endpoint.clone());
    // It is another message, of which nothing is known yet.
    delivery.pass_through.crashes = None;
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

#[cfg(test)]
mod tests {
    use hookline_common::delivery::PassThrough;
    use hookline_common::event::Event;

    use super::*;

    /// The clock jumps by a day right after the endpoint was missed first, and the endpoint is waited for nevertheless.
    #[test]
    fn an_endpoint_is_not_gone_because_the_clock_was_set_forward() {
        let gone_after = Duration::from_secs(120);
        for (jump, seconds) in [(0, 121), (86_400, 9)] {
            let jump = Duration::from_secs(jump);
            let endpoints = Lookup::Known(Arc::default());
            let unrouted = Unrouted {
                event: Event::new("acme", "booking.created", "{}").unwrap(),
                pass_through: PassThrough::default(),
            };
            let mut work = Work::Deliver(Delivery::first(unrouted, EndpointId::parse("ep_1").unwrap()));
            let (mut waited, mut ahead) = (Duration::ZERO, Duration::ZERO);
            let discarded_after = loop {
                let now = Timestamp::UNIX_EPOCH + waited + ahead;
                let reliance = |_: &CompanyId| Reliance {
                    gone_after,
                    knows_all: true,
                };
                let lookup = |_: &CompanyId| Lookup::Known(Arc::default());
                match step(work, &endpoints, reliance, lookup, now) {
                    Step::Replace(Instead::Park(parked, delay)) => {
                        (waited, ahead) = (waited + delay.as_duration(), jump);
                        work = message::read_work(&super::parked(parked, delay).1).unwrap();
                    }
                    Step::Replace(Instead::Discard(_)) => break waited,
                    _ => panic!("neither waited for nor gone"),
                }
            };
            assert_eq!(discarded_after, Duration::from_secs(seconds), "{jump:?}");
        }
    }

    /// The registry finishes loading between a lookup and the question whether that knew everything.
    #[test]
    fn what_is_loaded_in_between_is_looked_up_once_more_before_a_message_ends() {
        let unrouted = || Unrouted {
            event: Event::new("acme", "booking.created", "{}").unwrap(),
            pass_through: PassThrough {
                parked: 2,
                unknown_since: Some(Timestamp::UNIX_EPOCH),
                ..PassThrough::default()
            },
        };
        let delivery = || Delivery::first(unrouted(), EndpointId::parse("ep_1").unwrap());
        for work in [Work::Route(unrouted()), Work::Deliver(delivery())] {
            let stale = Lookup::Known(Arc::default());
            let reliance = |_: &CompanyId| Reliance {
                gone_after: Duration::from_secs(120),
                knows_all: true,
            };
            let now = Timestamp::UNIX_EPOCH + Duration::from_secs(600);
            let step = step(work, &stale, reliance, |_| Lookup::NotYet, now);
            assert!(matches!(step, Step::Replace(Instead::Park(_, _))));
        }
    }

    #[test]
    fn crashes_are_counted_on_by_a_message_that_goes_on_and_not_by_those_that_are_made_of_it() {
        // A suspect that nothing was counted of yet is one still.
        for crashes in [0, 4].map(Some) {
            let unrouted = Unrouted {
                event: Event::new("acme", "booking.created", "{}").unwrap(),
                pass_through: PassThrough {
                    crashes,
                    ..PassThrough::default()
                },
            };
            let endpoint = EndpointId::parse("ep_1").unwrap();
            let (queue, one_of_several) = fanned_out(&unrouted, &endpoint);
            assert_eq!(
                (queue, message::crashes(&one_of_several)),
                (Queue::Deliveries, None)
            );
            let only = Delivery::first(unrouted, endpoint);
            let (_, set_aside) = parked(Work::Deliver(only), PARK_DELAYS[0]);
            assert_eq!(message::crashes(&set_aside), crashes);
        }
    }
}
