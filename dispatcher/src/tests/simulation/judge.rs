//! What became of everything: each event is, at each endpoint that wants it, a success or a dead letter, and the log says so; nothing
//! was sent that nobody wanted, sooner than the schedule says, signed with what does not hold, or twice without a reason.

use std::collections::BTreeMap;

use hookline_common::outcome::Outcome;
use hookline_common::topology::{PARK_DELAYS, Queue};

use super::outside::said;
use super::plan::{Change, Plan, Planned, Source, UNKNOWN_GRACE};
use super::world::{Post, Recorded, State, World, event_id};

/// What lies between that an attempt is decided on and that it is made, in milliseconds.
const MADE_WITHIN: u64 = 5;

/// The queues in which something is still on its way.
fn on_the_way(plan: &Plan) -> Vec<Queue> {
    let mut queues = vec![Queue::Events, Queue::Deliveries, Queue::Due, Queue::Quarantine];
    queues.extend(plan.schedule.delays().iter().map(|delay| Queue::Retry(*delay)));
    queues.extend(PARK_DELAYS.map(Queue::Park));
    queues
}

pub(super) fn is_over(world: &World, plan: &Plan) -> bool {
    let state = world.lock();
    let is_empty = |queue| state.broker.depth(&world.namespace.queue(queue)) == 0;
    on_the_way(plan).into_iter().all(is_empty)
}

pub(super) fn stuck(world: &World, plan: &Plan) -> String {
    let state = world.lock();
    let depths = on_the_way(plan).into_iter().map(|queue| {
        let name = world.namespace.queue(queue);
        (state.broker.depth(&name), name)
    });
    let left: Vec<String> = depths
        .filter(|(depth, _)| *depth > 0)
        .map(|(depth, name)| format!("{depth} in {name}"))
        .collect();
    format!("stuck: {}", left.join(", "))
}

/// One event for one endpoint.
type Pair = (u32, u16);

/// What there is of a delivery.
struct Delivery<'a> {
    plan: &'a Plan,
    state: &'a State,
    pair: Pair,
    endpoint: &'a Planned,
    published: u64,
    posts: Vec<&'a Post>,
    recorded: Vec<&'a Recorded>,
    dead: u32,
}

/// The first thing that is not as it was promised.
pub(super) fn fault(world: &World, plan: &Plan) -> Option<String> {
    let failed: Vec<Pair> = {
        let messages: Vec<_> = {
            let state = world.lock();
            let failed = state.broker.ready(&world.namespace.queue(Queue::Failed));
            failed.into_iter().cloned().collect()
        };
        let keys = messages.iter().map(|message| world.key(message));
        keys.map(|key| (key.event, key.endpoint.unwrap_or(u16::MAX)))
            .collect()
    };
    let state = world.lock();
    if let Some(fault) = state.faults.first() {
        return Some(fault.clone());
    }
    let rejected = state.broker.ready(&world.namespace.queue(Queue::Rejected));
    if let Some(message) = rejected.first() {
        return Some(format!("{} was rejected", said(message)));
    }
    let mut dead: BTreeMap<Pair, u32> = BTreeMap::new();
    failed
        .into_iter()
        .for_each(|pair| *dead.entry(pair).or_default() += 1);
    let mut posts: BTreeMap<Pair, Vec<&Post>> = BTreeMap::new();
    for post in &state.posts {
        let pair = (post.key.event, post.key.endpoint.unwrap_or(u16::MAX));
        posts.entry(pair).or_default().push(post);
    }
    let mut recorded: BTreeMap<Pair, Vec<&Recorded>> = BTreeMap::new();
    for line in &state.recorded {
        recorded
            .entry((line.event, line.endpoint))
            .or_default()
            .push(line);
    }
    for (event, (company, published)) in (0..).zip(&plan.events) {
        for (place, endpoint) in (0..).zip(&plan.endpoints) {
            if endpoint.company != *company {
                continue;
            }
            let pair = (event, place);
            let delivery = Delivery {
                plan,
                state: &state,
                pair,
                endpoint,
                published: *published,
                posts: posts.remove(&pair).unwrap_or_default(),
                recorded: recorded.remove(&pair).unwrap_or_default(),
                dead: dead.remove(&pair).unwrap_or_default(),
            };
            if let Some(fault) = delivery.fault() {
                return Some(format!(
                    "{} for {}, which answers {:?} and is {:?}: {fault}",
                    event_id(event),
                    endpoint.id,
                    endpoint.manner,
                    endpoint.change
                ));
            }
        }
    }
    let unwanted = posts.keys().chain(dead.keys()).chain(recorded.keys()).next();
    unwanted.map(|(event, place)| format!("{} was for nobody, and went to {place}", event_id(*event)))
}

impl Delivery<'_> {
    fn fault(&self) -> Option<String> {
        self.end_fault()
            .or_else(|| self.change_fault())
            .or_else(|| self.posts.iter().find_map(|post| self.post_fault(post)))
            .or_else(|| self.copies_fault())
    }

    fn is_recorded(&self, outcome: Outcome) -> bool {
        self.recorded.iter().any(|line| line.outcome == outcome)
    }

    /// How many reasons there are for more than one of it.
    fn reasons(&self) -> u32 {
        self.state.reasons.for_attempt(self.pair.0, self.pair.1, u32::MAX)
    }

    /// Whether the endpoint certainly wants the event.
    fn is_wanted(&self) -> bool {
        match self.endpoint.change {
            Change::Never | Change::Paused(_) | Change::Rotated(_) => true,
            Change::Added(at) => self.published >= self.plan.known_by(at) || self.waits_for_news(at),
            Change::Removed(_) => false,
        }
    }

    /// Whether nobody is known who wants the event, and that may be untrue, since the database is away.
    fn waits_for_news(&self, added: u64) -> bool {
        let of_company = |other: &&Planned| other.company == self.endpoint.company;
        let is_only = self.plan.endpoints.iter().filter(of_company).count() == 1;
        match self.plan.source {
            Source::Registry {
                away: Some((from, to)),
            } => is_only && (added.max(from)..to).contains(&self.published),
            _ => false,
        }
    }

    /// It has an end, and the log or the dead letters say so.
    fn end_fault(&self) -> Option<String> {
        // An event that comes a second time, while its endpoint is not there or not known, is for nobody.
        let is_first_time = self.reasons() == 0;
        let is_there = self.is_wanted() || is_first_time && self.state.deliveries.contains(&self.pair);
        let is_discarded = self.is_recorded(Outcome::Discarded);
        if is_there && !self.is_recorded(Outcome::Delivered) && self.dead == 0 && !is_discarded {
            let successes = self.posts.iter().filter(|post| post.is_success).count();
            let attempts = self.posts.len();
            return Some(format!(
                "lost, or not recorded, after {attempts} attempts, {successes} of them successes"
            ));
        }
        match self.endpoint.change {
            Change::Removed(at) => {
                // What could not be looked up is unknown for as long.
                let earliest = match self.plan.source {
                    Source::Registry { away: Some(_) } => at,
                    _ => at + UNKNOWN_GRACE,
                };
                let too_soon = |line: &&&Recorded| line.outcome == Outcome::Discarded && line.at < earliest;
                let first = self.recorded.iter().find(too_soon);
                // By a clock that jumps a grace is as long as it shows.
                first
                    .filter(|_| self.plan.jumps.is_empty())
                    .map(|line| format!("discarded at {} ms, too soon", line.at))
            }
            _ if is_discarded => Some("discarded, though it is not gone".to_owned()),
            _ => None,
        }
    }

    /// No attempt is made for an endpoint before it is there, or once everybody knows that it is gone or switched off, and each
    /// is signed with what holds then.
    fn change_fault(&self) -> Option<String> {
        let known_by = |at| self.plan.known_by(at) + MADE_WITHIN;
        let made = |is_wrong: &dyn Fn(&Post) -> bool| {
            let wrong = self.posts.iter().find(|post| is_wrong(post));
            wrong.map(|post| post.made)
        };
        let (old, new) = ((true, false), (false, true));
        let wrong = match self.endpoint.change {
            Change::Never => made(&|post| post.is_signed != old),
            Change::Added(at) => made(&|post| post.made < at || post.is_signed != old),
            Change::Removed(at) | Change::Paused(at) => {
                made(&|post| post.made > known_by(at) || post.is_signed != old)
            }
            Change::Rotated(at) => made(&|post| {
                post.made < at && post.is_signed != old
                    || post.made > known_by(at) && post.is_signed != new
                    || post.is_signed != old && post.is_signed != new
            }),
        };
        wrong.map(|made| format!("what was sent at {made} ms is not for this endpoint as it is then"))
    }

    fn post_fault(&self, post: &Post) -> Option<String> {
        let (attempt, delays) = (post.key.attempt, self.plan.schedule.delays());
        if attempt == 0 || attempt as usize > delays.len() + 1 {
            return Some(format!("attempt {attempt} is beyond the schedule"));
        }
        if post.body != self.posts[0].body {
            return Some(format!("attempt {attempt} has other bytes than the first"));
        }
        if attempt > 1 {
            let delay = u64::from(delays[attempt as usize - 2].as_seconds()) * 1000;
            // Of those before it one ended early enough; a process that was killed knows of no end.
            let mut before = self
                .posts
                .iter()
                .filter(|before| before.key.attempt == attempt - 1);
            let is_due = before.any(|before| before.ended.is_some_and(|ended| ended + delay <= post.began));
            if !is_due {
                return Some(format!("attempt {attempt} at {} ms comes too soon", post.began));
            }
        }
        None
    }

    /// Nothing is there more often than there are reasons for.
    fn copies_fault(&self) -> Option<String> {
        let last = u32::try_from(self.plan.schedule.delays().len() + 1).unwrap_or(u32::MAX);
        for attempt in 1..=last {
            let of_it = self.posts.iter().filter(|post| post.key.attempt == attempt);
            let reasons = self.state.reasons.for_attempt(self.pair.0, self.pair.1, attempt);
            let count = of_it.count();
            if count > 1 + reasons as usize {
                return Some(format!(
                    "attempt {attempt} was made {count} times, with reason for {reasons} more than one"
                ));
            }
        }
        let successes = self.posts.iter().filter(|post| post.is_success).count();
        let (ends, reasons) = (successes + self.dead as usize, self.reasons() as usize);
        (ends > 1 + reasons).then(|| {
            format!(
                "{successes} successes and {} dead letters, with reason for {reasons} more than one",
                self.dead
            )
        })
    }
}
