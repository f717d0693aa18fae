//! The model of the broker that the simulation runs on, held against the real one: the same small histories on both, and both show
//! the same.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use hookline_cases::broker::{Broker as Model, Published, QueueArguments};
use hookline_tests::eventually::{SOON, eventually};
use hookline_tests::world::{World, scenario};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions,
    BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Consumer};
use tokio::time::timeout;

/// One thing that is done at a broker. Messages are numbers.
#[derive(Debug, Clone)]
enum Step {
    Declare(&'static str, QueueArguments),
    /// Shows whether it was stored.
    Publish(&'static str, u32),
    /// Opens a channel of this name that consumes, so many unacknowledged at most.
    Consume(&'static str, &'static str, u16),
    /// Shows the next so many messages, each with how often it came back, and whether another one comes.
    Take(&'static str, usize),
    /// Acknowledges the message, or with true all up to it.
    Ack(&'static str, u32, bool),
    GiveBack(&'static str, u32),
    /// The channel wants nothing more, and keeps what it holds.
    Cancel(&'static str),
    Close(&'static str),
}

use Step::{Ack, Cancel, Close, Consume, Declare, GiveBack, Publish, Take};

/// How many messages of each queue are given to nobody.
type Ready = BTreeMap<&'static str, usize>;

fn plain(name: &'static str) -> Step {
    Declare(name, QueueArguments::default())
}

#[tokio::test]
async fn the_model_gives_out_takes_back_and_counts_as_the_broker_does() {
    agree(&[
        plain("q"),
        Publish("q", 0),
        Publish("q", 1),
        Publish("q", 2),
        Publish("q", 3),
        Publish("q", 4),
        // No more than the window, and in order.
        Consume("a", "q", 3),
        Take("a", 3),
        // One from the middle makes room for one.
        Ack("a", 1, false),
        Take("a", 1),
        // What is not acknowledged comes back where it stood, counted.
        Close("a"),
        Consume("b", "q", 10),
        Take("b", 4),
        Ack("b", 2, true),
        Close("b"),
        Consume("c", "q", 10),
        Take("c", 2),
        Ack("c", 4, true),
        Close("c"),
        Publish("nowhere", 0),
    ])
    .await;
}

#[tokio::test]
async fn the_model_ends_deliveries_at_their_limit_as_the_broker_does() {
    let arguments = QueueArguments {
        delivery_limit: Some(2),
        dead_letters_to: Some("dead".to_owned()),
        ..QueueArguments::default()
    };
    agree(&[
        plain("dead"),
        Declare("q", arguments),
        Publish("q", 0),
        Publish("q", 1),
        Consume("a", "q", 1),
        Take("a", 1),
        Close("a"),
        Consume("b", "q", 1),
        Take("b", 1),
        GiveBack("b", 0),
        Take("b", 1),
        Close("b"),
        Consume("c", "q", 5),
        Take("c", 1),
        Consume("d", "dead", 5),
        Take("d", 1),
        Ack("d", 0, false),
        Ack("c", 1, false),
        Close("c"),
        Close("d"),
    ])
    .await;
}

#[tokio::test]
async fn the_model_lets_a_consumer_stop_as_the_broker_does() {
    // Without a limit the broker puts what is given back at the end, and all our working queues have one.
    let limited = QueueArguments {
        delivery_limit: Some(100),
        ..QueueArguments::default()
    };
    agree(&[
        Declare("q", limited),
        Publish("q", 0),
        Publish("q", 1),
        Publish("q", 2),
        Consume("a", "q", 2),
        Take("a", 2),
        // What is given back and what comes now is for others; what is held can still be acknowledged.
        Cancel("a"),
        GiveBack("a", 0),
        Publish("q", 3),
        Consume("b", "q", 10),
        Take("b", 3),
        Ack("a", 1, false),
        Close("a"),
        Ack("b", 3, true),
        Close("b"),
        Consume("c", "q", 10),
        Take("c", 0),
        Close("c"),
    ])
    .await;
}

#[tokio::test]
async fn the_model_delays_and_refuses_as_the_broker_does() {
    let delay = QueueArguments {
        ttl: Some(300),
        dead_letters_to: Some("due".to_owned()),
        ..QueueArguments::default()
    };
    let full = QueueArguments {
        max_length: Some(1),
        ..QueueArguments::default()
    };
    agree(&[
        plain("due"),
        Declare("retry", delay),
        Consume("a", "due", 10),
        Publish("retry", 0),
        Publish("retry", 1),
        Take("a", 2),
        Ack("a", 1, true),
        Close("a"),
        Declare("full", full),
        Publish("full", 0),
        // Of one more the real broker may notice too late that there is no room.
        Publish("full", 1),
        Publish("full", 2),
    ])
    .await;
}

/// Plays the steps on both, and compares what they show.
async fn agree(steps: &[Step]) {
    scenario(async |world| {
        let (model, closed) = on_the_model(steps);
        let real = on_the_broker(world, steps, &closed).await;
        assert_eq!(model.len(), real.len());
        for (number, (model, real)) in model.iter().zip(&real).enumerate() {
            // The second message of a queue for one is a matter of moments at the real broker.
            let is_either = matches!(steps[number], Publish("full", 1));
            assert!(
                is_either || model == real,
                "step {number}, {:?}: the model shows {model}, the broker {real}",
                steps[number]
            );
        }
    })
    .await;
}

fn shown(messages: &[(u32, u32)], has_more: bool) -> String {
    format!("{messages:?}, another one comes: {has_more}")
}

/// What each step shows, and how full the queues are after each `Close`.
fn on_the_model(steps: &[Step]) -> (Vec<String>, Vec<Ready>) {
    let (mut model, mut now) = (Model::<u32>::default(), 0);
    let (mut queues, mut closed) = (Vec::new(), Vec::new());
    let mut channels = BTreeMap::new();
    let mut tags = BTreeMap::new();
    let shows = steps.iter().map(|step| match step {
        Declare(name, arguments) => {
            queues.push(*name);
            model.declare(name, arguments.clone());
            String::new()
        }
        Publish(queue, number) => match model.publish(queue, *number, now) {
            Published::Stored => "stored".to_owned(),
            Published::Refused => "refused".to_owned(),
            Published::Unroutable => "unroutable".to_owned(),
        },
        Consume(name, queue, prefetch) => {
            channels.insert(*name, model.consume(queue, usize::from(*prefetch)));
            String::new()
        }
        Take(name, count) => {
            // Longer than any delay here.
            now += 1000;
            model.tick(now);
            let channel = channels[name];
            let mut taken = Vec::new();
            while taken.len() < *count
                && let Some(given) = model.give(channel)
            {
                tags.insert((*name, given.message), given.tag);
                taken.push((given.message, given.returned));
            }
            let more = model.give(channel);
            assert_eq!(
                more.as_ref().map(|given| given.message),
                None,
                "{step:?} leaves one"
            );
            shown(&taken, more.is_some())
        }
        Ack(name, number, is_multiple) => {
            model
                .ack(channels[name], tags[&(*name, *number)], *is_multiple)
                .unwrap();
            String::new()
        }
        GiveBack(name, number) => {
            model
                .give_back(channels[name], tags[&(*name, *number)], now)
                .unwrap();
            String::new()
        }
        Cancel(name) => {
            model.cancel(channels[name]);
            String::new()
        }
        Close(name) => {
            model.close(channels[name], now);
            let ready = queues.iter().map(|queue| (*queue, model.ready(queue).len()));
            closed.push(ready.collect());
            String::new()
        }
    });
    let shows = shows.collect();
    (shows, closed)
}

/// Waits until the queues have back what a closed channel held: each hears of its end a moment after whoever closed it.
async fn have_back(world: &World, full: &impl Fn(&str) -> String, expected: &Ready) {
    // An empty one has nothing to wait for. One that does not answer in time is said to be empty, too.
    for (name, count) in expected.iter().filter(|(_, count)| **count > 0) {
        let (queue, what) = (full(name), format!("{name} has {count} messages"));
        eventually(SOON, &what, async || {
            let ready = world.broker().ready(&queue).await?;
            (ready as usize == *count).then_some(())
        })
        .await;
    }
}

async fn on_the_broker(world: &World, steps: &[Step], closed: &[Ready]) -> Vec<String> {
    let full = |name: &str| format!("{}.model.{name}", world.namespace());
    let mut channels: BTreeMap<&str, (Channel, Consumer)> = BTreeMap::new();
    let mut deliveries: BTreeMap<(&str, u32), Delivery> = BTreeMap::new();
    let (mut queues, mut shows) = (Vec::new(), Vec::new());
    let mut closed = closed.iter();
    for step in steps {
        let mut shows_now = String::new();
        match step {
            Declare(name, arguments) => {
                queues.push(full(name));
                world
                    .broker()
                    .declare(&full(name), &real_arguments(arguments, &full))
                    .await;
            }
            Publish(queue, number) => {
                shows_now = publish(&world.broker().channel().await, &full(queue), *number).await
            }
            Consume(name, queue, prefetch) => {
                let channel = world.broker().channel().await;
                channel
                    .basic_qos(*prefetch, BasicQosOptions::default())
                    .await
                    .unwrap();
                let consuming = channel.basic_consume(
                    full(queue).as_str().into(),
                    "".into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                );
                let consumer = consuming.await.unwrap();
                channels.insert(name, (channel, consumer));
            }
            Take(name, count) => {
                let (_, consumer) = channels.get_mut(name).unwrap();
                let mut taken = Vec::new();
                for _ in 0..*count {
                    let delivery = timeout(SOON, consumer.next())
                        .await
                        .expect("a message")
                        .unwrap()
                        .unwrap();
                    let number: u32 = std::str::from_utf8(&delivery.data).unwrap().parse().unwrap();
                    taken.push((number, returned(&delivery)));
                    deliveries.insert((name, number), delivery);
                }
                // Only what never comes takes as long.
                let more = timeout(std::time::Duration::from_millis(300), consumer.next()).await;
                shows_now = shown(&taken, more.is_ok());
            }
            Ack(name, number, multiple) => {
                let delivery = &deliveries[&(*name, *number)];
                delivery
                    .ack(BasicAckOptions { multiple: *multiple })
                    .await
                    .unwrap();
            }
            GiveBack(name, number) => {
                let options = BasicNackOptions {
                    multiple: false,
                    requeue: true,
                };
                deliveries[&(*name, *number)].nack(options).await.unwrap();
            }
            Cancel(name) => {
                let (channel, consumer) = &channels[name];
                channel
                    .basic_cancel(consumer.tag(), BasicCancelOptions::default())
                    .await
                    .unwrap();
            }
            Close(name) => {
                let (channel, _) = channels.remove(name).unwrap();
                channel.close(200, "done".into()).await.unwrap();
                have_back(world, &full, closed.next().unwrap()).await;
            }
        }
        shows.push(shows_now);
    }
    channels.clear();
    world.broker().delete(&queues, &[]).await;
    shows
}

fn returned(delivery: &Delivery) -> u32 {
    let headers = delivery.properties.headers();
    let count = headers
        .as_ref()
        .and_then(|headers| headers.inner().get("x-delivery-count"));
    match count {
        Some(AMQPValue::LongLongInt(count)) => u32::try_from(*count).unwrap(),
        Some(other) => panic!("{other:?}"),
        None => 0,
    }
}

async fn publish(channel: &Channel, queue: &str, number: u32) -> String {
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let body = number.to_string();
    let sent = channel.basic_publish(
        "".into(),
        queue.into(),
        options,
        body.as_bytes(),
        BasicProperties::default(),
    );
    let shows = match sent.await.unwrap().await.unwrap() {
        Confirmation::Ack(None) => "stored",
        Confirmation::Ack(Some(_)) => "unroutable",
        Confirmation::Nack(_) => "refused",
        Confirmation::NotRequested => panic!("confirms were asked for"),
    };
    drop(channel.close(200, "done".into()).await);
    shows.to_owned()
}

fn real_arguments(
    arguments: &QueueArguments,
    full: &impl Fn(&str) -> String,
) -> Vec<(&'static str, AMQPValue)> {
    let text = |text: &str| AMQPValue::LongString(text.into());
    let number = |number: u64| AMQPValue::LongLongInt(number.try_into().unwrap());
    let mut real = vec![
        ("x-queue-type", text("quorum")),
        ("x-overflow", text("reject-publish")),
    ];
    if let Some(ttl) = arguments.ttl {
        real.push(("x-message-ttl", number(ttl)));
    }
    if let Some(target) = &arguments.dead_letters_to {
        real.push(("x-dead-letter-exchange", text("")));
        real.push(("x-dead-letter-routing-key", text(&full(target))));
        real.push(("x-dead-letter-strategy", text("at-least-once")));
    }
    if let Some(max) = arguments.max_length {
        real.push(("x-max-length", number(max as u64)));
    }
    // Without one the newer broker has a limit of its own, which no history here comes near to.
    if let Some(limit) = arguments.delivery_limit {
        real.push(("x-delivery-limit", number(u64::from(limit))));
    }
    real
}
