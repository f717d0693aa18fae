//! Three nodes, of which one after the other goes and comes back. All programs know all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use hookline_producer::{Event, Producer, Settings};
use hookline_tests::cluster::Cluster;
use hookline_tests::endpoint::endpoint;
use hookline_tests::judge::Judge;
use hookline_tests::{Receiver, World, eventually, scenario, status};

/// Nodes start and elect within seconds, on a machine that builds beside it within a minute.
const LONG: Duration = Duration::from_secs(120);
/// Deliveries that are in hand or being settled when a node goes: at most a window may come twice each time.
const IN_HAND: usize = 1_000;

async fn producer(cluster: &Cluster, world: &World) -> Producer {
    let settings = Settings::new(&cluster.urls()).unwrap();
    let settings = settings.with_namespace(world.namespace().clone());
    Producer::connect(settings).await.unwrap()
}

#[tokio::test]
async fn confirmed_events_are_delivered_although_each_node_is_killed_in_turn() {
    const EACH: usize = 150;
    let cluster = Cluster::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", cluster.urls())
            .start()
            .await;
        let producer = producer(&cluster, world).await;
        let (mut judge, mut wanted) = (Judge::default(), BTreeSet::new());
        for node in 1..=Cluster::NODES {
            let publish = async {
                let (mut stored, mut unsure) = (Vec::new(), Vec::new());
                for number in 0..EACH {
                    let event = Event::new("acme", "booking.created", format!("{{\"n\":{number}}}")).unwrap();
                    match producer.publish(&event).await {
                        Ok(_) => stored.push(event),
                        Err(_) => unsure.push(event),
                    }
                }
                (stored, unsure)
            };
            let ((stored, unsure), ()) = tokio::join!(publish, cluster.kill(node));
            judge.accepted(&stored, &["ep_crm"]);
            judge.attempted(&unsure, &["ep_crm"]);
            wanted.extend(stored.iter().map(|event| event.id.as_str().to_owned()));
            cluster.start_again(node).await;
        }
        assert!(
            wanted.len() > EACH,
            "hardly anything was stored: {}",
            wanted.len()
        );
        eventually(LONG, "all are delivered", async || {
            let accepted = receiver.accepted();
            let seen: BTreeSet<_> = accepted.iter().map(|request| request.id().to_owned()).collect();
            wanted.is_subset(&seen).then_some(())
        })
        .await;
        judge.saw("ep_crm", &receiver);
        judge.nothing_is_lost(Cluster::NODES * IN_HAND);
        dispatcher.has_let_go_within(LONG).await;
    })
    .await;
    cluster.stop().await;
}
