//! Each message gets its own answer, whichever thread has published it and whatever the broker says of those beside it.

use hookline_common::broker::{Address, BrokerUrl, LinkSettings, PublishFault, Publisher, Stored};
use hookline_common::headers::HeaderValue;
use hookline_common::message::Message;
use hookline_common::topology::{Namespace, Queue};
use hookline_tests::eventually;
use hookline_tests::scripted_broker::{Answer, ScriptedBroker};
use hookline_tests::services::services;
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

fn answer_by_name(body: &[u8]) -> Answer {
    match body.first() {
        Some(b'w') => Answer::AckAfterReturn,
        Some(b'r') => Answer::Return,
        _ => Answer::Ack,
    }
}

/// The client library hands what comes back to whichever message is answered next.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_back_is_told_its_own_publisher_and_nobody_else() {
    const TASKS: usize = 8;
    const EACH: usize = 1_000;
    let broker = ScriptedBroker::start(answer_by_name).await;
    let publisher = publisher(&broker);
    // The first message on a channel goes alone.
    publisher
        .publish(&address(), &message("first", 0), None)
        .await
        .unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let publisher = publisher.clone();
        tasks.spawn(async move {
            let mut wrong = 0;
            for number in 0..EACH {
                let kind = ["yes", "waits", "returned"][(task + number) % 3];
                let message = message(&format!("{kind}-{task}-{number}"), number % 7 * 1_000);
                let told = publisher.publish(&address(), &message, None).await;
                wrong += usize::from(match told {
                    Ok(Stored) => kind == "returned",
                    Err(PublishFault::Unroutable { .. }) => kind != "returned",
                    Err(_) => true,
                });
            }
            wrong
        });
    }
    let answers = tasks.join_all();
    let last = async {
        // Those that still wait for one that comes back.
        loop {
            drop(
                publisher
                    .publish(&address(), &message("returned last", 0), None)
                    .await,
            );
        }
    };
    let wrong: usize = tokio::select! {
        wrong = answers => wrong.into_iter().sum(),
        () = last => unreachable!(),
    };
    assert_eq!(wrong, 0, "of {}", TASKS * EACH);
    let bodies = broker.bodies();
    let sent = bodies.iter().filter(|body| !body.starts_with(b"returned last"));
    assert_eq!(sent.count(), 1 + TASKS * EACH, "nothing was sent twice");
}

#[tokio::test]
async fn what_comes_back_is_told_although_nobody_waits_any_more_for_the_message_answered_before_it() {
    let broker = ScriptedBroker::start(answer_by_name).await;
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
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    for _ in 0..2 {
        let told = publisher.publish(&to, &message("returned", 10), None).await;
        assert!(matches!(told, Err(PublishFault::Unroutable { .. })), "{told:?}");
    }
    publisher.publish(&to, &message("last", 0), None).await.unwrap();
}

#[tokio::test]
async fn a_message_that_comes_back_is_known_by_its_headers_of_whatever_kind() {
    let text = || HeaderValue::Text(b"a text".to_vec());
    let all = [
        HeaderValue::Boolean(true),
        HeaderValue::I8(-8),
        HeaderValue::U8(200),
        HeaderValue::I16(-300),
        HeaderValue::U16(40_000),
        HeaderValue::I32(-70_000),
        HeaderValue::U32(3_000_000_000),
        HeaderValue::I64(-5_000_000_000),
        HeaderValue::F32(0.1),
        HeaderValue::F64(0.1),
        HeaderValue::Decimal { scale: 2, value: 314 },
        text(),
        HeaderValue::Text(vec![0xff, 0]),
        HeaderValue::Array(vec![text(), HeaderValue::I64(1)]),
        HeaderValue::Timestamp(1_700_000_000),
        HeaderValue::Table(vec![
            ("a".to_owned(), text()),
            ("b".to_owned(), HeaderValue::Void),
        ]),
        HeaderValue::Bytes(vec![0, 0xff]),
        HeaderValue::Void,
    ];
    let url = BrokerUrl::parse(&services().amqp_url).unwrap();
    let publisher = Publisher::start_for_records(LinkSettings::new(url, "hookline-tests confirms"));
    for (number, value) in all.into_iter().enumerate() {
        let headers = ["x-one", "x-two"].map(|name| (name.to_owned(), value.clone()));
        let message = Message {
            message_type: Some("booking.created".to_owned()),
            timestamp: Some(1_700_000_000),
            headers: headers.into_iter().collect(),
            ..message(&format!("evt_{number}"), 0)
        };
        // There is no such queue.
        let told = publisher.publish(&address(), &message, None).await;
        assert!(
            matches!(told, Err(PublishFault::Unroutable { .. })),
            "{value:?}: {told:?}"
        );
    }
}
