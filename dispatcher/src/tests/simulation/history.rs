//! A history: events are published, processes live and die, and in the end there is nothing left to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookline_cases::Random;
use hookline_common::endpoint::{Endpoint, EventFilter, Format};
use hookline_common::event::{CreatedAt, Data, Event};
use hookline_common::guard::Policy;
use hookline_common::ids::{CompanyId, EndpointId, EventId, EventType};
use hookline_common::message::write_event;
use hookline_common::schedule::RetrySchedule;
use hookline_common::secret::Secret;
use hookline_common::signature::SigningKeys;
use hookline_common::topology::Queue;
use hookline_common::trace_context::TraceContext;
use tokio::time::sleep;

use super::judge;
use super::process::Process;
use super::world::{Chances, Kill, Manner, World};
use crate::endpoints::{CompanyEndpoints, Endpoints, Lookup, Registered};

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
    pub(super) cancelled: u64,
}

impl Ended {
    pub(super) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.posts += other.posts;
        self.kills += other.kills;
        self.losses += other.losses;
        self.lost_confirms += other.lost_confirms;
        self.cancelled += other.cancelled;
    }
}

/// What a seed makes of the world.
pub(super) struct Plan {
    pub(super) schedule: RetrySchedule,
    pub(super) replicas: u64,
    window: usize,
    chances: Chances,
    kills: Vec<Kill>,
    /// The endpoints of each company.
    pub(super) companies: BTreeMap<&'static str, Vec<(String, Manner)>>,
    /// Company, and when it is published.
    pub(super) events: Vec<(&'static str, u64)>,
}

/// Endpoints that never change.
struct Fixed(BTreeMap<CompanyId, Arc<CompanyEndpoints>>);

impl Endpoints for Fixed {
    fn lookup(&self, company: &CompanyId) -> Lookup {
        Lookup::Known(self.0.get(company).cloned().unwrap_or_default())
    }
}

impl Plan {
    fn of(seed: u64) -> Self {
        let mut random = Random::of(seed, 1);
        let schedule = random.pick(&["5s,10s,20s", "3s", "1s,6s"]);
        let mut chance = |most| if random.one_in(3) { 0 } else { random.below(most) };
        let mut chances = Chances {
            loses_channel: chance(30),
            loses_publish: chance(100),
            loses_confirm: chance(60),
        };
        // Where nothing but subscriptions are lost, nothing may be done twice: these histories are judged most strictly.
        let only_channels = random.one_in(3);
        if only_channels {
            chances.loses_channel += 30;
            chances.loses_confirm = 0;
        }
        let mut companies = BTreeMap::new();
        for (company, most) in [("acme", 4), ("globex", 1), ("nobody", 0)] {
            let count = if most == 0 { 0 } else { 1 + random.below(most) };
            let endpoints =
                (0..count).map(|number| (format!("{company}-{number}"), random.pick(&Manner::ALL)));
            let mut endpoints: Vec<(String, Manner)> = endpoints.collect();
            // What has to wait is what a loss leaves behind.
            if let (true, Some((_, manner))) = (only_channels, endpoints.first_mut()) {
                *manner = Manner::Silent;
            }
            companies.insert(company, endpoints);
        }
        let most_kills = if only_channels { 1 } else { 5 };
        let kills = (0..random.below(most_kills)).map(|_| Kill {
            at: random.within(1, 300),
            is_after: random.one_in(2),
        });
        let kills = kills.collect();
        let fewest = if only_channels { 25 } else { 5 };
        let events = (0..fewest + random.below(20)).map(|_| {
            let company = random.pick(&["acme", "acme", "globex", "nobody"]);
            (company, random.within(0, 8_000))
        });
        let mut events: Vec<_> = events.collect();
        events.sort_by_key(|(_, at)| *at);
        Self {
            schedule: schedule.parse().expect("a schedule"),
            replicas: if only_channels { 1 } else { random.within(1, 2) },
            window: 1 + random.below(10),
            chances,
            kills,
            companies,
            events,
        }
    }

    fn endpoints(&self) -> Arc<dyn Endpoints> {
        let policy = Policy::default();
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let companies = self.companies.iter().map(|(company, endpoints)| {
            let company = CompanyId::parse(company).expect("a company");
            let endpoints = endpoints.iter().map(|(id, _)| {
                let endpoint = Endpoint {
                    id: EndpointId::parse(id).expect("an endpoint"),
                    company: company.clone(),
                    url: format!("https://{id}.example.com/"),
                    format: Format::Meeva,
                    events: EventFilter::default(),
                    headers: Vec::new(),
                    rate: None,
                    disabled: false,
                    keys: SigningKeys::new(&secret, None),
                };
                Arc::new(Registered::new(endpoint, &policy))
            });
            (
                company.clone(),
                Arc::new(CompanyEndpoints::new(endpoints.collect())),
            )
        });
        Arc::new(Fixed(companies.collect()))
    }
}

/// The id of an event, by its number.
pub(super) fn event_id(number: usize) -> String {
    format!("evt_{number}")
}

fn event(number: usize, company: &str) -> Event {
    Event {
        id: EventId::parse(&event_id(number)).expect("an id"),
        company: CompanyId::parse(company).expect("a company"),
        event_type: EventType::parse("booking.created").expect("a type"),
        created_at: CreatedAt::from_seconds(1_705_329_000).expect("a time"),
        data: Data::new(format!("{{\"number\":{number}}}")).expect("data"),
        trace: TraceContext::default(),
    }
}

/// Plays the history of a seed.
pub(super) fn play(seed: u64) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(history(seed))
}

async fn history(seed: u64) -> Ended {
    let plan = Plan::of(seed);
    let world = World::new(seed, &plan.schedule);
    {
        let mut state = world.lock();
        state.chances = plan.chances;
        state.kills.clone_from(&plan.kills);
        let endpoints = plan.companies.values().flatten();
        state.manners = endpoints.map(|(id, manner)| (id.clone(), *manner)).collect();
    }
    let keeping_time = tokio::spawn(world.clone().keep_time());
    let endpoints = plan.endpoints();
    let living: Arc<Mutex<BTreeMap<u64, Process>>> = Arc::default();
    for replica in 0..plan.replicas {
        let (world, living, endpoints) = (world.clone(), Arc::clone(&living), Arc::clone(&endpoints));
        let (schedule, window) = (plan.schedule.clone(), plan.window);
        tokio::spawn(async move {
            for life in 0_u64.. {
                let process = Process::start(
                    &world,
                    replica + life * 10,
                    &schedule,
                    Arc::clone(&endpoints),
                    window,
                );
                let death = Arc::clone(&process.out.death);
                hold(&living).insert(replica, process);
                death.notified().await;
                let dead = hold(&living).remove(&replica);
                if let Some(dead) = dead {
                    dead.end();
                }
                world.pause(3_000).await;
            }
        });
    }
    let events = world.namespace.queue(Queue::Events);
    for (number, (company, at)) in plan.events.iter().enumerate() {
        sleep(Duration::from_millis(at.saturating_sub(world.now()))).await;
        world.tell(|| format!("{} of {company} is published", event_id(number)));
        world.store(&events, write_event(&event(number, company)));
    }
    let is_over = wait_for_the_end(&world, &plan).await;
    let mut fault = if is_over {
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
    Ended {
        fault,
        trace: std::mem::take(&mut state.trace),
        events: plan.events.len() as u64,
        posts: state.posts.len() as u64,
        kills: state.killed,
        losses: state.losses,
        lost_confirms: state.lost_confirms,
        cancelled: state.cancelled,
    }
}

fn hold(living: &Mutex<BTreeMap<u64, Process>>) -> std::sync::MutexGuard<'_, BTreeMap<u64, Process>> {
    living.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn wait_for_the_end(world: &World, plan: &Plan) -> bool {
    let last = world.now() + u64::try_from(ENDS_WITHIN.as_millis()).unwrap_or(u64::MAX);
    while world.now() < last {
        // A process that dies now has begun again by then.
        sleep(Duration::from_secs(4)).await;
        if judge::is_over(world, plan) {
            return true;
        }
    }
    false
}
