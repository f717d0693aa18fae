//! A node does not see the others, and they do not see it. Clients are on both sides, in a namespace of their own each, and what all
//! queues are led by is the node that is cut off.

use std::time::Duration;

use hookline_tests::cluster::{OnPartition, Turn};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::{numbered, publish_each};
use hookline_tests::scenario;
use tokio::time::sleep;

use hookline_tests::moment::Moment;

use super::stage::{FOR_EACH_NODE, Stage};

/// The node that is cut off.
const ALONE: usize = 3;
/// Events that are published to it while it is.
const EVENTS: usize = 100;
/// Events a second of whoever publishes to it: what waits by the time that it is back is worked off before what comes after, and is
/// no part of how long it takes to be back.
const WHILE_PARTED: f64 = 50.0;

/// Parts the nodes for so long, and brings them together.
async fn parted(row: &str, way: OnPartition, during: Duration) {
    let cluster = match way {
        OnPartition::Ignore => Turn::take().await,
        // The node starts anew, beside a load on both sides.
        OnPartition::PauseMinority => Turn::take_alone().await,
    };
    let of_side = |side: &str| Trial::named(&format!("{row}_the_client_is_on_the_{side}"));
    let (on_minority, on_majority) = (of_side("minority"), of_side("majority"));
    scenario(async |few| {
        scenario(async |many| {
            let (minority, majority) = (Stage::new(few, &cluster).await, Stage::new(many, &cluster).await);
            tokio::join!(minority.dispatcher(&[ALONE]), majority.dispatchers(&[1, 2]));
            let usual = minority.start_of_one(&[ALONE]).await;
            for stage in [&minority, &majority] {
                cluster.leads(ALONE, stage.world.namespace()).await;
            }
            let (of_minority, of_majority) =
                tokio::join!(minority.load_of(WHILE_PARTED, &[ALONE]), majority.load(&[1, 2]));
            let impatient = minority.settings(&[ALONE]).with_publish_timeout(during / 3);
            let impatient = hookline_producer::Producer::connect(impatient).await.unwrap();
            cluster.on_partition(way).await;

            let whole = Moment::now();
            cluster.cut_off(ALONE).await;
            let of_alone = async {
                let events = (0..EVENTS).map(|number| numbered("acme", number)).collect();
                publish_each(&impatient, events).await
            };
            // The fault itself takes this long.
            let (alone, ()) = tokio::join!(of_alone, sleep(during));
            assert_eq!(alone.accepted.len(), 0, "a minority stores nothing");
            let silence_of_majority = majority.longest_silence_since(whole);

            cluster.join_again().await;
            match way {
                // It does not know what the others have agreed on meanwhile, until it starts anew.
                OnPartition::Ignore => {
                    cluster.kill(ALONE).await;
                    cluster.start_again(ALONE).await;
                }
                // It has stopped by itself, and starts as soon as it sees the others.
                OnPartition::PauseMinority => cluster.is_whole().await,
            }
            let back_of_minority = minority.goes_on_after(Moment::now()).await;
            tokio::join!(minority.more(&of_minority, 300), majority.more(&of_majority, 300));
            let (mut of_minority, of_majority) = tokio::join!(of_minority.stop(), of_majority.stop());
            of_minority.in_doubt.extend(alone.in_doubt);
            // It has all its links to make anew, and queues that choose who leads them.
            let allowed = Allowed::twice(FOR_EACH_NODE + EVENTS);
            let back_within = allowed.recovery + 5 * usual;
            for (trial, stage, published, back, allowed) in [
                (
                    on_minority,
                    &minority,
                    of_minority,
                    back_of_minority,
                    allowed.back_within(back_within),
                ),
                (
                    on_majority,
                    &majority,
                    of_majority,
                    silence_of_majority,
                    Allowed::twice(FOR_EACH_NODE),
                ),
            ] {
                stage.closes(trial, published, back, allowed).await;
            }
            cluster.on_partition(OnPartition::Ignore).await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn d13_a_node_is_parted_for_10_s() {
    parted(
        "d13_a_node_is_parted_for_10_s",
        OnPartition::Ignore,
        Duration::from_secs(10),
    )
    .await;
}

#[tokio::test]
async fn d13_a_node_that_pauses_is_parted_for_30_s() {
    parted(
        "d13_a_node_that_pauses_is_parted_for_30_s",
        OnPartition::PauseMinority,
        Duration::from_secs(30),
    )
    .await;
}
