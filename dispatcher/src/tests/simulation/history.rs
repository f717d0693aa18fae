//! A history: events are published, endpoints change, processes live, stop and die, and in the end there is nothing left to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::event::{CreatedAt, Data, Event};
use hookline_common::ids::{CompanyId, EventId, EventType};
use hookline_common::message::write_event;
use hookline_common::topology::Queue;
use hookline_common::trace_context::TraceContext;
use tokio::time::sleep;

use super::clock;
use super::judge;
use super::outside::TIMEOUT;
use super::plan::{Change, Plan};
use super::process::Process;
use super::world::{World, event_id};

/// How long everything may take after the last event: the whole schedule, several times over, since a process that was killed
/// begins again.
const ENDS_WITHIN: Duration = Duration::from_secs(20 * 60);

/// What came of a history, or of many.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) fault: Option<String>,
    pub(super) trace: Vec<String>,
    pub(super) events: u64,
    pub(super) posts: u64,
    pub(super) kills: u64,
    pub(super) losses: u64,
    pub(super) lost_confirms: u64,
    pub(super) stops: u64,
    pub(super) changes: u64,
    pub(super) jumps: u64,
    pub(super) cancelled: u64,
}

impl Ended {
    pub(super) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.posts += other.posts;
        self.kills += other.kills;
        self.losses += other.losses;
        self.lost_confirms += other.lost_confirms;
        self.stops += other.stops;
        self.changes += other.changes;
        self.jumps += other.jumps;
        self.cancelled += other.cancelled;
    }
}

type Living = Arc<Mutex<BTreeMap<u64, Process>>>;

fn event(number: u32, company: &str) -> Event {
    Event {
        id: EventId::parse(&event_id(number)).expect("an id"),
        company: CompanyId::parse(company).expect("a company"),
        event_type: EventType::parse("booking.created").expect("a type"),
        created_at: CreatedAt::from_seconds(clock::BEGINS_AT.unsigned_abs()).expect("a time"),
        data: Data::new(format!("{{\"number\":{number}}}")).expect("data"),
        trace: TraceContext::default(),
    }
}

/// Plays the history of a seed.
pub(super) fn play(seed: u64) -> Ended {
    played(seed, false)
}

/// Plays the history of a seed, and tells each step.
pub(super) fn tell(seed: u64) -> Ended {
    played(seed, true)
}

fn played(seed: u64, is_traced: bool) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let ended = runtime.block_on(history(seed, is_traced));
    clock::end();
    ended
}

async fn history(seed: u64, is_traced: bool) -> Ended {
    clock::begin();
    let plan = Arc::new(Plan::of(seed));
    let world = World::new(seed, &plan, is_traced);
    let keeping_time = tokio::spawn(world.clone().keep_time());
    tokio::spawn(jumps(world.clone(), Arc::clone(&plan)));
    let living = Living::default();
    for replica in 0..plan.replicas {
        let (world, plan) = (world.clone(), Arc::clone(&plan));
        tokio::spawn(lives(world, plan, Arc::clone(&living), replica));
    }
    let events = world.namespace.queue(Queue::Events);
    for (number, (company, at)) in (0..).zip(&plan.events) {
        sleep(Duration::from_millis(at.saturating_sub(world.now()))).await;
        world.tell(|| format!("{} of {company} is published", event_id(number)));
        world.store(&events, write_event(&event(number, company)));
    }
    let mut fault = if wait_for_the_end(&world, &plan).await {
        None
    } else {
        Some(judge::stuck(&world, &plan))
    };
    let last = std::mem::take(&mut *hold(&living));
    for process in last.values() {
        if fault.is_none() && !process.out.is_dead() {
            fault = process.leftovers().await;
        }
    }
    keeping_time.abort();
    let fault = fault.or_else(|| judge::fault(&world, &plan));
    let mut state = world.lock();
    let changing = plan
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.change != Change::Never);
    Ended {
        fault,
        trace: std::mem::take(&mut state.trace),
        events: plan.events.len() as u64,
        posts: state.posts.len() as u64,
        kills: state.killed,
        losses: state.losses,
        lost_confirms: state.lost_confirms,
        stops: state.stops,
        changes: changing.count() as u64,
        jumps: plan.jumps.len() as u64,
        cancelled: state.cancelled,
    }
}

/// The clock on the wall.
async fn jumps(world: World, plan: Arc<Plan>) {
    for (at, by) in &plan.jumps {
        sleep(Duration::from_millis(at.saturating_sub(world.now()))).await;
        world.tell(|| format!("the clock jumps by {by} ms"));
        clock::jump(*by);
    }
}

/// One replica, which begins again whenever it ended.
async fn lives(world: World, plan: Arc<Plan>, living: Living, replica: u64) {
    let mut stops = plan.stops_of(replica).into_iter().peekable();
    for life in 0_u64.. {
        // No message is taken before the database was reached.
        while plan.is_away(world.now()) {
            sleep(Duration::from_millis(100)).await;
        }
        let process = Process::start(&world, replica + life * 10, &plan);
        let death = Arc::clone(&process.out.death);
        hold(&living).insert(replica, process);
        let next_stop = stops.peek().copied();
        let stop = async {
            match next_stop {
                Some(at) => sleep(Duration::from_millis(at.saturating_sub(world.now()))).await,
                None => std::future::pending().await,
            }
        };
        let is_stop = tokio::select! {
            biased;
            () = death.notified() => false,
            () = stop => true,
        };
        let Some(mut process) = hold(&living).remove(&replica) else {
            return;
        };
        if is_stop {
            stops.next();
            tokio::select! {
                biased;
                () = death.notified() => {}
                () = process.stop() => {}
            }
        }
        process.end();
        world.pause(3_000).await;
    }
}

fn hold(living: &Mutex<BTreeMap<u64, Process>>) -> MutexGuard<'_, BTreeMap<u64, Process>> {
    living.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn wait_for_the_end(world: &World, plan: &Plan) -> bool {
    let last = world.now() + u64::try_from(ENDS_WITHIN.as_millis()).unwrap_or(u64::MAX);
    while world.now() < last {
        // A process that dies now has begun again by then.
        sleep(Duration::from_secs(4)).await;
        if !judge::is_over(world, plan) {
            continue;
        }
        // An attempt whose message is somebody else's by now may still wait for its answer, and a retry comes of it.
        sleep(TIMEOUT).await;
        if judge::is_over(world, plan) {
            return true;
        }
    }
    false
}
