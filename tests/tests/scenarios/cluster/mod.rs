//! Three nodes, of which some are missing, late, frozen or dead. All programs know several of them.
//!
//! One test, because a cluster takes long to start: each part finds three nodes that run, and leaves three.

mod replicas; // how many a queue has, and what is told when one is away
mod spill; // a stream with one replica, on the node that goes
mod frozen; // a node that stands and answers nothing
mod minority; // two of three that go
mod killed; // one after the other that goes and comes back

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use hookline_producer::{Event, Producer, PublishError, Settings};
use hookline_tests::cli::command;
use hookline_tests::cluster::Cluster;
use hookline_tests::dispatcher::Setup;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::{Receiver, World, eventually, status};
use tokio::process::Command;

/// Nodes start and elect within seconds, on a machine that builds beside it within a minute.
const LONG: Duration = Duration::from_secs(120);
/// Deliveries that are in hand or being settled when a node goes: at most a window may come twice each time.
const IN_HAND: usize = 1_000;
const ENDPOINT: &str = "ep_crm";

#[tokio::test]
async fn three_nodes_of_which_some_are_missing_late_frozen_or_dead() {
    let cluster = Cluster::start().await;
    replicas::queues_begin_with_three_replicas_and_what_is_away_is_told(&cluster).await;
    spill::deliveries_go_on_while_the_streams_only_node_is_away(&cluster).await;
    frozen::what_a_frozen_node_led_goes_on_by_others(&cluster).await;
    minority::without_a_majority_nothing_is_lost_and_the_cause_is_told(&cluster).await;
    killed::confirmed_events_are_delivered_although_each_node_is_killed_in_turn(&cluster).await;
    cluster.stop().await;
}

/// Who publishes to the cluster, who receives, and what must not be lost between them.
struct Stage<'a> {
    world: &'a World,
    cluster: &'a Cluster,
    receiver: Receiver,
    producer: Producer,
}

/// What the broker has confirmed, and what may or may not be stored.
#[derive(Default)]
struct Published {
    stored: Vec<Event>,
    unsure: Vec<(Event, PublishError)>,
}

impl Published {
    /// The ids of what was stored.
    fn ids(&self) -> impl Iterator<Item = String> {
        self.stored.iter().map(|event| event.id.to_string())
    }
}

impl<'a> Stage<'a> {
    /// With a producer that knows these nodes.
    async fn new(world: &'a World, cluster: &'a Cluster, nodes: &[usize]) -> Self {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint(ENDPOINT, &receiver)]);
        Self {
            world,
            cluster,
            receiver,
            producer: connect(world, cluster, nodes).await,
        }
    }

    /// A dispatcher that knows these nodes.
    fn dispatcher(&self, nodes: &[usize]) -> Setup<'a> {
        let urls = self.cluster.urls_of(nodes);
        self.world.dispatcher().set("HOOKLINE_AMQP_URL", urls)
    }

    /// Publishes one event after the other.
    async fn publish(&self, count: usize) -> Published {
        publish(&self.producer, count).await
    }

    /// Publishes many at once.
    async fn publish_many(&self, count: usize) -> Published {
        let events: Vec<_> = (0..count)
            .map(|number| Event::new("acme", "booking.created", format!("{{\"n\":{number}}}")).unwrap())
            .collect();
        let mut receipts = self.producer.publish_all(stream::iter(events.clone()));
        let mut published = Published {
            stored: events,
            ..Published::default()
        };
        while let Some(receipt) = receipts.next().await {
            if let Err(error) = receipt {
                let position = published
                    .stored
                    .iter()
                    .position(|event| event.id == *error.event());
                published
                    .unsure
                    .push((published.stored.remove(position.unwrap()), error));
            }
        }
        published
    }

    /// Waits until all that was stored is delivered, whatever was delivered before.
    async fn all_arrive(&self, published: &Published) {
        let wanted: BTreeSet<_> = published.ids().collect();
        let what = format!("{} events are delivered", wanted.len());
        eventually(LONG, &what, async || {
            let accepted = self.receiver.accepted();
            let seen: BTreeSet<_> = accepted.iter().map(|request| request.id().to_owned()).collect();
            wanted.is_subset(&seen).then_some(())
        })
        .await;
    }

    /// Makes sure of what became of all of it, of which so many may have come twice.
    fn nothing_is_lost<'b>(&self, all: impl IntoIterator<Item = &'b Published>, most_duplicates: usize) {
        let mut judge = Judge::default();
        for published in all {
            judge.accepted(&published.stored, &[ENDPOINT]);
            judge.attempted(published.unsure.iter().map(|(event, _)| event), &[ENDPOINT]);
        }
        judge.saw(ENDPOINT, &self.receiver);
        judge.nothing_is_lost(most_duplicates);
    }
}

async fn connect(world: &World, cluster: &Cluster, nodes: &[usize]) -> Producer {
    let settings = Settings::new(&cluster.urls_of(nodes)).unwrap();
    let settings = settings.with_namespace(world.namespace().clone());
    Producer::connect(settings).await.unwrap()
}

/// Publishes one event after the other.
async fn publish(producer: &Producer, count: usize) -> Published {
    let mut published = Published::default();
    for number in 0..count {
        let event = Event::new("acme", "booking.created", format!("{{\"n\":{number}}}")).unwrap();
        match producer.publish(&event).await {
            Ok(_) => published.stored.push(event),
            Err(error) => published.unsure.push((event, error)),
        }
    }
    published
}

/// A command that knows these nodes and the management API.
fn hookline(world: &World, cluster: &Cluster, nodes: &[usize], arguments: &[&str]) -> Command {
    let mut command = command(world, arguments);
    command
        .env("HOOKLINE_AMQP_URL", cluster.urls_of(nodes))
        .env("HOOKLINE_MANAGEMENT_URL", cluster.management().as_str());
    command
}
