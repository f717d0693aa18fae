//! The way of a message through the dispatcher, from its queue to where it is settled. It decides nothing:
//! `route.rs` says what to do, `lane.rs` when, `schedule.rs` what comes after.

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::Incoming;
use hookline_common::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Work};
use hookline_common::ids::{AttemptNo, CompanyId, EndpointId};
use hookline_common::message::{self, Message, Rejection};
use hookline_common::outcome::Outcome;
use hookline_common::schedule::{Delay, NextStep, RetrySchedule};
use hookline_common::topology::Queue;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::attempt::{Report, attempt};
use crate::client::Client;
use crate::endpoints::{Endpoints, Registered};
use crate::gate::Pass;
use crate::lane::{Admission, Bounds, Lanes, Sign};
use crate::meters::Meters;
use crate::route::{self, Step};
use crate::settings::KeepPayloads;
use crate::settle::{Acks, Replacements, Settler, Source, Ticket};

/// How long a suspicious message is alone at most: a crash shows at once, and a slow receiver is no crash. Messages that
/// were only given back by restarts pass here, too, five a second at least.
const ALONE: Duration = Duration::from_millis(200);

/// How long new endpoints are given to show whether they answer, before what is for one more is set aside.
const GET_TO_KNOW: Duration = Duration::from_millis(100);
/// How long to wait before a slot is asked for again meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(2);
/// How often the lanes are looked at for what waits behind requests that hang.
const RELIEVE_EVERY: Duration = Duration::from_millis(250);

type LaneKey = (CompanyId, EndpointId);

/// A delivery that is about to be attempted.
struct Job {
    source: Source,
    ticket: Ticket,
    delivery: Delivery,
    endpoint: Arc<Registered>,
}

/// Everything that a message meets on its way.
pub struct Deliverer {
    endpoints: Arc<dyn Endpoints>,
    lanes: Lanes<LaneKey, Job>,
    client: Client,
    acks: Arc<Acks>,
    settler: Settler,
    schedule: RetrySchedule,
    keep_payloads: KeepPayloads,
    unknown_grace: Duration,
    meters: Meters,
    tasks: TaskTracker,
    alone: Mutex<()>,
}

/// What a deliverer is made of.
pub struct Parts {
    /// Which endpoints there are.
    pub endpoints: Arc<dyn Endpoints>,
    /// Sends requests.
    pub client: Client,
    /// The messages in hand.
    pub acks: Arc<Acks>,
    /// Ends messages.
    pub settler: Settler,
    /// The delays between attempts.
    pub schedule: RetrySchedule,
    /// What endpoints may hold.
    pub bounds: Bounds,
    /// Whose data is kept in records.
    pub keep_payloads: KeepPayloads,
    /// How long an endpoint that cannot be found counts as not yet known.
    pub unknown_grace: Duration,
    /// What is counted.
    pub meters: Meters,
    /// All work in flight.
    pub tasks: TaskTracker,
}

impl Deliverer {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            endpoints: parts.endpoints,
            lanes: Lanes::new(parts.bounds),
            client: parts.client,
            acks: parts.acks,
            settler: parts.settler,
            schedule: parts.schedule,
            keep_payloads: parts.keep_payloads,
            unknown_grace: parts.unknown_grace,
            meters: parts.meters,
            tasks: parts.tasks,
            alone: Mutex::default(),
        }
    }

    /// Takes a message in and sees to it that it is settled. An attempt that begins at once keeps the pass until it ends.
    pub async fn take(self: &Arc<Self>, source: Source, incoming: Incoming, pass: Pass) {
        let Incoming {
            tag,
            redelivered,
            returned,
            message,
        } = incoming;
        let Some(ticket) = self.acks.receive(source, tag, redelivered, &message) else {
            return;
        };
        self.meters.received(source);
        if route::is_suspicious(returned) {
            let this = Arc::clone(self);
            self.tasks
                .spawn(async move { this.take_alone(source, ticket, message, returned).await });
            return;
        }
        match self.step(source, &message, returned) {
            Step::Attempt(delivery, endpoint) => {
                let job = Job {
                    source,
                    ticket,
                    delivery,
                    endpoint,
                };
                if let Some(job) = self.admit(job, Some(pass), true) {
                    self.admit_in_a_moment(job).await;
                }
            }
            step => {
                let this = Arc::clone(self);
                self.tasks
                    .spawn(async move { this.carry_out(step, ticket, &message).await });
            }
        }
    }

    /// Handles a message that came back too often, beside the ordinary traffic and one at a time, so that a crash
    /// raises only its own count.
    async fn take_alone(self: Arc<Self>, source: Source, ticket: Ticket, message: Message, returned: u32) {
        let _alone = self.alone.lock().await;
        let Some(ticket) = self.acks.still_ours(ticket) else {
            return;
        };
        let this = Arc::clone(&self);
        let work = self.tasks.spawn(async move {
            let step = this.step(source, &message, returned);
            this.carry_out(step, ticket, &message).await;
        });
        // Whether it ended or just takes long, the next may have its turn.
        drop(timeout(ALONE, work).await);
    }

    fn step(&self, source: Source, message: &Message, returned: u32) -> Step {
        route::step(
            self.endpoints.as_ref(),
            source,
            message,
            returned,
            self.unknown_grace,
            Timestamp::now(),
        )
    }

    async fn carry_out(&self, step: Step, ticket: Ticket, message: &Message) {
        match step {
            Step::Settle(replacements) => self.settler.settle_untouched(ticket, replacements).await,
            Step::Reject(rejection) => self.reject(ticket, message, &rejection).await,
            Step::Discard(delivery) => {
                let report = Report::nothing(Outcome::Discarded);
                self.finish(ticket, &delivery, "", report).await;
            }
            Step::Attempt(delivery, endpoint) => {
                let report = attempt(&self.client, &endpoint, &delivery).await;
                self.finish(ticket, &delivery, &endpoint.shown_url, report).await;
            }
        }
    }

    async fn reject(&self, ticket: Ticket, message: &Message, rejection: &Rejection) {
        self.meters.rejected(rejection);
        let id = message.message_id.as_deref().unwrap_or_default();
        warn!(
            message_id = id,
            reason = rejection.name(),
            "a message goes to the rejected queue: {rejection}"
        );
        let rejected = message::write_rejected(message, rejection, Timestamp::now());
        self.settler
            .settle(ticket, vec![(Queue::Rejected, rejected)], None)
            .await;
    }

    /// Asks for a slot for the delivery, and starts it, lets it wait or sets it aside; or gives it back to ask again,
    /// where it `may_wait`.
    fn admit(self: &Arc<Self>, job: Job, pass: Option<Pass>, may_wait: bool) -> Option<Job> {
        let key = (job.delivery.event.company.clone(), job.delivery.endpoint.clone());
        let (source, parked) = (job.source, job.delivery.pass_through.parked);
        match self
            .lanes
            .admit(&key, source, job, parked, may_wait, Instant::now())
        {
            Admission::Start(job) => self.start(key, job, pass),
            Admission::Waits => {}
            Admission::Park(job, delay) => self.park(job, delay),
            Admission::Later(job) => return Some(job),
        }
        None
    }

    /// Asks again until there is an answer. Meanwhile no more is taken from the same queue: endpoints that nothing is
    /// known of, as all are after a start, show within moments whether they answer.
    async fn admit_in_a_moment(self: &Arc<Self>, mut job: Job) {
        let until = Instant::now() + GET_TO_KNOW;
        while Instant::now() < until {
            sleep(ASK_AGAIN).await;
            match self.admit(job, None, true) {
                Some(again) => job = again,
                None => return,
            }
        }
        self.admit(job, None, false);
    }

    fn park(&self, job: Job, delay: Delay) {
        self.meters.parked();
        let parked = vec![route::parked(Work::Deliver(job.delivery), delay)];
        let (settler, ticket) = (self.settler.clone(), job.ticket);
        self.tasks
            .spawn(async move { settler.settle(ticket, parked, None).await });
    }

    /// Sets aside what waits behind requests that hang, for ever.
    pub async fn relieve_lanes(&self) {
        loop {
            sleep(RELIEVE_EVERY).await;
            let stuck = self
                .lanes
                .stuck(|job| job.delivery.pass_through.parked, Instant::now());
            for (job, delay) in stuck {
                self.park(job, delay);
            }
        }
    }

    fn start(self: &Arc<Self>, key: LaneKey, job: Job, pass: Option<Pass>) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move { this.run(key, job, pass).await });
    }

    /// Makes one attempt, passes the slot on, and settles.
    async fn run(self: Arc<Self>, key: LaneKey, job: Job, pass: Option<Pass>) {
        let Job {
            source,
            ticket,
            delivery,
            endpoint,
        } = job;
        let Some(ticket) = self.acks.still_ours(ticket) else {
            self.pass_on(&key, source, Sign::Neutral, Duration::ZERO);
            return;
        };
        let report = attempt(&self.client, &endpoint, &delivery).await;
        drop(pass);
        self.pass_on(&key, source, sign(report.outcome), report.duration);
        self.finish(ticket, &delivery, &endpoint.shown_url, report).await;
    }

    fn pass_on(self: &Arc<Self>, key: &LaneKey, source: Source, sign: Sign, took: Duration) {
        for next in self.lanes.release(key, source, sign, took, Instant::now()) {
            self.start(key.clone(), next, None);
        }
    }

    /// Decides what comes after an attempt, and settles it.
    async fn finish(&self, ticket: Ticket, delivery: &Delivery, url: &str, report: Report) {
        self.meters.attempted(&report);
        let next = self.schedule.next_step(
            delivery.origin,
            delivery.attempt,
            report.outcome,
            report.not_before,
        );
        let replacements = self.replacements(delivery, &report, next);
        let keeps_data = self.keeps_data(delivery, report.outcome);
        let record = report.into_record(delivery, url, next, keeps_data);
        self.settler.settle(ticket, replacements, Some(record)).await;
    }

    fn replacements(&self, delivery: &Delivery, report: &Report, next: NextStep) -> Replacements {
        match next {
            NextStep::Done => Vec::new(),
            NextStep::RetryAfter(delay) => {
                vec![(
                    Queue::Retry(delay),
                    message::write_delivery(&delivery.for_next_attempt()),
                )]
            }
            NextStep::Failed => {
                self.meters.failed();
                let failure = DeadLetterCause {
                    failed_at: Timestamp::now(),
                    reason: DeadLetterReason::RetriesExhausted,
                    last_outcome: Some(report.outcome),
                    last_status: report.status,
                };
                vec![(Queue::Failed, message::write_failed(delivery, &failure))]
            }
        }
    }

    /// The data goes into the log once: with the first attempt, or the first that failed.
    fn keeps_data(&self, delivery: &Delivery, outcome: Outcome) -> bool {
        let is_first = delivery.attempt == AttemptNo::FIRST;
        match self.keep_payloads {
            KeepPayloads::All => is_first,
            KeepPayloads::Failed => is_first && outcome != Outcome::Delivered,
            KeepPayloads::None => false,
        }
    }

    /// Lets go of what waits for a slot: unstarted, it goes back to its queue.
    pub fn give_back_waiting(&self) {
        self.lanes.clear_waiting();
    }
}

/// What an attempt's outcome shows of how much its endpoint bears.
fn sign(outcome: Outcome) -> Sign {
    match outcome {
        Outcome::Delivered => Sign::Success,
        Outcome::Timeout | Outcome::ConnectError | Outcome::TlsError | Outcome::DnsError => Sign::Overload,
        Outcome::HttpStatus | Outcome::ProtocolError | Outcome::Blocked | Outcome::Discarded => Sign::Neutral,
    }
}
