//! The stream of attempts has one replica, as on a cluster that grew, and its node dies, or is frozen.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::cluster::Cluster;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::records::Records;
use hookline_tests::{eventually, scenario};

use super::{LONG, Stage};

const SPILLED: &str = "hookline_records_spilled_total";
const SILENT: &str = "hookline_attempts_stream_silent";
const RECONNECTS: &str = "hookline_reconnects_total";
/// More than what two dispatchers may hold, so that all would stand still if a single delivery waited for its record.
const EVENTS: usize = 2_500;
/// The node that has the stream; nobody is connected to it.
const AWAY: usize = 3;

async fn sum(dispatchers: &[Arc<Dispatcher>], metric: &str) -> f64 {
    let mut sum = 0.0;
    for dispatcher in dispatchers {
        sum += dispatcher.metric(metric).await.unwrap_or(0.0);
    }
    sum
}

/// The lines on the stream since `from`, of all their lines.
fn told(dispatcher: &Dispatcher, from: usize, words: &str) -> Vec<String> {
    let log = dispatcher.log();
    let lines = log.lines().skip(from).filter(|line| line.contains(words));
    lines.map(str::to_owned).collect()
}

pub(super) async fn deliveries_go_on_while_the_streams_only_node_is_away(cluster: &Cluster) {
    scenario(async |world| {
        cluster.declare_on(AWAY, world.namespace(), Queue::Attempts).await;
        let stage = Stage::new(world, cluster, &[1, 2]).await;
        let dispatchers = [
            stage.dispatcher(&[1, 2]).start().await,
            stage.dispatcher(&[1, 2]).start().await,
        ];
        let stream = world.queue(Queue::Attempts);
        let mut all = vec![stage.publish_many(20).await];
        stage.all_arrive(&all[0]).await;
        for is_frozen in [false, true] {
            // The stream alone is to be away: what a node leads besides comes back within net_ticktime, and is another part's.
            cluster.leads_nothing(AWAY).await;
            let spilled = sum(&dispatchers, SPILLED).await;
            let before: Vec<_> = dispatchers.iter().map(|it| it.log().lines().count()).collect();
            if is_frozen {
                cluster.freeze(AWAY).await;
            } else {
                cluster.kill(AWAY).await;
            }
            let meanwhile = stage.publish_many(EVENTS).await;
            assert_eq!(meanwhile.stored.len(), EVENTS);
            stage.all_arrive(&meanwhile).await;
            all.push(meanwhile);
            for (dispatcher, before) in dispatchers.iter().zip(before) {
                dispatcher.has_let_go_within(LONG).await;
                // One line when it falls silent; after a minute another one says that it still is.
                let lines = told(dispatcher, before, "records go to");
                assert!(lines.len() <= 1, "{lines:#?}");
                assert!(lines.iter().all(|line| line.contains(&stream)), "{lines:#?}");
            }
            assert!(sum(&dispatchers, SPILLED).await > spilled, "records are spilled");
            assert!(sum(&dispatchers, SILENT).await >= 1.0, "and the metric says why");

            if is_frozen {
                cluster.thaw(AWAY).await;
                // The others have given it up meanwhile, and it knows nothing of that until it starts anew.
                cluster.kill(AWAY).await;
            }
            cluster.start_again(AWAY).await;
            spill_is_moved_back(&stage, &dispatchers).await;
            // Its readers ask the node that has it.
            let records = Records::at(&cluster.url(AWAY), world).await;
            let wanted: BTreeSet<String> = all.iter().flat_map(super::Published::ids).collect();
            let recorded = eventually(LONG, "each event has its record", async || {
                let recorded = records.distinct();
                (recorded.len() >= wanted.len()).then_some(recorded)
            })
            .await;
            let events = recorded
                .iter()
                .map(|record| record["event"].as_str().unwrap().to_owned());
            assert_eq!(events.collect::<BTreeSet<_>>(), wanted);
            assert_eq!(recorded.len(), stage.receiver.count(), "one for each attempt");
        }
        // Nobody's link but the stream's own was touched, and that one knows no broken connection either.
        assert_eq!(sum(&dispatchers, RECONNECTS).await, 0.0);
        stage.nothing_is_lost(&all, 0);
    })
    .await;
}

async fn spill_is_moved_back(stage: &Stage<'_>, dispatchers: &[Arc<Dispatcher>]) {
    let broker = Broker::connect(&stage.cluster.url(1)).await;
    let spill = stage.world.queue(Queue::AttemptsSpill);
    eventually(LONG, "the stream is well and the spill is empty", async || {
        let is_well = sum(dispatchers, SILENT).await < 1.0;
        (is_well && broker.ready(&spill).await == Some(0)).then_some(())
    })
    .await;
}
