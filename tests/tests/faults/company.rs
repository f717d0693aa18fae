//! A company that has registered an endpoint at the console, and what is published for it.

use std::time::Duration;

use hookline_producer::Event;
use hookline_tests::console::Console;
use hookline_tests::endpoint::SECRET;
use hookline_tests::judge::Judge;
use hookline_tests::load::{numbered, publish_until_stored};
use hookline_tests::{Receiver, SOON, World, status};
use serde_json::json;
use tokio::time::Instant;

/// Events whose time is taken.
const TIMED: usize = 60;

/// A company with its one endpoint, and what was published for it.
pub(crate) struct Company {
    name: &'static str,
    endpoint: &'static str,
    pub(crate) receiver: Receiver,
    pub(crate) events: Vec<Event>,
}

impl Company {
    pub(crate) async fn registered(console: &Console, name: &'static str, endpoint: &'static str) -> Self {
        let receiver = Receiver::answering(status(200)).await;
        let wanted = json!({"url": receiver.url(), "id": endpoint, "secret": SECRET});
        console.register(name, &wanted).await;
        Self {
            name,
            endpoint,
            receiver,
            events: Vec::new(),
        }
    }

    /// Publishes so many events more.
    pub(crate) async fn publish(&mut self, world: &World, count: usize) {
        let from = self.events.len();
        let events: Vec<Event> = (from..from + count)
            .map(|number| numbered(self.name, number))
            .collect();
        publish_until_stored(world.producer().await, &events).await;
        self.events.extend(events);
    }

    /// Waits until all of them have come.
    pub(crate) async fn has_all(&self) {
        self.receiver.expect(self.events.len(), 2 * SOON).await;
    }

    /// The middle one of the times that some events take, one after the other.
    pub(crate) async fn median(&mut self, world: &World) -> Duration {
        let mut times = Vec::new();
        for _ in 0..TIMED {
            let (count, since) = (self.receiver.count(), Instant::now());
            self.publish(world, 1).await;
            let request = self.receiver.expect(count + 1, SOON).await.remove(count);
            times.push(request.arrived - since);
        }
        times.sort_unstable();
        times[TIMED / 2]
    }

    pub(crate) fn judged(&self, judge: &mut Judge) {
        judge.accepted(&self.events, &[self.endpoint]);
        judge.saw(self.endpoint, &self.receiver);
    }
}
