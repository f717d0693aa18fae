//! Steps 3 to 8: the way of a message from its working queue on: routed, and either attempted or settled without an attempt.
//! It decides nothing: `route.rs` says what to do, `fairness/` when, `schedule.rs` what comes after.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::delivery::{Unrouted, Work};
use hookline_common::ids::{AttemptNo, CompanyId, EndpointId};
use hookline_common::message::{self, Message, Rejection};
use hookline_common::outcome::Outcome;
use hookline_common::schedule::Delay;
use hookline_common::telemetry::trace_of;
use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_consume::{Handler, InHand, Taken};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::attempt::Report;
use crate::attempts::{Attempts, Job};
use crate::endpoints::{Endpoints, Lookup};
use crate::fairness::{Leave, Permit, StartLimiter};
use crate::meters::Meters;
use crate::outside::{Keeps, time_of_day};
use crate::queues::Working;
use crate::route::{self, Instead, Reliance, Step};
use crate::settle::{Settler, Subject};
use crate::spans;
use crate::suspects;

/// Events that fan out at once. Each has up to 64 messages on their way, so this many keep the broker busy, and more would
/// only need more memory.
const FAN_OUTS: usize = 16;
/// How long an event waits for its turn to fan out, holding a place of its window: a fan-out takes milliseconds, unless the queue of
/// deliveries takes nothing, and then events with one endpoint must get past.
const FAN_OUT_WAIT: Duration = Duration::from_secs(1);
/// For how long it is set aside then: what keeps a queue from taking anything lasts for seconds.
const FAN_OUT_DELAY: Delay = PARK_DELAYS[1];
/// How long a stop waits for a suspect to be stored anew: a broker that answers takes milliseconds.
const MOVED_WITHIN: Duration = Duration::from_secs(2);

/// Everything that a message meets on its way.
pub struct Pipeline {
    /// Which endpoints there are.
    endpoints: Arc<dyn Endpoints>,
    /// How long an endpoint that cannot be found counts as not yet known.
    unknown_grace: Duration,
    /// Makes attempts when it is their turn.
    attempts: Arc<Attempts>,
    /// Ends messages.
    settler: Settler,
    /// What is counted.
    meters: Meters,
    /// All work in flight.
    tasks: TaskTracker,
    fan_outs: Semaphore,
}

/// A message on its way.
struct Passage {
    queue: Working,
    in_hand: InHand,
    leave: Leave,
}

impl Pipeline {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        endpoints: Arc<dyn Endpoints>,
        unknown_grace: Duration,
        attempts: Arc<Attempts>,
        settler: Settler,
        meters: Meters,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new(Self {
            endpoints,
            unknown_grace,
            attempts,
            settler,
            meters,
            tasks,
            fan_outs: Semaphore::new(FAN_OUTS),
        })
    }

    /// Takes a message of a working queue in and sees to it that it is settled. An attempt that begins at once keeps the
    /// permit until it ends.
    async fn take(self: &Arc<Self>, queue: Working, taken: Taken, permit: Permit) {
        self.meters.received(queue);
        let Taken {
            in_hand,
            returned,
            message,
        } = taken;
        if suspects::is_suspect(queue, returned, &message) {
            return self.quarantine(queue, in_hand, message);
        }
        let passage = Passage {
            queue,
            in_hand,
            leave: Leave::Given(permit),
        };
        let crashes = suspects::known_crashes(queue, &message);
        self.proceed(passage, message, crashes).await;
    }

    /// Takes a message of the quarantine in.
    pub(crate) async fn take_suspect(self: &Arc<Self>, in_hand: InHand, message: Message, crashes: u32) {
        self.meters.received(Working::Quarantine);
        let passage = Passage {
            queue: Working::Quarantine,
            in_hand,
            leave: Leave::Free,
        };
        self.proceed(passage, message, Some(crashes)).await;
    }

    /// Has a stop that comes before a message of the quarantine is begun store it there anew, with what was counted against it, in
    /// place of giving it back, which would be counted as well.
    pub(crate) fn keep_from_a_stop(self: &Arc<Self>, in_hand: &InHand, message: &Message, crashes: u32) {
        let (this, message) = (Arc::clone(self), message.clone());
        in_hand.on_stop(move |in_hand| {
            let settler = this.settler.clone();
            this.tasks.spawn(async move {
                // What is beyond the limits goes back as it came, and is rejected by whoever takes it next.
                let Ok(mut suspect) = message::write_suspect(&message, false) else {
                    return;
                };
                message::set_crashes(&mut suspect, crashes);
                let (replacement, subject) = ((Queue::Quarantine, suspect), Subject::message(&message));
                let moved = settler.settle(in_hand, Some(replacement), None, subject);
                // A broker that takes nothing holds up no stop: it gives the message to somebody as it was.
                drop(timeout(MOVED_WITHIN, moved).await);
            });
        });
    }

    /// Sets a message of the quarantine aside, with what was counted against it.
    pub(crate) fn set_aside(self: &Arc<Self>, in_hand: InHand, message: Message, crashes: u32, delay: Delay) {
        let mut work = match route::read(Working::Quarantine, &message) {
            Ok(work) => work,
            Err(rejection) => return self.reject(in_hand, message, rejection),
        };
        work.pass_through_mut().crashes = Some(crashes);
        let replacement = route::parked(work, delay);
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let subject = Subject::message(&message);
            this.settler
                .replace(in_hand, replacement, subject, || this.meters.parked())
                .await;
        });
    }

    /// Sends a message that nobody can understand, or that crashes its consumers, to where people look at it.
    pub(crate) fn reject(self: &Arc<Self>, in_hand: InHand, message: Message, rejection: Rejection) {
        let this = Arc::clone(self);
        self.tasks
            .spawn(async move { this.write_rejected(in_hand, &message, &rejection).await });
    }

    async fn write_rejected(&self, in_hand: InHand, message: &Message, rejection: &Rejection) {
        let subject = Subject::message(message);
        let tell = || {
            self.meters.rejected(rejection);
            let sender = message.sender.properties.as_deref();
            warn!(
                message_id = subject.event,
                reason = rejection.name(),
                app_id = sender.and_then(|sender| sender.app_id.as_deref()),
                user_id = sender.and_then(|sender| sender.user_id.as_deref()),
                "a message goes to the rejected queue: {rejection}"
            );
        };
        let rejected = message::write_rejected(message, rejection, time_of_day());
        let replacement = (Queue::Rejected, rejected);
        self.settler.replace(in_hand, replacement, subject, tell).await;
    }

    /// Moves a message that came back too often to where it is handled alone, before anything else is done with it.
    fn quarantine(self: &Arc<Self>, queue: Working, in_hand: InHand, message: Message) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            match message::write_suspect(&message, queue == Working::Events) {
                Ok(mut suspect) => {
                    if let Some(crashes) = suspects::counted(queue, &message) {
                        message::set_crashes(&mut suspect, crashes);
                    }
                    let replacement = (Queue::Quarantine, suspect);
                    let subject = Subject::message(&message);
                    let count = || this.meters.quarantined();
                    this.settler.replace(in_hand, replacement, subject, count).await;
                }
                Err(rejection) => this.write_rejected(in_hand, &message, &rejection).await,
            }
        });
    }

    async fn proceed(self: &Arc<Self>, passage: Passage, message: Message, crashes: Option<u32>) {
        let mut work = match route::read(passage.queue, &message) {
            Ok(work) => work,
            Err(rejection) => return self.reject(passage.in_hand, message, rejection),
        };
        drop(message);
        if passage.queue == Working::Events {
            self.meters.taken(work.event(), time_of_day());
        }
        work.pass_through_mut().crashes = crashes;
        let company = &work.event().company;
        let endpoints = self.endpoints.lookup(company);
        if !route::needs_a_fresh_look(&work, &endpoints) && !self.endpoints.has_news_of(company) {
            return self.pass_on(passage, work, &endpoints).await;
        }
        if let Some(looked) = self.endpoints.look_again(company) {
            // Nothing is begun meanwhile, so others may.
            let passage = Passage {
                leave: passage.leave.give_back(),
                ..passage
            };
            let this = Arc::clone(self);
            self.tasks.spawn(async move {
                looked.await;
                let endpoints = this.endpoints.lookup(&work.event().company);
                this.pass_on(passage, work, &endpoints).await;
            });
            return;
        }
        self.pass_on(passage, work, &endpoints).await;
    }

    /// How far it may be relied on that what is not known of this company is not there.
    fn reliance(&self, company: &CompanyId) -> Reliance {
        Reliance {
            gone_after: if self.endpoints.is_current(company) {
                self.unknown_grace
            } else {
                Duration::MAX
            },
            knows_all: self.endpoints.is_told_of(company),
        }
    }

    /// Steps 4 to 8, as `route` says.
    async fn pass_on(self: &Arc<Self>, passage: Passage, work: Work, endpoints: &Lookup) {
        let reliance = |company: &CompanyId| self.reliance(company);
        let lookup = |company: &CompanyId| self.endpoints.lookup(company);
        match route::step(work, endpoints, reliance, lookup, time_of_day()) {
            Step::Attempt(mut delivery, endpoint) => {
                let Passage {
                    queue,
                    in_hand,
                    leave,
                } = passage;
                let span = spans::process(&mut delivery.event, || self.settler.queue_name(queue.queue()));
                let job = Job::new(queue, in_hand, delivery, endpoint, span);
                self.attempts.admit(job, leave).await;
            }
            Step::FanOut(unrouted, endpoints) => self.fan_out(passage, unrouted, endpoints),
            Step::Nobody(unrouted) => {
                if let Some(in_hand) = passage.in_hand.begin() {
                    let event = &unrouted.event;
                    debug!(event = %event.id, company = %event.company, r#type = %event.event_type, "no endpoint wants this event");
                    self.meters.unmatched();
                    in_hand.settle();
                }
            }
            Step::Replace(instead) => {
                let this = Arc::clone(self);
                self.tasks
                    .spawn(async move { this.replace(passage.in_hand, instead).await });
            }
        }
    }

    /// Fans an event out when it is its turn; set aside where that does not come.
    fn fan_out(self: &Arc<Self>, passage: Passage, mut unrouted: Unrouted, endpoints: Vec<EndpointId>) {
        // Without the permit: nothing is begun yet, so others may.
        let Passage { queue, in_hand, .. } = passage;
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            // The semaphore is never closed.
            let Ok(Ok(place)) = timeout(FAN_OUT_WAIT, this.fan_outs.acquire()).await else {
                let instead = Instead::Park(Work::Route(unrouted), FAN_OUT_DELAY);
                return this.replace(in_hand, instead).await;
            };
            let span = spans::process(&mut unrouted.event, || this.settler.queue_name(queue.queue()));
            if !span.is_disabled() {
                unrouted.event.trace = trace_of(&span);
            }
            this.settler.fan_out(in_hand, unrouted, endpoints).await;
            drop((place, span));
        });
    }

    /// Ends a message with what takes the place of an attempt.
    async fn replace(&self, in_hand: InHand, instead: Instead) {
        match instead {
            Instead::Park(work, delay) => {
                let (event, of) = (work.event().id.clone(), delivery_of(&work));
                let subject = Subject {
                    event: event.as_str(),
                    endpoint: of.as_ref().map(|(endpoint, _)| endpoint.as_str()),
                    attempt: of.as_ref().map(|(_, attempt)| *attempt),
                };
                let replacement = route::parked(work, delay);
                let count = || self.meters.parked();
                self.settler.replace(in_hand, replacement, subject, count).await;
            }
            Instead::Fail(delivery, cause) => {
                let count = || self.meters.failed(cause.reason);
                let dead_letter = message::write_failed(&delivery, &cause);
                let (replacement, subject) = ((Queue::Failed, dead_letter), Subject::delivery(&delivery));
                self.settler.replace(in_hand, replacement, subject, count).await;
            }
            Instead::Discard(delivery) => {
                if let Some(in_hand) = in_hand.begin() {
                    let report = Report::nothing(Outcome::Discarded);
                    self.attempts.conclude(in_hand, &delivery, None, report).await;
                }
            }
        }
    }
}

/// The endpoint and the attempt that work is about, where it is a delivery.
fn delivery_of(work: &Work) -> Option<(EndpointId, AttemptNo)> {
    match work {
        Work::Route(_) => None,
        Work::Deliver(delivery) => Some((delivery.endpoint.clone(), delivery.attempt)),
    }
}

/// Takes in what the broker pushes from one working queue.
pub struct Reception {
    /// Which queue.
    pub queue: Working,
    /// How many attempts begin at once.
    pub limiter: Arc<StartLimiter>,
    /// Where each message goes.
    pub pipeline: Arc<Pipeline>,
    /// What makes sure of the queues.
    pub publisher: Arc<dyn Keeps>,
}

impl Handler for Reception {
    async fn take(&self, taken: Taken) {
        let permit = self.limiter.acquire().await;
        self.pipeline.take(self.queue, taken, permit).await;
    }

    fn queue_is_missing(&self) {
        self.publisher.look_for_missing();
    }

    fn is_resized(&self, messages: u16, beside: usize) {
        let fairness = self.pipeline.attempts.fairness();
        fairness.resized(self.queue.index(), usize::from(messages), beside);
    }
}
