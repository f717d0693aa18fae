//! A stream of attempts that confirms nothing: deliveries go on, and every record is found.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookline_common::broker::{AttemptsLog, BrokerUrl, LinkSettings, StreamStart};
use hookline_common::topology::Queue;
use hookline_producer::{Event, Producer, Settings};
use hookline_tests::broker::Broker;
use hookline_tests::cli::command;
use hookline_tests::dispatcher::{Dispatcher, Setup};
use hookline_tests::endpoint::endpoint;
use hookline_tests::message::HandMade;
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::records::Records;
use hookline_tests::yardstick::beside;
use hookline_tests::{Receiver, World, eventually, scenario, status};
use lapin::BasicProperties;
use lapin::types::AMQPValue;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::Instant;

use crate::SOON;

pub(crate) const SPILLED: &str = "hookline_records_spilled_total";
pub(crate) const LOST: &str = "hookline_records_lost_total";
const SILENT: &str = "hookline_attempts_stream_silent";
/// Where the broker always confirms within this what is written to a stream, none is silent: that is twice as long.
const QUICK: Duration = Duration::from_secs(1);
/// How often a stream is tried beside which the broker must be quick. A busy machine has such moments too.
const TRIES: usize = 20;

/// A broker of the scenario's own, and who publishes there.
pub(crate) struct Stage<'a> {
    pub(crate) world: &'a World,
    pub(crate) private: &'a PrivateBroker,
    producer: Producer,
    pub(crate) stream: String,
    spill: String,
}

impl<'a> Stage<'a> {
    async fn new(world: &'a World, private: &'a PrivateBroker) -> Self {
        let settings = Settings::new(&private.url()).unwrap();
        let settings = settings.with_namespace(world.namespace().clone());
        Self {
            world,
            private,
            producer: Producer::connect(settings).await.unwrap(),
            stream: world.queue(Queue::Attempts),
            spill: world.queue(Queue::AttemptsSpill),
        }
    }

    pub(crate) fn setup(&self) -> Setup<'a> {
        self.world
            .dispatcher()
            .set("HOOKLINE_AMQP_URL", self.private.url())
    }

    pub(crate) async fn dispatcher(&self) -> Arc<Dispatcher> {
        self.setup().start().await
    }

    pub(crate) async fn publish(&self, count: usize) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for number in 0..count {
            let event = Event::new("acme", "booking.created", format!("{{\"n\":{number}}}")).unwrap();
            self.producer.publish(&event).await.unwrap();
            ids.insert(event.id.as_str().to_owned());
        }
        ids
    }

    pub(crate) async fn records(&self) -> Records {
        Records::at(&self.private.url(), self.world).await
    }

    async fn is_well(&self, dispatcher: &Dispatcher) {
        self.spill_is_empty_within(SOON).await;
        eventually(SOON, "the stream is well", async || {
            (dispatcher.metric(SILENT).await == Some(0.0)).then_some(())
        })
        .await;
    }

    async fn spill_is_empty_within(&self, within: Duration) {
        let broker = Broker::connect(&self.private.url()).await;
        eventually(within, "the spill is empty", async || {
            (broker.ready(&self.spill).await == Some(0)).then_some(())
        })
        .await;
    }

    /// What `future` comes to, and how long the broker takes at most meanwhile to confirm what is written to a stream of the test's
    /// own beside it.
    async fn beside_confirms<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let broker = Broker::connect(&self.private.url()).await;
        let stream = format!("{}.test", self.world.namespace());
        let kind = AMQPValue::LongString("stream".into());
        broker.declare(&stream, &[("x-queue-type", kind)]).await;
        let confirms = async || {
            broker
                .publish("", &stream, BasicProperties::default(), b"{}")
                .await;
        };
        beside(confirms, future).await
    }

    /// Publishes some events, and makes sure that their records go to the stream and not to the spill. Where the broker itself
    /// confirms late, a stream counts as silent for good reason: then it is tried again. Returns all that it published.
    async fn recorded_straight(&self, dispatcher: &Dispatcher, records: &Records) -> BTreeSet<String> {
        let (mut events, mut confirmed) = (BTreeSet::new(), Vec::new());
        for _ in 0..TRIES {
            self.is_well(dispatcher).await;
            let before = dispatcher.metric(SPILLED).await;
            let recorded = async {
                let published = self.publish(20).await;
                all_are_recorded(records, &published, SOON).await;
                published
            };
            let (published, slowest) = self.beside_confirms(recorded).await;
            events.extend(published);
            if slowest <= QUICK {
                let silent_and_spilled = (dispatcher.metric(SILENT).await, dispatcher.metric(SPILLED).await);
                assert_eq!(
                    silent_and_spilled,
                    (Some(0.0), before),
                    "although all is confirmed within {slowest:?}"
                );
                return events;
            }
            confirmed.push(slowest);
        }
        panic!("the broker is too slow to tell: {confirmed:?}");
    }

    fn log(&self) -> AttemptsLog {
        let url = BrokerUrl::parse(&self.private.url()).unwrap();
        AttemptsLog::new(
            LinkSettings::new(url, "hookline-tests log"),
            self.world.namespace(),
        )
    }
}

/// Plays a scenario on a broker of its own, with one endpoint that takes everything.
pub(crate) async fn staged(body: impl AsyncFnOnce(&Stage<'_>, &Receiver)) {
    let private = PrivateBroker::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        body(&Stage::new(world, &private).await, &receiver).await;
    })
    .await;
}

/// Waits until each of these events has a record.
pub(crate) async fn all_are_recorded(records: &Records, events: &BTreeSet<String>, within: Duration) {
    let what = format!("records of {} events", events.len());
    eventually(within, &what, async || {
        let recorded = events_of(&records.distinct());
        events.is_subset(&recorded).then_some(())
    })
    .await;
}

fn events_of(records: &[Value]) -> BTreeSet<String> {
    let events = records.iter().map(|record| record["event"].as_str().unwrap());
    events.map(str::to_owned).collect()
}

/// `hookline tail --json`, and what it has printed.
async fn tail(stage: &Stage<'_>) -> (tokio::process::Child, Arc<Mutex<Vec<Value>>>) {
    let mut tail = command(stage.world, &["tail", "--json"]);
    tail.env("HOOKLINE_AMQP_URL", stage.private.url());
    let mut child = tail
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let follows = stderr.next_line().await.unwrap().unwrap();
    assert!(follows.starts_with("following"), "{follows}");
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = Arc::<Mutex<Vec<Value>>>::default();
    let log = Arc::clone(&lines);
    tokio::spawn(async move {
        while let Ok(Some(line)) = stdout.next_line().await {
            log.lock().unwrap().push(serde_json::from_str(&line).unwrap());
        }
    });
    (child, lines)
}

#[tokio::test]
async fn deliveries_go_on_while_the_stream_confirms_nothing_and_no_record_is_missing() {
    const EVENTS: usize = 1500;
    staged(async |stage, receiver| {
        let dispatcher = stage.dispatcher().await;
        let records = stage.records().await;
        let mut events = stage.recorded_straight(&dispatcher, &records).await;
        let (mut tail, printed) = tail(stage).await;

        let lines_on_the_stream = || {
            let log = dispatcher.log();
            let is_one = |line: &&str| line.contains("the stream of attempts");
            log.lines().filter(is_one).count()
        };
        let told_before = lines_on_the_stream();
        let spilled_before = dispatcher.metric(SPILLED).await;
        stage.private.hold_stream(&stage.stream).await;
        let held = Instant::now();
        // More than a window is wide, so that all would stand still if a single record had to be in the stream.
        let meanwhile = stage.publish(EVENTS).await;
        events.extend(meanwhile.clone());
        receiver.expect(events.len(), SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        assert!(dispatcher.metric(SPILLED).await > spilled_before);
        assert_eq!(dispatcher.metric(SILENT).await, Some(1.0));
        assert!(dispatcher.is_ready().await);
        assert_eq!(dispatcher.metric("hookline_reconnects_total").await, Some(0.0));
        assert_eq!(dispatcher.metric(LOST).await, Some(0.0));
        let lines = lines_on_the_stream() - told_before;
        let told_once = lines <= 1 + usize::try_from(held.elapsed().as_secs() / 60).unwrap();
        let told = dispatcher.log();
        assert!(told_once && told.contains(&stage.stream), "{told}");

        // Who looks sees all of it already, but for what is tried just then, and looks again.
        eventually(4 * SOON, "tail prints what is spilled", async || {
            meanwhile
                .is_subset(&events_of(&printed.lock().unwrap()))
                .then_some(())
        })
        .await;
        let one = meanwhile.first().unwrap();
        let found = eventually(4 * SOON, "its attempt is found", async || {
            let event = hookline_common::ids::EventId::parse(one).unwrap();
            let found = stage
                .log()
                .attempts_of(&event, StreamStart::First, 2 * SOON)
                .await
                .unwrap();
            (!found.records.is_empty()).then_some(found)
        })
        .await;
        assert_eq!(found.records.len(), 1);

        stage.private.let_go_on(&stage.stream).await;
        all_are_recorded(&records, &events, SOON).await;
        let later = stage.recorded_straight(&dispatcher, &records).await;
        let to_be_printed = EVENTS + later.len();
        events.extend(later);
        assert_eq!(
            records.distinct().len(),
            events.len(),
            "one record for each attempt"
        );

        let event = hookline_common::ids::EventId::parse(one).unwrap();
        let found = stage
            .log()
            .attempts_of(&event, StreamStart::First, 2 * SOON)
            .await
            .unwrap();
        assert_eq!(
            (found.records.len(), found.is_complete),
            (1, true),
            "{:?}",
            found.fault
        );

        eventually(SOON, "tail prints the rest", async || {
            (printed.lock().unwrap().len() >= to_be_printed).then_some(())
        })
        .await;
        assert_eq!(
            printed.lock().unwrap().len(),
            to_be_printed,
            "tail prints each once"
        );
        tail.kill().await.unwrap();
        dispatcher.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_full_spill_refuses_is_counted_and_told_and_holds_nothing_up() {
    const EVENTS: usize = 1200;
    staged(async |stage, receiver| {
        let dispatcher = stage.dispatcher().await;
        let pattern = format!("^{}$", stage.spill);
        let full = [
            "set_policy",
            "--apply-to",
            "queues",
            "full",
            &pattern,
            "{\"max-length\":1}",
        ];
        stage.private.control(&full).await;
        let held = Instant::now();
        stage.private.hold_stream(&stage.stream).await;
        let events = stage.publish(EVENTS).await;
        receiver.expect(EVENTS, SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        let count = async |name| dispatcher.metric(name).await.unwrap_or(0.0);
        assert!(count(LOST).await > 0.0);
        let error = dispatcher.says("records are left out of the log", SOON).await;
        assert!(
            error.contains(&stage.spill) && error.contains("is full"),
            "{error}"
        );
        let log = dispatcher.log();
        let errors = log.lines().filter(|line| line.contains("records are left out"));
        // Told at once, and once a minute.
        let most = 1 + usize::try_from(held.elapsed().as_secs() / 60).unwrap();
        assert!(errors.count() <= most, "{log}");

        stage.private.control(&["clear_policy", "full"]).await;
        stage.private.let_go_on(&stage.stream).await;
        stage.spill_is_empty_within(SOON).await;
        let later = stage.publish(10).await;
        let records = stage.records().await;
        all_are_recorded(&records, &later, SOON).await;
        // What was lost is what was counted, and no more: batches that the stream had in hand when it stood still were stored.
        // The last that was spilled may be moved a moment after what came later.
        eventually(SOON, "the log has all that was not counted", async || {
            let recorded = events_of(&records.distinct());
            let missing = events.difference(&recorded).count();
            (missing as f64 <= count(LOST).await).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_dispatcher_spilled_is_moved_by_the_next() {
    staged(async |stage, receiver| {
        let dispatcher = stage.dispatcher().await;
        stage.private.hold_stream(&stage.stream).await;
        let events = stage.publish(50).await;
        receiver.expect(50, SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        dispatcher.kill().await;
        stage.private.let_go_on(&stage.stream).await;
        let next = stage.dispatcher().await;
        let records = stage.records().await;
        all_are_recorded(&records, &events, SOON).await;
        stage.spill_is_empty_within(SOON).await;
        assert_eq!(next.metric(SILENT).await, Some(0.0));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_batch_in_the_spill_holds_up_nothing_behind_it() {
    scenario(async |world| {
        world.endpoints([]);
        let dispatcher = world.dispatcher().start().await;
        let spill = world.queue(Queue::AttemptsSpill);
        let batch = BasicProperties::default()
            .with_content_type("application/x-ndjson".into())
            .with_content_encoding("zstd".into());
        let compressed = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).unwrap();
        // Somebody's words, a delivery, what is compressed wrongly, and what would fill the memory.
        let foreign = [
            (BasicProperties::default(), b"hello".to_vec()),
            (BasicProperties::default(), Vec::new()),
            (batch.clone(), b"no zstd".to_vec()),
            (batch.clone(), compressed(&vec![b'\n'; 64 << 20])),
        ];
        for (properties, body) in foreign {
            world.broker().publish("", &spill, properties, &body).await;
        }
        HandMade::delivery("ep_crm")
            .send(world, Queue::AttemptsSpill)
            .await;
        let line = b"{\"id\":\"att_1\",\"event\":\"evt_1\"}\n";
        world.broker().publish("", &spill, batch, &compressed(line)).await;
        let records = Records::of(world).await;
        all_are_recorded(&records, &["evt_1".to_owned()].into(), SOON).await;
        assert_eq!(records.distinct().len(), 1, "nothing else is in the stream");
        dispatcher.says("no batch of records", SOON).await;
        eventually(SOON, "the spill is empty", async || {
            (world.broker().ready(&spill).await == Some(0)).then_some(())
        })
        .await;
        assert_eq!(dispatcher.metric("hookline_reconnects_total").await, Some(0.0));
    })
    .await;
}

#[tokio::test]
async fn a_stream_and_a_spill_that_somebody_deleted_are_made_again_and_records_are_kept() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        world.publish("booking.created", "{}").await;
        receiver.expect(1, SOON).await;
        world.is_settled_within(SOON).await;
        let log = [Queue::Attempts, Queue::AttemptsSpill].map(|queue| world.queue(queue));
        world.broker().delete(&log, &[]).await;
        let mut published = 1;
        // Each batch that finds neither says so at once, so that the next one finds one.
        eventually(SOON, "both are there", async || {
            world.publish("booking.created", "{}").await;
            published += 1;
            receiver.expect(published, SOON).await;
            let stream = world.broker().ready(&log[0]).await;
            let spill = world.broker().ready(&log[1]).await;
            (stream.is_some() && spill.is_some()).then_some(())
        })
        .await;
        let records = Records::of(world).await;
        let last = world.publish("booking.created", "{}").await;
        let last = BTreeSet::from([last.id.as_str().to_owned()]);
        all_are_recorded(&records, &last, SOON).await;
        world.is_settled_within(SOON).await;
        dispatcher.stop().await;
    })
    .await;
}
