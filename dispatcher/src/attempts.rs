//! Step 4, carried out: asks `fairness` for each delivery, makes the attempts whose turn it is, and has them settled.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::delivery::{DeadLetterReason, Delivery, Work};
use hookline_common::failpoint;
use hookline_common::ids::AttemptNo;
use hookline_common::outcome::Outcome;
use hookline_common::schedule::{Delay, NextStep, RetrySchedule};
use hookline_common::topology::PARK_DELAYS;
use hookline_consume::InHand;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tracing::{Span, error};

use crate::attempt::{Report, attempt};
use crate::endpoints::{EndpointKey, Endpoints, Lookup, PreparedEndpoint};
use crate::fairness::{Admission, Fairness, Feedback, JobInfo, Leave, Permit};
use crate::meters::Meters;
use crate::outside::{Sends, time_of_day};
use crate::queues::Working;
use crate::route;
use crate::settings::KeepPayloads;
use crate::settle::{self, Settler, Subject};
use crate::spans::{self, Traced};
use crate::standstill::Standstill;
#[cfg(test)]
use crate::tests::simulation::mistakes::{Mistake, is_back};

/// How long a delivery that has to wait holds up its queue before its turn is asked for again, if nothing changes meanwhile.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// For how long a delivery is set aside that could not be attempted for want of files, ports or memory: what hinders us
/// then lasts for as long as the requests that hold them, which is seconds.
const SHORTAGE_DELAY: Delay = PARK_DELAYS[1];
/// The same of a delivery whose endpoint has changed while it waited, so that it is judged anew.
const CHANGED_DELAY: Delay = PARK_DELAYS[0];

/// A delivery that is about to be attempted.
pub struct Job {
    queue: Working,
    in_hand: InHand,
    delivery: Delivery,
    endpoint: Arc<PreparedEndpoint>,
    permit: Option<Permit>,
    /// Its span, as long as it is in hand.
    span: Span,
    /// Whether it begins as soon as it came: whatever waits for its turn does so perhaps while its endpoint is changed.
    is_fresh: bool,
}

impl Job {
    /// A delivery from `queue`.
    #[must_use]
    pub fn new(
        queue: Working,
        in_hand: InHand,
        delivery: Delivery,
        endpoint: Arc<PreparedEndpoint>,
        span: Span,
    ) -> Box<Self> {
        Box::new(Self {
            queue,
            in_hand,
            delivery,
            endpoint,
            permit: None,
            span,
            is_fresh: false,
        })
    }

    fn info(&self) -> JobInfo {
        JobInfo {
            queue: self.queue.index(),
            parked: self.delivery.pass_through.parked,
            rate: self.endpoint.endpoint.rate.map(|rate| rate.per_second()),
        }
    }
}

/// What holds for all attempts.
pub struct Terms {
    /// The delays between them.
    pub schedule: RetrySchedule,
    /// Whose data goes into the log.
    pub keep_payloads: KeepPayloads,
    /// Whether receivers are told of the trace.
    pub trace_receivers: bool,
}

/// Makes attempts, each in its turn.
pub struct Attempts {
    endpoints: Arc<dyn Endpoints>,
    fairness: Fairness<EndpointKey, Box<Job>>,
    client: Box<dyn Sends>,
    settler: Settler,
    terms: Terms,
    meters: Meters,
    tasks: TaskTracker,
    standstill: Standstill,
}

impl Attempts {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        endpoints: Arc<dyn Endpoints>,
        fairness: Fairness<EndpointKey, Box<Job>>,
        client: impl Sends,
        settler: Settler,
        terms: Terms,
        meters: Meters,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new(Self {
            endpoints,
            fairness,
            client: Box::new(client),
            settler,
            terms,
            meters,
            tasks,
            standstill: Standstill::default(),
        })
    }

    /// Whose turn it is.
    #[must_use]
    pub fn fairness(&self) -> &Fairness<EndpointKey, Box<Job>> {
        &self.fairness
    }

    /// Starts a delivery, lets it wait or sets it aside. Where its queue must not be read any further, this takes until it
    /// may.
    pub async fn admit(self: &Arc<Self>, mut job: Box<Job>, mut leave: Leave) {
        let (fairness, queue) = (&self.fairness, job.queue.index());
        // Whatever it waits for here, its endpoint may be changed meanwhile.
        let mut is_fresh = !matches!(leave, Leave::Needed(_));
        while !self.standstill.may_try(Instant::now()) && !fairness.is_closed() {
            (leave, is_fresh) = (leave.give_back(), false);
            sleep(ASK_AGAIN_AFTER).await;
        }
        let _turn = match fairness.try_turn(queue) {
            Some(turn) => turn,
            None => {
                // Nothing is begun meanwhile, so others may.
                (leave, is_fresh) = (leave.give_back(), false);
                match fairness.turn(queue).await {
                    Some(turn) => turn,
                    // A stop: it has not begun, and is back on its queue.
                    None => return,
                }
            }
        };
        let mut permit = leave.permit().await;
        while !fairness.is_closed() {
            let (endpoint, info) = (Arc::clone(&job.endpoint), job.info());
            // Before the question, so that no change is missed that comes right behind the answer.
            let changed = fairness.changed();
            match fairness.admit(&endpoint.key, info, job, Instant::now()) {
                Admission::Start(mut started) => {
                    (started.permit, started.is_fresh) = (permit, is_fresh);
                    return self.start(started);
                }
                Admission::Wait => return,
                Admission::Park(parked, delay) => return self.park(parked, delay),
                Admission::Hold(held) => {
                    job = held;
                    (permit, is_fresh) = (None, false);
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = sleep(ASK_AGAIN_AFTER) => {}
                    }
                }
            }
        }
    }

    /// Starts and parks what time alone makes due, for ever.
    pub async fn keep_time(self: Arc<Self>) {
        loop {
            let now = Instant::now();
            let due = self.fairness.tick(now);
            due.start.into_iter().for_each(|job| self.start(job));
            due.park
                .into_iter()
                .for_each(|(job, delay)| self.park(job, delay));
            self.fairness.due().await;
        }
    }

    /// Lets go of what waits for its turn, and of what waits to ask for one: not begun, it goes back to its queue.
    pub fn give_back_waiting(&self) {
        self.fairness.close();
        drop(self.fairness.take_waiting());
    }

    fn start(self: &Arc<Self>, job: Box<Job>) {
        self.tasks.spawn(Arc::clone(self).run(job));
    }

    fn park(self: &Arc<Self>, job: Box<Job>, delay: Delay) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let Job {
                in_hand,
                delivery,
                span,
                ..
            } = *job;
            spans::parked(&span, delay.as_seconds());
            let id = delivery.event.id.clone();
            let (endpoint, attempt) = (delivery.endpoint.clone(), delivery.attempt);
            let subject = Subject {
                event: id.as_str(),
                endpoint: Some(endpoint.as_str()),
                attempt: Some(attempt),
            };
            let replacement = route::parked(Work::Deliver(delivery), delay);
            this.settler
                .replace(in_hand, replacement, subject, || this.meters.parked())
                .await;
        });
    }

    /// The endpoint as it is known now. None where it is gone, was switched off, or is not known now.
    fn as_it_is_now(&self, job: &Job) -> Option<Arc<PreparedEndpoint>> {
        let is_fresh = job.is_fresh;
        #[cfg(test)]
        let is_fresh = is_fresh || is_back(Mistake::SendsAsItWas);
        if is_fresh {
            return Some(Arc::clone(&job.endpoint));
        }
        match self.endpoints.lookup(&job.delivery.event.company) {
            Lookup::Known(company) => company
                .find(&job.delivery.endpoint)
                .filter(|now| !now.endpoint.disabled || job.endpoint.endpoint.disabled),
            // Its company's last endpoint may just have gone, or it was pushed out of memory: it is looked up when it returns.
            Lookup::NotYet => None,
        }
    }

    /// Makes one attempt, passes the slot on, and settles.
    async fn run(self: Arc<Self>, mut job: Box<Job>) {
        match self.as_it_is_now(&job) {
            Some(endpoint) => job.endpoint = endpoint,
            None => {
                let (endpoint, queue) = (Arc::clone(&job.endpoint), job.queue);
                self.park(job, CHANGED_DELAY);
                return self.pass_on(&endpoint, queue, Feedback::NothingAsked, Duration::ZERO);
            }
        }
        let Job {
            queue,
            in_hand,
            mut delivery,
            endpoint,
            permit,
            span,
            ..
        } = *job;
        let Some(in_hand) = in_hand.begin_asking() else {
            return self.pass_on(&endpoint, queue, Feedback::NothingAsked, Duration::ZERO);
        };
        let in_flight = self.meters.attempting();
        let traced = Traced {
            process: span,
            tells_receivers: self.terms.trace_receivers,
        };
        failpoint::reached("before_post", delivery.event.id.as_str());
        let attempt = attempt(&*self.client, &endpoint, &delivery, &traced);
        let report = match permit {
            Some(permit) if self.fairness.takes_its_time(&endpoint.key) => {
                permit.until_it_waits(attempt).await
            }
            permit => {
                let report = attempt.await;
                drop(permit);
                report
            }
        };
        failpoint::reached("after_answer", delivery.event.id.as_str());
        in_hand.has_asked();
        drop(in_flight);
        match report {
            Ok(mut report) => {
                if report.verdict.outcome != Outcome::Blocked {
                    self.standstill.is_over(Instant::now());
                }
                if let Some(trace) = report.trace.take() {
                    delivery.event.trace = trace;
                }
                // The process came through the attempt, so the message is not what ended those before.
                delivery.pass_through.crashes = None;
                let feedback = self.within_schedule(report.verdict.feedback);
                self.pass_on(&endpoint, queue, feedback, report.duration);
                self.conclude(in_hand, &delivery, Some(&endpoint), report).await;
            }
            Err(shortage) => {
                if shortage.keeps_everything_in() {
                    self.standstill.met(Instant::now());
                }
                self.pass_on(&endpoint, queue, Feedback::NothingAsked, Duration::ZERO);
                self.meters.parked();
                let parked = route::parked(Work::Deliver(delivery.clone()), SHORTAGE_DELAY);
                let subject = Subject::delivery(&delivery);
                self.settler.settle(in_hand, Some(parked), None, subject).await;
            }
        }
    }

    fn pass_on(
        self: &Arc<Self>,
        endpoint: &PreparedEndpoint,
        queue: Working,
        feedback: Feedback,
        took: Duration,
    ) {
        let now = Instant::now();
        let next = self
            .fairness
            .release(&endpoint.key, queue.index(), feedback, took, now);
        next.into_iter().for_each(|job| self.start(job));
    }

    /// A receiver that asks for more time than the longest delay there is gets that delay, for the delivery that it refused
    /// and for its others alike.
    fn within_schedule(&self, feedback: Feedback) -> Feedback {
        match feedback {
            Feedback::Refused {
                retry_after: Some(asked),
            } => Feedback::Refused {
                retry_after: Some(asked.min(self.terms.schedule.longest().as_duration())),
            },
            other => other,
        }
    }

    /// Decides what comes after an attempt, and settles it. `endpoint` is none where it is gone.
    pub async fn conclude(
        &self,
        in_hand: InHand,
        delivery: &Delivery,
        endpoint: Option<&PreparedEndpoint>,
        report: Report,
    ) {
        let (verdict, subject) = (&report.verdict, Subject::delivery(delivery));
        self.meters
            .attempted(delivery, verdict.outcome, report.started_at, report.duration);
        let next = self.terms.schedule.next_step(
            delivery.origin,
            delivery.attempt,
            verdict.outcome,
            verdict.not_before,
        );
        match next {
            NextStep::Done => {}
            NextStep::RetryAfter(_) => self.meters.retry_scheduled(),
            NextStep::Failed => self.meters.failed(DeadLetterReason::RetriesExhausted),
        }
        let replacement = settle::replacement(delivery, verdict, next, time_of_day());
        let record = self.settler.is_recording().then(|| {
            let keeps_data = self.keeps_data(delivery, verdict.outcome);
            settle::line(delivery, endpoint, &report, next, keeps_data)
        });
        let record = match record.transpose() {
            Ok(record) => record,
            Err(error) => {
                let (event, endpoint) = (&delivery.event.id, &delivery.endpoint);
                let attempt = delivery.attempt.get();
                error!(%error, %event, %endpoint, attempt, "a record cannot be written, and is left out of the log");
                self.meters.records_lost(1);
                None
            }
        };
        self.settler.settle(in_hand, replacement, record, subject).await;
    }

    /// The data goes into the log once: with the first attempt, or the first that failed.
    fn keeps_data(&self, delivery: &Delivery, outcome: Outcome) -> bool {
        let is_first = delivery.attempt == AttemptNo::FIRST;
        match self.terms.keep_payloads {
            KeepPayloads::All => is_first,
            KeepPayloads::Failed => is_first && outcome != Outcome::Delivered,
            KeepPayloads::None => false,
        }
    }
}
