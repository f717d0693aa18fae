//! The log of attempts while the node dies, or is frozen, that leads its stream or alone has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::broker::Broker;
use hookline_tests::cluster::{Cluster, Turn};
use hookline_tests::console::{self, database_scenario};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::load::{Published, numbered, publish_each};
use hookline_tests::records::Records;
use hookline_tests::{eventually, scenario};

use hookline_tests::moment::Moment;

use super::stage::{FOR_EACH_NODE, Stage};
use super::{ALL, LONG};

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Killed,
    Frozen,
}

/// The stream has one replica, as on a cluster that grew, and its node goes.
async fn deliveries_go_on_while_the_streams_only_node_is(fault: Fault) {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    scenario(async |world| {
        cluster.declare_on(AWAY, world.namespace(), Queue::Attempts).await;
        let stage = Stage::new(world, &cluster).await;
        let dispatchers = [stage.dispatcher(&[1, 2]).await, stage.dispatcher(&[1, 2]).await];
        let stream = world.queue(Queue::Attempts);
        let producer = stage.producer(&[1, 2]).await;
        let publish = async |count: usize| {
            let events = (0..count).map(|number| numbered("acme", number)).collect();
            let published = publish_each(&producer, events).await;
            assert_eq!(published.accepted.len(), count);
            stage.all_arrive(&published.accepted).await;
            published
        };
        let before = publish(20).await;
        // The stream alone is to be away: what a node leads besides comes back within net_ticktime, and is another row.
        cluster.leads_nothing(AWAY).await;
        let spilled = sum(&dispatchers, SPILLED).await;
        let lines: Vec<_> = dispatchers.iter().map(|it| it.log().lines().count()).collect();
        match fault {
            Fault::Killed => cluster.kill(AWAY).await,
            Fault::Frozen => cluster.freeze(AWAY).await,
        }
        let moment = Moment::now();
        let meanwhile = publish(EVENTS).await;
        let back = stage.goes_on_after(moment).await;
        for (dispatcher, before) in dispatchers.iter().zip(lines) {
            dispatcher.has_let_go_within(LONG).await;
            // One line when it falls silent; after a minute another one says that it still is.
            let lines = told(dispatcher, before, "records go to");
            assert!(lines.len() <= 1, "{lines:#?}");
            assert!(lines.iter().all(|line| line.contains(&stream)), "{lines:#?}");
        }
        assert!(sum(&dispatchers, SPILLED).await > spilled, "records are spilled");
        assert!(sum(&dispatchers, SILENT).await >= 1.0, "and the metric says why");

        if fault == Fault::Frozen {
            cluster.thaw(AWAY).await;
            // The others have given it up meanwhile, and it knows nothing of that until it starts anew.
            cluster.kill(AWAY).await;
        }
        cluster.start_again(AWAY).await;
        spill_is_moved_back(&stage, &dispatchers).await;
        // Its readers ask the node that has it.
        let records = Records::at(&cluster.url(AWAY), world).await;
        let all: Vec<_> = before.accepted.iter().chain(&meanwhile.accepted).collect();
        let wanted: BTreeSet<String> = all.iter().map(|event| event.id.to_string()).collect();
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
        // Nobody's link but the stream's own was touched, and that one knows no broken connection either.
        assert_eq!(sum(&dispatchers, RECONNECTS).await, 0.0);
        let published = Published {
            accepted: [before.accepted, meanwhile.accepted].concat(),
            ..Published::default()
        };
        stage.closes(trial, published, back, Allowed::nothing()).await;
    })
    .await;
}

#[tokio::test]
async fn d12_the_streams_only_node_is_killed() {
    deliveries_go_on_while_the_streams_only_node_is(Fault::Killed).await;
}

#[tokio::test]
async fn d12_the_streams_only_node_is_frozen() {
    deliveries_go_on_while_the_streams_only_node_is(Fault::Frozen).await;
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

/// The console's recorder follows a stream whose leader dies, and whose next leader dies too. Each attempt is in the database once.
#[tokio::test]
async fn d12_the_leader_of_the_stream_that_is_recorded_is_killed() {
    let cluster = Turn::take().await;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let stage = Stage::new(world, &cluster).await;
        stage.dispatchers(ALL).await;
        let setup = console::setup(world, database).set("HOOKLINE_AMQP_URL", cluster.urls());
        let console = console::start(setup).await;
        let load = stage.load(ALL).await;
        let stream = world.queue(Queue::Attempts);
        let (mut back, mut led) = (Duration::ZERO, BTreeSet::new());
        let mut asked = 1;
        for _ in 0..2 {
            let leader = cluster.leader(asked, &stream).await;
            led.insert(leader);
            cluster.can_spare(leader, world.namespace()).await;
            cluster.kill(leader).await;
            let moment = Moment::now();
            stage.goes_on_after(moment).await;
            // What is recorded after the leader has gone comes from another one.
            back = back.max(records_go_on(database, moment).await);
            asked = leader % Cluster::NODES + 1;
            let next = eventually(LONG, "another one leads the stream", async || {
                let next = cluster.leader(asked, &stream).await;
                (next != leader).then_some(next)
            })
            .await;
            led.insert(next);
            cluster.start_again(leader).await;
            stage.more(&load, 200).await;
        }
        assert!(led.len() > 1, "the stream moved: {led:?}");
        let published = load.stop().await;
        stage
            .closes(trial, published, back, Allowed::twice(2 * FOR_EACH_NODE))
            .await;
        let requests = stage.receiver.count().to_string();
        eventually(LONG, "each attempt is recorded", async || {
            let attempts = database.texts("SELECT count(*)::text FROM attempts").await;
            (attempts == [requests.clone()]).then_some(())
        })
        .await;
        let of_each = "SELECT event || ' ' || count(*) FROM attempts GROUP BY event";
        let recorded: BTreeSet<_> = database.texts(of_each).await.into_iter().collect();
        let mut seen = BTreeMap::<String, usize>::new();
        for request in stage.receiver.requests() {
            *seen.entry(request.id().to_owned()).or_default() += 1;
        }
        let seen: BTreeSet<_> = seen
            .into_iter()
            .map(|(event, count)| format!("{event} {count}"))
            .collect();
        assert_eq!(recorded, seen, "each attempt once");
        let missed = console
            .process()
            .metric("hookline_log_messages_missed_total")
            .await;
        assert_eq!(missed.unwrap_or(0.0), 0.0);
    })
    .await;
}

/// Waits until an attempt is in the database that began after this moment, and returns how long after it.
async fn records_go_on(database: &Database, moment: Moment) -> Duration {
    let since = format!(
        "SELECT count(*)::text FROM attempts WHERE started_at > to_timestamp({} / 1000.0)",
        moment.unix_ms()
    );
    eventually(LONG, "attempts are recorded that were made since", async || {
        (database.texts(&since).await != ["0"]).then_some(())
    })
    .await;
    moment.elapsed()
}
