//! What most faults of a broker or of a link to it are tried on: one broker, one endpoint of one company, one publisher.

use std::collections::HashSet;
use std::time::Duration;

use hookline_producer::{Event, Producer, Settings};
use hookline_tests::dispatcher::Setup;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::load::{Published, numbered};
use hookline_tests::receiver::Received;
use hookline_tests::services::services;
use hookline_tests::{Answer, Receiver, SOON, World, eventually, status};

/// The endpoint's id.
pub(crate) const ENDPOINT: &str = "ep_crm";
/// How long a publisher waits for the broker before it counts an event as in doubt, or refused.
const PUBLISH_WITHIN: Duration = Duration::from_secs(5);
/// The delays of [`hookline_tests::dispatcher::RETRY_SCHEDULE`].
pub(crate) const DELAYS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];

/// One broker, and who is there.
pub(crate) struct Single<'a> {
    pub(crate) world: &'a World,
    /// The broker's URL.
    pub(crate) url: String,
    pub(crate) receiver: Receiver,
    delays: Vec<Duration>,
}

impl<'a> Single<'a> {
    /// On the shared broker, with an endpoint that answers like this.
    pub(crate) async fn shared(
        world: &'a World,
        answer: impl FnMut(&Received) -> Answer + Send + 'static,
    ) -> Self {
        Self::on(world, &services().amqp_url, answer).await
    }

    /// On a broker of the test's own.
    pub(crate) async fn on(
        world: &'a World,
        url: &str,
        answer: impl FnMut(&Received) -> Answer + Send + 'static,
    ) -> Self {
        let receiver = Receiver::scripted(answer).await;
        world.endpoints([endpoint(ENDPOINT, &receiver)]);
        Self {
            world,
            url: url.to_owned(),
            receiver,
            delays: DELAYS.into(),
        }
    }

    /// With other delays than those that dispatchers have in scenarios.
    pub(crate) fn with_delays(mut self, seconds: &[u64]) -> Self {
        self.delays = seconds.iter().copied().map(Duration::from_secs).collect();
        self
    }

    /// A dispatcher, to be started.
    pub(crate) fn dispatcher(&self) -> Setup<'a> {
        self.world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", &self.url)
            .set("HOOKLINE_RETRY_SCHEDULE", self.schedule())
    }

    fn schedule(&self) -> String {
        let seconds = self.delays.iter().map(|delay| format!("{}s", delay.as_secs()));
        seconds.collect::<Vec<_>>().join(",")
    }

    /// A publisher.
    pub(crate) async fn producer(&self) -> Producer {
        producer(self.world, &self.url).await
    }

    /// What is to be judged.
    pub(crate) fn judge(&self, published: &Published) -> Judge {
        let mut judge = Judge::with_schedule(&self.delays);
        judge.accepted(&published.accepted, &[ENDPOINT]);
        // One that is said not to be stored may be all the same only where that is a lie.
        judge.attempted(&published.in_doubt, &[ENDPOINT]);
        judge.saw(ENDPOINT, &self.receiver);
        judge
    }

    /// How many of the accepted events have not been delivered.
    pub(crate) fn missing(&self, published: &Published) -> usize {
        if self.receiver.count() < published.accepted.len() {
            return published.accepted.len() - self.receiver.count();
        }
        let delivered: HashSet<String> = self
            .receiver
            .accepted()
            .iter()
            .map(|request| request.id().to_owned())
            .collect();
        let is_missing = |id: &str| !delivered.contains(id);
        let accepted = published.accepted.iter();
        accepted.filter(|event| is_missing(event.id.as_str())).count()
    }

    /// Waits until everything that was accepted is delivered, and the broker's queues are empty.
    pub(crate) async fn comes_to_rest(&self, published: &Published) {
        eventually(2 * SOON, "everything is delivered", async || {
            (self.missing(published) == 0).then_some(())
        })
        .await;
        self.rests().await;
    }

    /// Waits until the broker's queues are empty.
    pub(crate) async fn rests(&self) {
        self.world.rests_with(&self.url, &self.schedule(), SOON).await;
    }

    /// Waits until so many requests have come.
    pub(crate) async fn has_seen(&self, requests: usize) {
        let what = format!("{requests} requests");
        eventually(2 * SOON, &what, async || {
            (self.receiver.count() >= requests).then_some(())
        })
        .await;
    }
}

/// A publisher of a booking service on this broker.
pub(crate) async fn producer(world: &World, url: &str) -> Producer {
    let settings = Settings::new(url).unwrap();
    let settings = settings
        .with_namespace(world.namespace().clone())
        .with_publish_timeout(PUBLISH_WITHIN);
    Producer::connect(settings).await.unwrap()
}

/// Takes everything.
pub(crate) fn takes_all(_: &Received) -> Answer {
    status(200)
}

/// Refuses each first attempt.
pub(crate) fn refuses_first(request: &Received) -> Answer {
    status(if request.attempt() == 1 { 500 } else { 200 })
}

/// Refuses one in twenty first attempts, so that some deliveries wait in the broker at any time.
pub(crate) fn refuses_some() -> impl FnMut(&Received) -> Answer + Send {
    let mut count = 0;
    move |request| {
        count += 1;
        status(if request.attempt() == 1 && count % 20 == 0 {
            500
        } else {
            200
        })
    }
}

/// So many events of the endpoint's company, numbered from there on.
pub(crate) fn numbered_from(from: usize, count: usize) -> Vec<Event> {
    (from..from + count)
        .map(|number| numbered("acme", number))
        .collect()
}
