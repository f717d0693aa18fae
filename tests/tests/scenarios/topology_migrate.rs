//! `hookline topology apply --migrate`: a queue with other arguments becomes one with ours, whatever goes on meanwhile.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::broker::{Broker, Stored};
use hookline_tests::cli::{command, run, run_and_kill, succeed, why};
use hookline_tests::services::services;
use hookline_tests::{World, eventually, scenario};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::SOON;

/// What may be in hand of one run when it is killed: published and not confirmed, or confirmed and not acknowledged.
pub(super) const IN_HAND: usize = 150;
pub(super) const MIGRATE: [&str; 3] = ["topology", "apply", "--migrate"];

/// Declares a queue as it was before it refused what it has no room for.
pub(super) async fn declare_old(world: &World, queue: Queue) -> String {
    let name = world.queue(queue);
    let arguments = [
        ("x-queue-type", AMQPValue::LongString("quorum".into())),
        ("x-delivery-limit", AMQPValue::LongLongInt(i32::MAX.into())),
    ];
    world.broker().declare(&name, &arguments).await;
    name
}

fn numbered(number: usize) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("x-theirs".into(), AMQPValue::LongString("kept".into()));
    headers.insert("company".into(), AMQPValue::LongString("acme".into()));
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(format!("{number:06}").as_str().into())
        .with_content_type("application/json".into())
        .with_app_id("booking".into())
        .with_correlation_id("c-1".into())
        .with_priority(4)
        .with_headers(headers)
}

async fn confirming(broker: &Broker) -> Channel {
    let channel = broker.channel().await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    channel
}

/// Whether a queue has it; an error is the end of the channel.
async fn publish(channel: &Channel, exchange: &str, key: &str, number: usize) -> lapin::Result<bool> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let sent = channel.basic_publish(exchange.into(), key.into(), options, b"{}", numbered(number));
    Ok(matches!(sent.await?.await?, Confirmation::Ack(None)))
}

/// Fills a queue with the messages 0 to `count`.
pub(super) async fn fill(world: &World, queue: &str, count: usize) {
    let channel = confirming(world.broker()).await;
    let mut answers = Vec::new();
    for number in 0..count {
        let sent = channel.basic_publish(
            "".into(),
            queue.into(),
            BasicPublishOptions::default(),
            b"{}",
            numbered(number),
        );
        answers.push(sent.await.unwrap());
    }
    for answer in answers {
        assert!(matches!(answer.await.unwrap(), Confirmation::Ack(None)));
    }
}

/// Somebody who publishes one message after the other over one channel, as a dispatcher does: what is returned or refused is
/// tried again.
struct Publisher {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<usize>>,
}

impl Publisher {
    /// Begins with number `first`.
    fn start(exchange: &str, key: &str, first: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, exchange, key) = (Arc::clone(&stop), exchange.to_owned(), key.to_owned());
        let task = tokio::spawn(async move {
            let mut link = None;
            let mut confirmed = Vec::new();
            let mut number = first;
            while !asked.load(Ordering::Relaxed) {
                let (_, channel) = match &mut link {
                    Some(link) => link,
                    none => {
                        let broker = Broker::connect(&services().amqp_url).await;
                        let channel = confirming(&broker).await;
                        none.insert((broker, channel))
                    }
                };
                match publish(channel, &exchange, &key, number).await {
                    Ok(true) => {
                        confirmed.push(number);
                        number += 1;
                    }
                    Ok(false) => sleep(Duration::from_millis(2)).await,
                    // RabbitMQ ends the connection of whoever publishes to a queue for the first time in the moment in which it is
                    // deleted. This one may be stored or not.
                    Err(_) => {
                        link = None;
                        number += 1;
                    }
                }
            }
            confirmed
        });
        Self { stop, task }
    }

    /// The numbers that the broker confirmed.
    async fn stop(self) -> Vec<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

fn numbers(messages: &[Stored]) -> Vec<usize> {
    messages
        .iter()
        .map(|message| message.id().parse().unwrap())
        .collect()
}

/// How often there is more of a message than once.
fn doubles(found: &[usize]) -> usize {
    let different: BTreeSet<_> = found.iter().collect();
    found.len() - different.len()
}

fn is_all_there(found: &[usize], expected: impl IntoIterator<Item = usize>) {
    let found: BTreeSet<_> = found.iter().copied().collect();
    let lost: Vec<usize> = expected
        .into_iter()
        .filter(|number| !found.contains(number))
        .collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
}

pub(super) async fn is_whole(world: &World) {
    succeed(world, &["topology", "check"]).await;
    let prefix = format!("{}.", world.namespace());
    for queue in services().queues(&prefix).await {
        let name = queue["name"].as_str().unwrap();
        assert!(!name.contains("migrating"), "{name} is left");
    }
}

#[tokio::test]
async fn a_queue_of_before_is_named_and_migrated_with_all_that_its_messages_had() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let failed = declare_old(world, Queue::Failed).await;
        fill(world, &failed, 1500).await;
        for command in [["topology", "apply"], ["topology", "check"]] {
            let refused = run(world, &command).await;
            assert_eq!(refused.status.code(), Some(1));
            let text = [refused.stdout, refused.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            for part in [
                failed.as_str(),
                "x-overflow",
                "nothing",
                "reject-publish",
                "hookline topology apply --migrate",
            ] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        let migrated = succeed(world, &MIGRATE).await;
        let line = migrated.lines().find(|line| line.contains(&failed)).unwrap();
        assert!(
            line.contains("migrated") && line.contains("1500 messages"),
            "{line}"
        );
        is_whole(world).await;
        let messages = world.expect_in(Queue::Failed, 1500, SOON).await;
        assert_eq!(numbers(&messages), (0..1500).collect::<Vec<_>>());
        for message in &messages {
            assert_eq!(message.text("x-theirs"), "kept");
            let number = message.id().parse().unwrap();
            let expected = numbered(number);
            assert_eq!(message.properties.app_id(), expected.app_id());
            assert_eq!(message.properties.priority(), expected.priority());
            assert_eq!(message.properties.correlation_id(), expected.correlation_id());
        }
        // There is nothing left to do, and that is no fault.
        let again = succeed(world, &MIGRATE).await;
        assert!(!again.contains("migrated"), "{again}");
    })
    .await;
}

#[tokio::test]
async fn a_queue_is_not_deleted_while_it_is_published_to_and_nothing_is_lost_or_doubled() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let failed = declare_old(world, Queue::Failed).await;
        fill(world, &failed, 3000).await;
        // Two, so that messages of one are on their way while the other waits for its confirm.
        let (first, second) = (
            Publisher::start("", &failed, 10_000),
            Publisher::start("", &failed, 500_000),
        );
        let mut command = command(world, &MIGRATE);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        says(&mut lines, "messages still arrive").await;
        assert!(world.broker().ready(&failed).await.is_some(), "it stands");
        let expected = [first.stop().await, second.stop().await].concat();
        assert!(expected.len() > 20, "there was load");
        says(&mut lines, "stands anew").await;
        let ended = timeout(SOON, child.wait()).await.unwrap().unwrap();
        assert!(ended.success());
        let found = numbers(&world.read(Queue::Failed).await);
        is_all_there(&found, (0..3000).chain(expected));
        assert_eq!(doubles(&found), 0);
        let old: Vec<usize> = found.into_iter().filter(|number| *number < 3000).collect();
        assert!(old.is_sorted(), "their order is kept");
        is_whole(world).await;
    })
    .await;
}

#[tokio::test]
async fn events_flow_on_while_their_queue_migrates() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        succeed(world, &["topology", "apply"]).await;
        let events = world.queue(Queue::Events);
        world.broker().delete(std::slice::from_ref(&events), &[]).await;
        declare_old(world, Queue::Events).await;
        let exchange = world.namespace().events_exchange();
        let channel = world.broker().channel().await;
        let bound = channel.queue_bind(
            events.as_str().into(),
            exchange.as_str().into(),
            "#".into(),
            lapin::options::QueueBindOptions::default(),
            FieldTable::default(),
        );
        bound.await.unwrap();
        let publisher = Publisher::start(&exchange, "booking.created", 10_000);
        succeed(world, &MIGRATE).await;
        let expected = publisher.stop().await;
        let found = numbers(&world.read(Queue::Events).await);
        is_all_there(&found, expected.iter().copied());
        // Those of the two moments of change; without a bound this would be as many as there are events.
        assert!(
            doubles(&found) <= expected.len() / 2,
            "{} of {}",
            doubles(&found),
            expected.len()
        );
        is_whole(world).await;
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_killed_at_any_point_is_gone_on_with() {
    const MESSAGES: usize = 4000;
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let failed = declare_old(world, Queue::Failed).await;
        fill(world, &failed, MESSAGES).await;
        let mut kills = 0;
        let mut after = Duration::from_millis(20);
        while !run_and_kill(world, &MIGRATE, after).await {
            kills += 1;
            after = after.mul_f64(1.15);
            assert!(after < Duration::from_secs(60), "it never ends");
        }
        succeed(world, &MIGRATE).await;
        is_whole(world).await;
        assert!(kills >= 5, "{kills} kills");
        let found = numbers(&world.read(Queue::Failed).await);
        is_all_there(&found, 0..MESSAGES);
        assert!(
            doubles(&found) <= kills * IN_HAND,
            "{} after {kills} kills",
            doubles(&found)
        );
    })
    .await;
}

/// Waits until a command says `word` on stderr.
async fn says(lines: &mut Lines<BufReader<ChildStderr>>, word: &str) {
    loop {
        let line = timeout(8 * SOON, lines.next_line()).await.unwrap().unwrap();
        if line.expect("it says so before it ends").contains(word) {
            return;
        }
    }
}

/// Starts a migration and kills it after it has said `word` on stderr.
pub(super) async fn kill_after(world: &World, word: &str) {
    let mut command = command(world, &MIGRATE);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    says(&mut lines, word).await;
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_killed_under_load_loses_nothing() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let failed = declare_old(world, Queue::Failed).await;
        fill(world, &failed, 5000).await;
        let publisher = Publisher::start("", &failed, 10_000);
        // While messages move out, at the end of that, and while they move back.
        kill_after(world, &format!("moving the messages of {failed} into")).await;
        kill_after(world, "messages still arrive").await;
        let expected = publisher.stop().await;
        kill_after(world, &format!("moving the messages of {failed}.migrating into")).await;
        let told = run(world, &["topology", "check"]).await;
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(
            text.contains(".migrating") && text.contains("--migrate"),
            "{text}"
        );
        let refused = why(&run(world, &["topology", "apply"]).await, 1);
        assert!(refused.contains("--migrate"), "{refused}");
        succeed(world, &MIGRATE).await;
        let found = numbers(&world.read(Queue::Failed).await);
        is_all_there(&found, (0..5000).chain(expected));
        assert!(doubles(&found) <= 3 * IN_HAND, "{}", doubles(&found));
        is_whole(world).await;
    })
    .await;
}

#[tokio::test]
async fn what_others_hold_is_not_deleted_under_them() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let failed = declare_old(world, Queue::Failed).await;
        fill(world, &failed, 3).await;
        let broker = Broker::connect(&services().amqp_url).await;
        let channel = broker.channel().await;
        let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
        let held = channel
            .basic_consume(failed.as_str().into(), "".into(), options, table)
            .await
            .unwrap();
        let refused = why(&run(world, &MIGRATE).await, 1);
        for part in [failed.as_str(), "consumed by 1", "stop the dispatchers"] {
            assert!(refused.contains(part), "{refused}");
        }
        drop(held);
        channel.close(200, "done".into()).await.unwrap();
        succeed(world, &MIGRATE).await;
        let found = numbers(&world.expect_in(Queue::Failed, 3, SOON).await);
        assert_eq!(found.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn two_runs_at_once_take_turns() {
    scenario(async |world| {
        world.leaves(Queue::Failed);
        let failed = declare_old(world, Queue::Failed).await;
        fill(world, &failed, 4000).await;
        let (one, other) = tokio::join!(run(world, &MIGRATE), run(world, &MIGRATE));
        assert!(
            one.status.success() || other.status.success(),
            "{one:?} {other:?}"
        );
        succeed(world, &MIGRATE).await;
        let found = numbers(&world.read(Queue::Failed).await);
        assert_eq!(found, (0..4000).collect::<Vec<_>>());
        is_whole(world).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_in_the_place_of_a_queue_is_left_to_a_person() {
    scenario(async |world| {
        let failed = world.queue(Queue::Failed);
        let stream = [("x-queue-type", AMQPValue::LongString("stream".into()))];
        world.broker().declare(&failed, &stream).await;
        let refused = why(&run(world, &MIGRATE).await, 1);
        assert!(
            refused.contains("stream") && refused.contains(&failed),
            "{refused}"
        );
        eventually(SOON, "it stands", async || world.broker().ready(&failed).await).await;
    })
    .await;
}
