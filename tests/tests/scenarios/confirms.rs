//! Each message gets its own answer, whichever thread has published it and whatever the broker says of those beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookline_common::broker::{Address, BrokerUrl, LinkSettings, Publisher, Stored};
use hookline_common::message::Message;
use hookline_common::topology::{Namespace, Queue};
use hookline_tests::eventually;
use hookline_tests::scripted_broker::{Answer, ScriptedBroker};
use tokio::task::JoinSet;

use crate::SOON;

fn publisher(broker: &ScriptedBroker) -> Publisher {
    let url = BrokerUrl::parse(&broker.url()).unwrap();
    // It declares nothing.
    Publisher::start_for_records(LinkSettings::new(url, "hookline-tests confirms"))
}

fn address() -> Address {
    Address::queue(&Namespace::parse("confirms").unwrap(), Queue::Deliveries)
}

fn message(text: &str, padding: usize) -> Message {
    Message {
        message_id: Some(text.to_owned()),
        body: [text.as_bytes(), &vec![b' '; padding]].concat().into(),
        ..Message::default()
    }
}

/// Threads that publish on one channel at once: the broker numbers messages by the order of their frames.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_many_that_are_published_at_once_gets_its_own_answer() {
    const TASKS: usize = 8;
    const EACH: usize = 2_000;
    let broker = ScriptedBroker::start(|body| match body.first() {
        Some(b'y') => Answer::Ack,
        _ => Answer::Nack,
    })
    .await;
    let publisher = publisher(&broker);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let publisher = publisher.clone();
        tasks.spawn(async move {
            let mut wrong = 0;
            for number in 0..EACH {
                let is_taken = (task + number) % 2 == 0;
                let text = format!("{}-{task}-{number}", if is_taken { "yes" } else { "no" });
                // Large ones are copied for longer before they are sent.
                let message = message(&text, number % 7 * 3_000);
                let stored = publisher.publish_unless_full(&address(), &message).await.unwrap();
                wrong += usize::from(stored.is_some() != is_taken);
            }
            wrong
        });
    }
    let wrong: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(wrong, 0, "of {}", TASKS * EACH);
}

/// The client library hands what comes back to whichever message is answered next.
#[tokio::test]
async fn what_comes_back_while_others_are_answered_is_published_again_and_the_others_are_not() {
    let has_come_back = Arc::new(AtomicBool::new(false));
    let broker = ScriptedBroker::start({
        let has_come_back = Arc::clone(&has_come_back);
        move |body| match body.first() {
            Some(b'w') => Answer::AckAfterReturn,
            Some(b'r') if !has_come_back.swap(true, Ordering::Relaxed) => Answer::Return,
            _ => Answer::Ack,
        }
    })
    .await;
    let publisher = publisher(&broker);
    let to = address();
    // The first message on a channel goes alone.
    publisher.publish(&to, &message("first", 0), None).await.unwrap();
    let waits = tokio::spawn({
        let (publisher, to) = (publisher.clone(), to.clone());
        async move { publisher.publish(&to, &message("waits", 0), None).await }
    });
    eventually(SOON, "it waits", async || {
        (broker.bodies().len() == 2).then_some(())
    })
    .await;
    let returned = message("returned", 10);
    let published = tokio::time::timeout(
        Duration::from_secs(600),
        publisher.publish_until_stored(&to, &returned),
    );
    assert_eq!(published.await.unwrap().unwrap(), Stored);
    assert_eq!(waits.await.unwrap().unwrap(), Stored);
    let bodies = broker.bodies();
    let count = |of: &str| {
        bodies
            .iter()
            .filter(|body| body.starts_with(of.as_bytes()))
            .count()
    };
    assert_eq!((count("waits"), count("returned")), (1, 2));
}
