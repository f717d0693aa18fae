//! Whatever bytes any publisher sends and the broker passes on: the programs live, the message is delivered or rejected, and
//! its neighbours do not notice.

use hookline_common::topology::Queue;
use hookline_tests::cli::{objects, out, run, succeed};
use hookline_tests::endpoint::endpoint;
use hookline_tests::hostile::certificates::Authority;
use hookline_tests::raw_amqp::{Property, RawMessage, RawPublisher, nested, text};
use hookline_tests::services::services;
use hookline_tests::{Receiver, World, eventually, scenario, status};

use crate::SOON;
use crate::tls::program::broker_behind;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// What is odd about it is nothing of ours.
    Delivered,
    Rejected(&'static str),
}

/// So many values of no bytes.
fn voids(count: u32) -> (u8, Vec<u8>) {
    let values = vec![b'V'; count as usize];
    (b'A', [&count.to_be_bytes(), &values[..]].concat())
}

/// Messages that are events but for one thing, each with a body that tells it from the others.
pub(crate) fn odd() -> Vec<(&'static str, Fate, RawMessage)> {
    use Fate::{Delivered, Rejected};
    let event = RawMessage::event;
    let many_headers = (0..20_000_u32).fold(event(), |message, number| {
        message.header(format!("{number:x}").as_bytes(), (b'V', Vec::new()))
    });
    let names_within = (b'F', b"\0\0\0\x04\x02\xe9\xe8V".to_vec());
    let cases = [
        (
            "arrays",
            Rejected("headers_too_deep"),
            event().header(b"deep", nested(b'A', 2000)),
        ),
        (
            "tables",
            Rejected("headers_too_deep"),
            event().header(b"deep", nested(b'F', 1000)),
        ),
        (
            "values",
            Rejected("headers_too_large"),
            event().header(b"many", voids(100_000)),
        ),
        ("headers", Rejected("headers_too_large"), many_headers),
        (
            "company",
            Rejected("headers_too_deep"),
            event().without_headers().header(b"company", nested(b'A', 2000)),
        ),
        (
            "message id",
            Rejected("bad_message_id"),
            event().property(Property::MessageId, b"caf\xe9"),
        ),
        (
            "type",
            Rejected("bad_type"),
            event().property(Property::Type, b"booking.caf\xe9"),
        ),
        (
            "content type",
            Rejected("bad_content_type"),
            event().property(Property::ContentType, b"application/j\xe9son"),
        ),
        (
            "content encoding",
            Rejected("bad_content_encoding"),
            event().property(Property::ContentEncoding, b"\xff\xfe"),
        ),
        (
            "correlation id",
            Delivered,
            event().property(Property::CorrelationId, &[0x9c; 16]),
        ),
        (
            "app id",
            Delivered,
            event().property(Property::AppId, b"r\xe9servations"),
        ),
        (
            "reply to",
            Delivered,
            event().property(Property::ReplyTo, b"\xff"),
        ),
        (
            "header's name",
            Delivered,
            event().header(b"\xe9tat", text(b"pay\xe9")),
        ),
        ("name within", Delivered, event().header(b"a", names_within)),
        ("routing key", Delivered, event().routing_key(b"booking.\xe9")),
    ];
    let with_body = |(case, fate, message): (&'static str, Fate, RawMessage)| {
        let body = format!("{{\"case\":\"{case}\"}}");
        (case, fate, message.body(&body))
    };
    cases.into_iter().map(with_body).collect()
}

/// The case that a body names, or the empty one.
pub(crate) fn case(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    let data = body.get("data").unwrap_or(&body);
    data["case"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn no_bytes_that_a_broker_passes_on_stop_the_dispatcher_and_each_message_is_delivered_or_rejected() {
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let mut publisher = RawPublisher::connect(&services().amqp_url).await;
        let exchange = world.namespace().events_exchange();
        let odd = odd();
        for (_, _, message) in &odd {
            publisher.publish(&exchange, message).await;
            publisher.publish(&exchange, &RawMessage::event()).await;
        }
        let fates = || async {
            let delivered = receiver
                .accepted()
                .into_iter()
                .map(|request| (case(&request.body), String::new()));
            let mut fates: Vec<_> = delivered.collect();
            let ready = world.broker().ready(&world.queue(Queue::Rejected)).await;
            // Read when all are there: who reads a queue holds its messages, and gives them back.
            if fates.len() + ready.unwrap_or(0) as usize >= 2 * odd.len() {
                for message in world.read(Queue::Rejected).await {
                    fates.push((case(&message.body), message.text("rejected-reason").to_owned()));
                }
            }
            fates
        };
        let fates = eventually(SOON, "all are delivered or rejected", async || {
            let fates = fates().await;
            (fates.len() >= 2 * odd.len()).then_some(fates)
        })
        .await;
        let neighbours = fates
            .iter()
            .filter(|(case, reason)| case.is_empty() && reason.is_empty());
        assert_eq!(neighbours.count(), odd.len(), "{fates:?}");
        for (case, expected, _) in &odd {
            let reasons: Vec<_> = fates.iter().filter(|(name, _)| name == case).collect();
            let [(_, reason)] = reasons[..] else {
                panic!("{case}: not once, {fates:?}");
            };
            match expected {
                Fate::Delivered => assert_eq!(reason, "", "{case}"),
                Fate::Rejected(expected) => assert_eq!(reason, expected, "{case}"),
            }
        }
        assert_eq!(
            dispatcher.metric("hookline_reconnects_total").await,
            Some(0.0),
            "no link was lost"
        );
    })
    .await;
}

#[tokio::test]
async fn the_same_bytes_over_amqps_stop_nothing_either() {
    let authority = Authority::new("the broker's");
    let (_broker, url) = broker_behind(authority.vouch_for(&["127.0.0.1"])).await;
    scenario(async |world| {
        world.leaves(Queue::Rejected);
        std::fs::write(world.path("ca.pem"), authority.pem()).unwrap();
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let ca_file = world.path("ca.pem").display().to_string();
        let setup = world.dispatcher().set("HOOKLINE_AMQP_URL", url);
        let dispatcher = setup.set("HOOKLINE_AMQP_CA_FILE", ca_file).start().await;
        let mut publisher = RawPublisher::connect(&services().amqp_url).await;
        let exchange = world.namespace().events_exchange();
        for (_, _, message) in odd() {
            publisher.publish(&exchange, &message).await;
        }
        let neighbour = RawMessage::event().body("{\"case\":\"neighbour\"}");
        publisher.publish(&exchange, &neighbour).await;
        eventually(SOON, "the neighbour is delivered", async || {
            let accepted = receiver.accepted();
            let mut cases = accepted.iter().map(|request| case(&request.body));
            cases.any(|case| case == "neighbour").then_some(())
        })
        .await;
        assert_eq!(
            dispatcher.metric("hookline_reconnects_total").await,
            Some(0.0),
            "no link was lost"
        );
    })
    .await;
}

/// Puts odd messages into `queue`, as if they had come there, and tells how many.
async fn lying_in(world: &World, queue: Queue) -> usize {
    let mut publisher = RawPublisher::connect(&services().amqp_url).await;
    let odd = odd();
    for (_, _, message) in &odd {
        let message = message.clone().routing_key(world.queue(queue).as_bytes());
        publisher.publish("", &message).await;
    }
    odd.len()
}

#[tokio::test]
async fn the_commands_for_dead_letters_list_show_and_remove_such_messages() {
    scenario(async |world| {
        world.endpoints([]);
        world.dispatcher().start().await.stop().await;
        for queue in [Queue::Failed, Queue::Rejected] {
            let name = if queue == Queue::Failed {
                "failed"
            } else {
                "rejected"
            };
            let count = lying_in(world, queue).await;
            let listed = objects(world, &["dlq", "list", "--json", "--queue", name]).await;
            assert_eq!(listed.len(), count, "{listed:#?}");
            let ids: Vec<_> = listed
                .iter()
                .filter_map(|letter| letter["event"].as_str())
                .collect();
            for id in ids.iter().filter(|id| id.starts_with("evt_")) {
                // What another command has looked at lies there again a moment later.
                let shown = eventually(SOON, "it is shown", async || {
                    let shown = run(world, &["dlq", "show", id, "--queue", name]).await;
                    shown.status.success().then(|| out(&shown))
                })
                .await;
                assert!(shown.contains("case"), "{shown}");
            }
            succeed(world, &["dlq", "purge", "--yes", "--queue", name]).await;
            world.expect_in(queue, 0, SOON).await;
        }
    })
    .await;
}
