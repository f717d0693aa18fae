//! Steps 3 to 8: the way of a message from its working queue on: routed, and either attempted or settled without an attempt.
//! It decides nothing: `route.rs` says what to do, `fairness/` when, `schedule.rs` what comes after.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::delivery::{Unrouted, Work};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::message::{self, Message, Rejection};
use hookline_common::outcome::Outcome;
use hookline_common::schedule::Delay;
use hookline_common::telemetry::trace_of;
use hookline_common::topology::Queue;
use hookline_consume::{Handler, InHand, Taken};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::attempt::Report;
use crate::attempts::{Attempts, Job};
use crate::endpoints::{Endpoints, Lookup};
use crate::fairness::{Permit, StartLimiter};
use crate::meters::Meters;
use crate::outside::{Keeps, time_of_day};
use crate::queues::Working;
use crate::route::{self, Step};
use crate::settle::{Settler, Subject};
use crate::spans;
use crate::suspects;

/// Events that fan out at once. Each has up to 64 messages on their way, so this many keep the broker busy, and more would
/// only need more memory.
const FAN_OUTS: usize = 16;

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
    fan_outs: Arc<Semaphore>,
}

/// A message on its way.
struct Passage {
    queue: Working,
    in_hand: InHand,
    permit: Option<Permit>,
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
            fan_outs: Arc::new(Semaphore::new(FAN_OUTS)),
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
            permit: Some(permit),
        };
        self.proceed(passage, message, 0).await;
    }

    /// Takes a message of the quarantine in.
    pub(crate) async fn take_suspect(self: &Arc<Self>, in_hand: InHand, message: Message, crashes: u32) {
        self.meters.received(Working::Quarantine);
        let passage = Passage {
            queue: Working::Quarantine,
            in_hand,
            permit: None,
        };
        self.proceed(passage, message, crashes).await;
    }

    /// Sets a message of the quarantine aside, with what was counted against it.
    pub(crate) async fn set_aside(&self, in_hand: InHand, message: Message, crashes: u32, delay: Delay) {
        let mut work = match route::read(Working::Quarantine, &message) {
            Ok(work) => work,
            Err(rejection) => return self.reject(in_hand, &message, &rejection).await,
        };
        self.meters.parked();
        work.pass_through_mut().crashes = crashes;
        let replacement = route::parked(work, delay);
        let subject = Subject::message(&message);
        self.settler.replace(in_hand, replacement, subject).await;
    }

    /// Sends a message that nobody can understand, or that crashes its consumers, to where people look at it.
    pub(crate) async fn reject(&self, in_hand: InHand, message: &Message, rejection: &Rejection) {
        self.meters.rejected(rejection);
        let subject = Subject::message(message);
        let sender = message.sender.properties.as_deref();
        warn!(
            message_id = subject.event,
            reason = rejection.name(),
            app_id = sender.and_then(|sender| sender.app_id.as_deref()),
            user_id = sender.and_then(|sender| sender.user_id.as_deref()),
            "a message goes to the rejected queue: {rejection}"
        );
        let rejected = message::write_rejected(message, rejection, time_of_day());
        let replacement = (Queue::Rejected, rejected);
        self.settler.replace(in_hand, replacement, subject).await;
    }

    /// Moves a message that came back too often to where it is handled alone, before anything else is done with it.
    fn quarantine(self: &Arc<Self>, queue: Working, in_hand: InHand, message: Message) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            match message::write_suspect(&message, queue == Working::Events) {
                Ok(suspect) => {
                    this.meters.quarantined();
                    let replacement = (Queue::Quarantine, suspect);
                    let subject = Subject::message(&message);
                    this.settler.replace(in_hand, replacement, subject).await;
                }
                Err(rejection) => this.reject(in_hand, &message, &rejection).await,
            }
        });
    }

    async fn proceed(self: &Arc<Self>, passage: Passage, message: Message, crashes: u32) {
        let mut work = match route::read(passage.queue, &message) {
            Ok(work) => work,
            Err(rejection) => {
                let this = Arc::clone(self);
                self.tasks.spawn(async move {
                    this.reject(passage.in_hand, &message, &rejection).await;
                });
                return;
            }
        };
        drop(message);
        if passage.queue == Working::Events {
            self.meters.taken(work.event(), time_of_day());
        }
        work.pass_through_mut().crashes = crashes;
        let company = &work.event().company;
        let endpoints = self.endpoints.lookup(company);
        if !route::needs_a_fresh_look(&work, &endpoints) && !self.endpoints.has_news_of(company) {
            return self.pass_on(passage, work, &endpoints, self.unknown_grace).await;
        }
        if let Some(looked) = self.endpoints.look_again(company) {
            // Nothing is begun meanwhile, so others may.
            let passage = Passage {
                permit: None,
                ..passage
            };
            let this = Arc::clone(self);
            self.tasks.spawn(async move {
                looked.await;
                let endpoints = this.endpoints.lookup(&work.event().company);
                let unknown_grace = this.unknown_grace(&work.event().company);
                this.pass_on(passage, work, &endpoints, unknown_grace).await;
            });
            return;
        }
        let unknown_grace = self.unknown_grace(&work.event().company);
        self.pass_on(passage, work, &endpoints, unknown_grace).await;
    }

    /// How long an endpoint of this company may be unknown before it counts as gone: for ever, while nobody can look.
    fn unknown_grace(&self, company: &CompanyId) -> Duration {
        if self.endpoints.is_current(company) {
            self.unknown_grace
        } else {
            Duration::MAX
        }
    }

    /// Steps 4 to 8, as `route` says.
    async fn pass_on(
        self: &Arc<Self>,
        passage: Passage,
        work: Work,
        endpoints: &Lookup,
        unknown_grace: Duration,
    ) {
        match route::step(work, endpoints, unknown_grace, time_of_day()) {
            Step::Attempt(mut delivery, endpoint) => {
                let Passage {
                    queue,
                    in_hand,
                    permit,
                } = passage;
                let span = spans::process(&mut delivery.event, || self.settler.queue_name(queue.queue()));
                let job = Job::new(queue, in_hand, delivery, endpoint, span);
                self.attempts.admit(job, permit).await;
            }
            Step::FanOut(unrouted, endpoints) => self.fan_out(passage, unrouted, endpoints).await,
            Step::Nobody(unrouted) if !self.endpoints.is_told() => {
                let (this, step) = (Arc::clone(self), route::not_known_for_sure(unrouted));
                self.tasks
                    .spawn(async move { this.carry_out(step, passage).await });
            }
            Step::Nobody(unrouted) => {
                if let Some(in_hand) = passage.in_hand.begin() {
                    let event = &unrouted.event;
                    debug!(event = %event.id, company = %event.company, r#type = %event.event_type, "no endpoint wants this event");
                    self.meters.unmatched();
                    in_hand.settle();
                }
            }
            step => {
                let this = Arc::clone(self);
                self.tasks
                    .spawn(async move { this.carry_out(step, passage).await });
            }
        }
    }

    async fn fan_out(self: &Arc<Self>, passage: Passage, mut unrouted: Unrouted, endpoints: Vec<EndpointId>) {
        let span = spans::process(&mut unrouted.event, || {
            self.settler.queue_name(passage.queue.queue())
        });
        if !span.is_disabled() {
            unrouted.event.trace = trace_of(&span);
        }
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&self.fan_outs).acquire_owned().await else {
            return;
        };
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            this.settler.fan_out(passage.in_hand, unrouted, endpoints).await;
            drop((place, span));
        });
    }

    /// What needs no attempt and no wait.
    async fn carry_out(&self, step: Step, passage: Passage) {
        let Passage { in_hand, .. } = passage;
        match step {
            Step::Park(work, delay) => {
                self.meters.parked();
                let event = work.event().id.clone();
                let subject = Subject {
                    event: event.as_str(),
                    endpoint: None,
                    attempt: None,
                };
                let replacement = route::parked(work, delay);
                self.settler.replace(in_hand, replacement, subject).await;
            }
            Step::Fail(delivery, cause) => {
                self.meters.failed(cause.reason);
                let dead_letter = message::write_failed(&delivery, &cause);
                let (replacement, subject) = ((Queue::Failed, dead_letter), Subject::delivery(&delivery));
                self.settler.replace(in_hand, replacement, subject).await;
            }
            Step::Discard(delivery) => {
                if let Some(in_hand) = in_hand.begin() {
                    let report = Report::nothing(Outcome::Discarded);
                    self.attempts.conclude(in_hand, &delivery, None, report).await;
                }
            }
            // Taken care of where they came up.
            Step::Nobody(_) | Step::FanOut(..) | Step::Attempt(..) => {}
        }
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

    async fn queue_is_missing(&self) {
        self.publisher.declare_again().await;
    }
}
