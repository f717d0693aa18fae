//! One measurement of what waits for busy endpoints: it is there when the dispatcher starts, and the receivers see how it
//! is served.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock::seconds_between;
use crate::error::Result;
use crate::load::{Destination, Order};
use crate::measure::SCHEDULE;
use crate::report::Entry;
use crate::report::stats::ratio;
use crate::sink::{Behaviour, Summary, Traffic};
use crate::stage::Stage;
use crate::subject::{Setup, Subject, Tenants};

/// How long nothing may arrive before the rest counts as lost. What is parked for the longest comes back after a minute.
const STALL: Duration = Duration::from_secs(75);

/// What waits, and for whom.
#[derive(Debug, Clone)]
pub(super) struct Backlogged {
    pub(super) endpoints: u32,
    /// For all of them together.
    pub(super) events: u32,
    pub(super) behaviour: Behaviour,
    /// Where it waits.
    pub(super) destination: Destination,
    /// `HOOKLINE_ENDPOINT_CONCURRENCY`, where it is not the default.
    pub(super) slots: Option<u32>,
}

impl Backlogged {
    pub(super) fn queue(&self) -> &'static str {
        match self.destination {
            Destination::Events => "events",
            Destination::Due => "due",
            Destination::Retry(_) => "retry",
        }
    }
}

/// How it was served.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Served {
    pub(super) events: f64,
    pub(super) summary: Summary,
    pub(super) traffic: Traffic,
    /// How often a delivery was parked, on average.
    pub(super) parks: f64,
}

impl Served {
    /// Seconds from the first POST to the last answer.
    pub(super) fn took_s(&self) -> f64 {
        seconds_between(self.summary.first_ns, self.summary.last_accepted_ns)
    }

    /// What part of what `slots` requests at a time allow was reached: by the time that the receivers themselves took for an
    /// answer, and no faster than `drain_rate`, which this machine reaches where nobody has to be waited for.
    pub(super) fn part_of(&self, slots: f64, drain_rate: f64) -> f64 {
        let answering_s = self.traffic.answering_ns as f64 / 1e9;
        let allowed_s = ratio(answering_s, slots).max(ratio(self.events, drain_rate));
        ratio(allowed_s, self.took_s())
    }

    pub(super) fn put(&self, entry: &mut Entry<'_>) {
        entry.put("took", self.took_s(), "s");
        entry.put("parks", self.parks, "/delivery");
        entry.put("max_in_flight", self.traffic.max_in_flight as f64, "requests");
        entry.put("opened", self.traffic.opened as f64, "connections");
    }
}

/// Publishes it, starts a dispatcher, and waits until everything has arrived.
pub(super) async fn measure(stage: &mut Stage<'_>, what: &Backlogged) -> Result<Served> {
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let order = Order {
        into: what.destination,
        ..stage.order(&namespace, what.events, (0, what.endpoints))
    };
    stage.load.publish(&order).await?;
    // Let the broker finish what it does after the last confirm.
    sleep(Duration::from_millis(500)).await;
    let slots = what
        .slots
        .map(|slots| ("HOOKLINE_ENDPOINT_CONCURRENCY", slots.to_string()));
    let setup = Setup {
        tenants: vec![Tenants::new(0..what.endpoints, what.behaviour)],
        variables: slots.into_iter().collect(),
        ..Setup::default()
    };
    let mut running = stage.start(Subject::Hookline, &setup, &namespace).await?;
    let count = u64::from(what.events);
    stage
        .all_arrived_within(order.run, count, &mut running, STALL)
        .await?;
    // The last answers follow the last arrivals.
    let summary = stage
        .sink
        .reached(order.run, STALL, |summary| summary.accepted >= count)
        .await?;
    let events = f64::from(what.events);
    let parks = running.parked().await? / events;
    let traffic = stage.sink.traffic().await?;
    stage.clear(running, &namespace).await?;
    Ok(Served {
        events,
        summary,
        traffic,
        parks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slots_allow_is_bounded_by_what_the_machine_does() {
        let served = Served {
            events: 1000.0,
            summary: Summary {
                first_ns: 1_000_000_000,
                last_accepted_ns: 11_000_000_000,
                ..Summary::default()
            },
            traffic: Traffic {
                answering_ns: 100_000_000_000,
                ..Traffic::default()
            },
            parks: 0.0,
        };
        assert_eq!(served.took_s(), 10.0);
        assert_eq!(served.part_of(20.0, 10_000.0), 0.5);
        assert_eq!(served.part_of(1000.0, 200.0), 0.5);
    }
}
