//! The queues that may hold messages, as an event meets them, and what they are called where nobody needs the namespace.

use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{PARK_DELAYS, Queue};

/// All of them, for a schedule of retries.
pub(crate) fn queues(schedule: &RetrySchedule) -> Vec<Queue> {
    let first = [Queue::Events, Queue::Deliveries, Queue::Due, Queue::Quarantine];
    let retries = schedule.distinct_delays().into_iter().map(Queue::Retry);
    let parks = PARK_DELAYS.into_iter().map(Queue::Park);
    let last = [Queue::Failed, Queue::Rejected, Queue::AttemptsSpill];
    let delays = retries.chain(parks);
    first.into_iter().chain(delays).chain(last).collect()
}

/// The queue's name without its namespace: `events`, `retry.60s`.
pub(crate) fn label(queue: Queue) -> String {
    match queue {
        Queue::Events => "events".to_owned(),
        Queue::Deliveries => "deliveries".to_owned(),
        Queue::Due => "due".to_owned(),
        Queue::Retry(delay) => format!("retry.{}s", delay.as_seconds()),
        Queue::Park(delay) => format!("park.{}s", delay.as_seconds()),
        Queue::Failed => "failed".to_owned(),
        Queue::Rejected => "rejected".to_owned(),
        Queue::Quarantine => "quarantine".to_owned(),
        Queue::AttemptsSpill => "attempts.spill".to_owned(),
        Queue::Attempts => "attempts".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hookline_common::topology::{Namespace, Topology};

    use super::*;

    #[test]
    fn all_queues_of_the_topology_stand_here_under_the_ends_of_their_names() {
        let (namespace, schedule) = (Namespace::default(), "7s,1m".parse().unwrap());
        let mut names: Vec<String> = queues(&schedule)
            .into_iter()
            .inspect(|queue| {
                let name = format!("{namespace}.{}", label(*queue));
                assert_eq!(name, namespace.queue(*queue));
            })
            .map(|queue| namespace.queue(queue))
            .collect();
        names.sort();
        let topology = Topology::whole(&namespace, &schedule);
        let specs = topology.queues.iter().filter(|spec| !spec.is_stream());
        let mut wanted: Vec<String> = specs.map(|spec| spec.name.clone()).collect();
        wanted.sort();
        assert_eq!(names, wanted);
    }
}
