//! A stage for one row: events are published at a steady rate, delivered and received, while something happens to the nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookline_producer::{Event, Producer, Settings};
use hookline_tests::cluster::Cluster;
use hookline_tests::dispatcher::{Dispatcher, IN_FLIGHT, Setup};
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::load::{Load, Published};
use hookline_tests::moment::{Moment, made_at_ms};
use hookline_tests::{Receiver, World, eventually, status};
use tokio::time::Instant;

use super::{ALL, LONG};

/// Events a second: what two cores do beside three nodes, with debug builds.
const RATE: f64 = 120.0;
/// Events that wait for a publisher's answer at once. Where nobody answers, that is what may come twice of them: what got no answer is
/// sent again.
const UNANSWERED: usize = 200;
/// What may come twice for one node that goes: what two dispatchers had in hand of the endpoint, and what had no answer.
pub(super) const FOR_EACH_NODE: usize = 2 * IN_FLIGHT + UNANSWERED;
pub(super) const ENDPOINT: &str = "ep_crm";

/// A delivery that was answered 2xx.
struct Delivered {
    event: String,
    at: Instant,
}

/// Who receives, and what must not be lost on the way to it.
pub(super) struct Stage<'a> {
    pub(super) world: &'a World,
    pub(super) cluster: &'a Cluster,
    pub(super) receiver: Receiver,
    delivered: Arc<Mutex<Vec<Delivered>>>,
    dispatchers: Mutex<Vec<Arc<Dispatcher>>>,
}

impl<'a> Stage<'a> {
    /// With a receiver that takes everything.
    pub(super) async fn new(world: &'a World, cluster: &'a Cluster) -> Self {
        Self::taking_from(world, cluster, 1).await
    }

    /// With one that refuses all attempts before this one.
    pub(super) async fn taking_from(world: &'a World, cluster: &'a Cluster, attempt: u32) -> Self {
        let delivered = Arc::<Mutex<Vec<Delivered>>>::default();
        let log = Arc::clone(&delivered);
        let receiver = Receiver::scripted(move |request| {
            if request.attempt() < attempt {
                return status(500);
            }
            log.lock().unwrap().push(Delivered {
                event: request.id().to_owned(),
                at: request.arrived,
            });
            status(200)
        })
        .await;
        world.endpoints([endpoint(ENDPOINT, &receiver)]);
        Self {
            world,
            cluster,
            receiver,
            delivered,
            dispatchers: Mutex::default(),
        }
    }

    /// A dispatcher that knows these nodes, to be started.
    pub(super) fn setup(&self, nodes: &[usize]) -> Setup<'a> {
        let urls = self.cluster.urls_of(nodes);
        self.world.dispatcher().set("HOOKLINE_AMQP_URL", urls)
    }

    /// Starts a dispatcher that knows these nodes; it has to hold nothing when the row is closed.
    pub(super) async fn dispatcher(&self, nodes: &[usize]) -> Arc<Dispatcher> {
        let dispatcher = self.setup(nodes).start().await;
        self.dispatchers.lock().unwrap().push(Arc::clone(&dispatcher));
        dispatcher
    }

    /// Starts one more where all queues stand, and returns how long it took to be ready: to find the nodes, and to begin. What a
    /// recovery takes is work of the same kind, on the same machine.
    pub(super) async fn start_of_one(&self, nodes: &[usize]) -> Duration {
        let begun = Instant::now();
        self.dispatcher(nodes).await;
        begun.elapsed()
    }

    /// Two of them.
    pub(super) async fn dispatchers(&self, nodes: &[usize]) {
        tokio::join!(self.dispatcher(nodes), self.dispatcher(nodes));
    }

    /// Starts two dispatchers, which declare all queues, and has a node lead these.
    pub(super) async fn led_by(&self, node: usize) {
        self.dispatchers(ALL).await;
        self.cluster.leads(node, self.world.namespace()).await;
    }

    pub(super) async fn producer(&self, nodes: &[usize]) -> Producer {
        Producer::connect(self.settings(nodes)).await.unwrap()
    }

    /// A producer's that knows these nodes.
    pub(super) fn settings(&self, nodes: &[usize]) -> Settings {
        let settings = Settings::new(&self.cluster.urls_of(nodes)).unwrap();
        settings
            .with_namespace(self.world.namespace().clone())
            .with_max_in_flight(UNANSWERED)
    }

    /// Begins to publish.
    pub(super) async fn load(&self, nodes: &[usize]) -> Load {
        self.load_of(RATE, nodes).await
    }

    /// The same at another rate.
    pub(super) async fn load_of(&self, per_second: f64, nodes: &[usize]) -> Load {
        let load = Load::start(self.producer(nodes).await, "acme", per_second);
        self.more(&load, 200).await;
        load
    }

    /// Waits until so many more are confirmed.
    pub(super) async fn more(&self, load: &Load, count: usize) {
        let before = load.confirmed();
        eventually(LONG, "more events are confirmed", async || {
            (load.confirmed() >= before + count).then_some(())
        })
        .await;
    }

    /// Waits until an event is delivered that was made after this moment, and returns how long after it.
    pub(super) async fn goes_on_after(&self, moment: Moment) -> Duration {
        eventually(LONG, "an event is delivered that was made since", async || {
            self.back_after(moment)
        })
        .await
    }

    fn back_after(&self, moment: Moment) -> Option<Duration> {
        let delivered = self.delivered.lock().unwrap();
        let newest = delivered.iter().rev().take_while(|one| one.at >= moment.at());
        let made_since =
            newest.filter(|one| made_at_ms(&one.event).is_some_and(|made| made > moment.unix_ms()));
        made_since
            .last()
            .map(|first| first.at.saturating_duration_since(moment.at()))
    }

    /// The longest time without a delivery from this moment until now.
    pub(super) fn longest_silence_since(&self, moment: Moment) -> Duration {
        let delivered = self.delivered.lock().unwrap();
        let since = delivered.iter().map(|one| one.at).filter(|at| *at > moment.at());
        let ends = since.chain([Instant::now()]);
        let mut before = moment.at();
        let mut longest = Duration::ZERO;
        for end in ends {
            longest = longest.max(end.saturating_duration_since(before));
            before = end;
        }
        longest
    }

    /// Whether all of these have been delivered, however often.
    pub(super) fn has_all(&self, accepted: &[Event]) -> bool {
        let delivered = self.delivered.lock().unwrap();
        let seen: HashSet<&str> = delivered.iter().map(|one| one.event.as_str()).collect();
        accepted.iter().all(|event| seen.contains(event.id.as_str()))
    }

    /// Waits until they have.
    pub(super) async fn all_arrive(&self, accepted: &[Event]) {
        let what = format!("{} events are delivered", accepted.len());
        eventually(LONG, &what, async || self.has_all(accepted).then_some(())).await;
    }

    /// What has been published, and what became of it.
    pub(super) fn judge(&self, published: &[Published]) -> Judge {
        self.judge_with(Judge::with_usual_schedule(), published)
    }

    /// The same by a judge who knows more.
    pub(super) fn judge_with(&self, mut judge: Judge, published: &[Published]) -> Judge {
        for published in published {
            judge.accepted(&published.accepted, &[ENDPOINT]);
            judge.attempted(&published.in_doubt, &[ENDPOINT]);
        }
        judge.saw(ENDPOINT, &self.receiver);
        judge
    }

    /// Waits until all is delivered and nothing is left, in queues or in hand.
    pub(super) async fn comes_to_rest(&self, published: &[Published]) {
        for published in published {
            self.all_arrive(&published.accepted).await;
        }
        let node = self.cluster.url(1);
        self.world.rests_on(&node, LONG).await;
        let dispatchers = self.dispatchers.lock().unwrap().clone();
        for dispatcher in &dispatchers {
            dispatcher.has_let_go_within(LONG).await;
            assert_eq!(dispatcher.metric("hookline_records_lost_total").await, Some(0.0));
        }
        // What they held may have gone back.
        self.world.rests_on(&node, LONG).await;
    }

    /// Closes a row: all that was accepted is found, and it went on as soon as it must.
    pub(super) async fn closes(
        &self,
        mut trial: Trial,
        published: Published,
        back_after: Duration,
        allowed: Allowed,
    ) {
        let published = [published];
        self.comes_to_rest(&published).await;
        trial.back_after(back_after);
        let trial = trial.on_nodes(Cluster::NODES);
        trial.closes(&self.judge(&published), allowed).await;
    }
}
