//! What became of everything: each event is, at each endpoint that wants it, a success or a dead letter; nothing was sent that
//! nobody wanted, sooner than the schedule says, or twice without a reason.

use std::collections::BTreeMap;

use hookline_common::topology::{PARK_DELAYS, Queue};

use super::history::{Plan, event_id};
use super::outside::said;
use super::world::{Post, State, World};

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

/// The first thing that is not as it was promised.
pub(super) fn fault(world: &World, plan: &Plan) -> Option<String> {
    let state = world.lock();
    if let Some(fault) = state.faults.first() {
        return Some(fault.clone());
    }
    let rejected = state.broker.ready(&world.namespace.queue(Queue::Rejected));
    if let Some(message) = rejected.first() {
        return Some(format!("{} was rejected", said(message)));
    }
    let mut dead: BTreeMap<(String, String), u64> = BTreeMap::new();
    for message in state.broker.ready(&world.namespace.queue(Queue::Failed)) {
        let endpoint = message
            .headers
            .text("endpoint")
            .ok()
            .flatten()
            .unwrap_or_default();
        let id = message.message_id.clone().unwrap_or_default();
        *dead.entry((id, endpoint.to_owned())).or_default() += 1;
    }
    let mut posts: BTreeMap<(String, String), Vec<&Post>> = BTreeMap::new();
    for post in &state.posts {
        posts
            .entry((post.event.clone(), post.endpoint.clone()))
            .or_default()
            .push(post);
    }
    for (number, (company, _)) in plan.events.iter().enumerate() {
        let endpoints = plan.companies.get(company).into_iter().flatten();
        for (endpoint, _) in endpoints {
            let key = (event_id(number), endpoint.clone());
            let posts = posts.remove(&key).unwrap_or_default();
            let dead = dead.remove(&key).unwrap_or_default();
            if let Some(fault) = delivery_fault(&state, plan, &posts, dead) {
                return Some(format!("{} for {endpoint}: {fault}", key.0));
            }
        }
    }
    if let Some(((event, endpoint), _)) = posts.into_iter().next() {
        return Some(format!("{event} was sent to {endpoint}, which did not want it"));
    }
    dead.into_keys()
        .next()
        .map(|(event, endpoint)| format!("{event} is a dead letter for {endpoint}, which did not want it"))
}

fn delivery_fault(state: &State, plan: &Plan, posts: &[&Post], dead: u64) -> Option<String> {
    let (delays, is_success) = (plan.schedule.delays(), posts.iter().any(|post| post.is_success));
    if !is_success && dead == 0 {
        return Some(format!("lost, after {} attempts", posts.len()));
    }
    let of = |attempt: u32| posts.iter().filter(move |post| post.attempt == attempt);
    for post in posts {
        let attempt = post.attempt;
        if attempt == 0 || attempt as usize > delays.len() + 1 {
            return Some(format!("attempt {attempt} is beyond the schedule"));
        }
        if post.body != posts[0].body {
            return Some(format!("attempt {attempt} has other bytes than the first"));
        }
        if attempt > 1 {
            let delay = u64::from(delays[attempt as usize - 2].as_seconds()) * 1000;
            // Of those before it one ended early enough; a process that was killed knows of no end.
            let is_due =
                of(attempt - 1).any(|before| before.ended.is_some_and(|ended| ended + delay <= post.began));
            if !is_due {
                return Some(format!("attempt {attempt} at {} ms comes too soon", post.began));
            }
        }
    }
    // What a killed process had in hand, and what was published again because its confirm was lost, may be there twice. A lost
    // connection is no reason, as long as its messages do not go to another process.
    let is_recognised = state.losses == 0 || plan.replicas == 1;
    if state.killed == 0 && state.lost_confirms == 0 && is_recognised {
        if dead > 1 || is_success && dead > 0 {
            return Some(format!("{dead} dead letters, success: {is_success}"));
        }
        for attempt in 1..=u32::try_from(delays.len() + 1).unwrap_or(u32::MAX) {
            let count = of(attempt).count();
            if count > 1 {
                return Some(format!(
                    "attempt {attempt} was made {count} times without a reason"
                ));
            }
        }
    }
    None
}
