//! Retries wait in delay queues while the node that leads these is killed, around the moment in which they fall due.

use std::collections::HashMap;
use std::time::Duration;

use hookline_tests::cluster::{Cluster, Turn};
use hookline_tests::eventually;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::load::{numbered, publish_each};
use hookline_tests::scenario;

use hookline_tests::moment::Moment;
use hookline_tests::receiver::Received;
use tokio::time::Instant;

use super::stage::Stage;
use super::{ALL, LONG};

const EVENTS: usize = 500;
/// The nodes that lead and are killed, each while so many events wait.
const LEADERS: [usize; 2] = [1, 2];
/// Attempts that are refused: the first delays of the default schedule, 1 and 2 s.
const REFUSED: u32 = 2;
const DELAYS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];
/// On 3.10.8 what waits may stand until the node is back (docs/CLUSTER.md, the fragile moments), which takes one its time to start.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// A node that dies in the instant of a transfer may have moved it, and its successor moves it again: 0 to 150 of 500 were seen
/// for each leader that dies, the more the busier the machine is.
const MOVED_AGAIN: usize = 250;

/// When the first attempt came of a delivery whose delay was not over at this moment: another leader has let it go.
fn first_of_what_waited(requests: &[Received], moment: Moment) -> Option<Instant> {
    let mut earlier = HashMap::new();
    for request in requests {
        let ended = request.ended.unwrap_or(request.arrived);
        let first = earlier.entry((request.id(), request.attempt())).or_insert(ended);
        *first = ended.min(*first);
    }
    let waited = requests.iter().filter(|request| {
        let Some(before) = request.attempt().checked_sub(1) else {
            return false;
        };
        let due = earlier
            .get(&(request.id(), before))
            .zip(DELAYS.get((before as usize).wrapping_sub(1)))
            .map(|(ended, delay)| *ended + *delay);
        due.is_some_and(|due| due > moment.at())
    });
    waited.map(|request| request.arrived).min()
}

#[tokio::test]
async fn d12_leaders_are_killed_while_retries_wait() {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        let stage = Stage::taking_from(world, &cluster, REFUSED + 1).await;
        stage.dispatchers(ALL).await;
        let (mut published, mut back) = (Vec::new(), Duration::ZERO);
        for leader in LEADERS {
            cluster.leads(leader, world.namespace()).await;
            let others: Vec<_> = ALL.iter().copied().filter(|node| *node != leader).collect();
            let producer = stage.producer(&others).await;
            let before = stage.receiver.count();
            let events = (0..EVENTS).map(|number| numbered("acme", number)).collect();
            let batch = publish_each(&producer, events).await;
            // All of them wait for their second attempt, or begin it.
            eventually(LONG, "all first attempts are made", async || {
                (stage.receiver.count() >= before + EVENTS).then_some(())
            })
            .await;
            cluster.kill(leader).await;
            let moment = Moment::now();
            let goes_on = eventually(LONG, "what waited then is attempted again", async || {
                first_of_what_waited(&stage.receiver.requests(), moment)
            });
            let (first, ()) = tokio::join!(goes_on, cluster.start_again(leader));
            back = back.max(first - moment.at());
            stage.all_arrive(&batch.accepted).await;
            published.push(batch);
        }
        stage.comes_to_rest(&published).await;
        let judge = Judge::with_schedule(&DELAYS);
        let mut trial = trial.on_nodes(Cluster::NODES);
        trial.back_after(back);
        let twice = LEADERS.len() * MOVED_AGAIN;
        // One that is moved twice before its second attempt has its third one twice as well.
        let allowed = Allowed::twice(twice)
            .copies(twice * REFUSED as usize)
            .back_within(BACK_WITHIN);
        trial.closes(&stage.judge_with(judge, &published), allowed).await;
    })
    .await;
}
