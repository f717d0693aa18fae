//! Messages that nobody can do anything with, among others that are all right: each is put where it belongs at its first look,
//! and the others notice nothing.

use hookline_common::topology::Queue;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found, are_recorded};
use hookline_tests::judge::Judge;
use hookline_tests::message::{HandMade, text};
use hookline_tests::records::Records;
use hookline_tests::services::services;
use hookline_tests::{Receiver, SOON, World, eventually, scenario, status};
use lapin::types::AMQPValue;

/// Events beside them.
const NEIGHBOURS: usize = 1000;
/// Messages of one kind, all through the others.
const COPIES: usize = 20;

/// Where messages of a kind end.
enum Fate {
    Rejected(&'static str),
    /// With a record of its end.
    Discarded,
    /// Counted as wanted by nobody.
    Unmatched,
    /// What is odd about it is nothing of ours.
    Delivered,
}

/// Sends messages of a kind into a queue, among others, and sees where all of them end.
async fn among_others(queue: Queue, copies: usize, fate: Fate, make: impl Fn() -> HandMade) {
    scenario(async |world| {
        let trial = Trial::here();
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        let dispatcher = world.dispatcher().start().await;
        let records = Records::of(world).await;
        let odd: Vec<HandMade> = (0..copies).map(|_| make()).collect();
        let sending = async {
            for message in &odd {
                message.send(world, queue).await;
            }
        };
        let (events, ()) = tokio::join!(world.publish_many(NEIGHBOURS, "booking.created"), sending);
        let delivered = NEIGHBOURS
            + if matches!(fate, Fate::Delivered) {
                copies
            } else {
                0
            };
        are_found(world, &[&receiver], delivered, SOON).await;
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&events, &["ep_crm"]);
        let is_discarded = matches!(fate, Fate::Discarded);
        ends_as(world, &dispatcher, fate, &odd, &records, &mut judge).await;
        if delivered > NEIGHBOURS {
            judge.accepted_ids(odd.iter().map(HandMade::id), "ep_crm");
        }
        judge.saw("ep_crm", &receiver);
        assert!(dispatcher.is_ready().await, "it lives, and consumes");
        let returned = dispatcher.metric("hookline_messages_quarantined_total").await;
        assert!(
            returned.is_none_or(|count| count == 0.0),
            "each is looked at once"
        );
        // What is discarded has a record of its end without a request.
        if !is_discarded {
            are_recorded(world, &mut judge).await;
        }
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

async fn ends_as(
    world: &World,
    dispatcher: &Dispatcher,
    fate: Fate,
    odd: &[HandMade],
    records: &Records,
    judge: &mut Judge,
) {
    let mut ids: Vec<String> = odd.iter().map(HandMade::id).collect();
    ids.sort_unstable();
    match fate {
        Fate::Delivered => {}
        Fate::Rejected(reason) => {
            world.leaves(Queue::Rejected);
            let rejected = world.expect_in(Queue::Rejected, odd.len(), SOON).await;
            let mut found: Vec<&str> = rejected.iter().map(|message| message.id()).collect();
            found.sort_unstable();
            assert_eq!(found, ids);
            for message in &rejected {
                assert_eq!(message.text("rejected-reason"), reason);
            }
        }
        Fate::Discarded => {
            let records = eventually(SOON, "each has a record of its end", async || {
                let mut records = records.distinct();
                records.retain(|record| record["outcome"] == "discarded");
                (records.len() >= ids.len()).then_some(records)
            })
            .await;
            judge.accepted_ids(ids.iter().cloned(), "ep_nobody");
            judge.discarded(&records);
        }
        Fate::Unmatched => {
            eventually(SOON, "all are counted", async || {
                let counted = dispatcher.metric("hookline_events_unmatched_total").await;
                (counted == Some(odd.len() as f64)).then_some(())
            })
            .await;
        }
    }
}

async fn event_is_rejected(reason: &'static str, make: impl Fn() -> HandMade) {
    among_others(Queue::Events, COPIES, Fate::Rejected(reason), make).await;
}

async fn delivery_is_rejected(reason: &'static str, attempt: i32) {
    let attempt = AMQPValue::LongInt(attempt);
    among_others(Queue::Deliveries, COPIES, Fate::Rejected(reason), || {
        HandMade::delivery("ep_crm").header("attempt", attempt.clone())
    })
    .await;
}

#[tokio::test]
async fn d31_data_that_is_no_json() {
    event_is_rejected("data_not_json", || HandMade::event().body("{\"a\":")).await;
}

#[tokio::test]
async fn d31_an_event_without_its_company() {
    event_is_rejected("bad_company", || HandMade::event().without("company")).await;
}

#[tokio::test]
async fn d31_a_company_that_is_no_utf8() {
    event_is_rejected("bad_company", || {
        HandMade::event().header("company", AMQPValue::LongString(vec![0xff, 0xfe].into()))
    })
    .await;
}

#[tokio::test]
async fn d31_data_of_200_kilobytes() {
    let data = format!("{{\"a\":\"{}\"}}", "x".repeat(200_000));
    event_is_rejected("data_too_long", || HandMade::event().body(data.clone())).await;
}

/// As large as a message may be: RabbitMQ 4 takes 16 MiB.
#[tokio::test]
async fn d31_data_of_20_megabytes() {
    let version = services().rabbitmq_version().await;
    let bytes = if version.starts_with("3.") {
        20_000_000
    } else {
        16_000_000
    };
    let data = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
    let fate = Fate::Rejected("data_too_long");
    among_others(Queue::Events, 3, fate, || HandMade::event().body(data.clone())).await;
}

#[tokio::test]
async fn d31_the_attempt_1_000_000_000() {
    delivery_is_rejected("bad_attempt", 1_000_000_000).await;
}

#[tokio::test]
async fn d31_the_attempt_minus_1() {
    delivery_is_rejected("bad_attempt", -1).await;
}

#[tokio::test]
async fn d31_an_endpoint_that_nobody_knows() {
    // Not known for longer than it is waited for, and set aside as often as that takes.
    among_others(Queue::Deliveries, COPIES, Fate::Discarded, || {
        HandMade::delivery("ep_nobody")
            .header("unknown-since", text("2024-01-15T14:30:00.000Z"))
            .header("parked", AMQPValue::LongInt(20))
    })
    .await;
}

#[tokio::test]
async fn d31_a_company_that_nobody_knows() {
    among_others(Queue::Events, COPIES, Fate::Unmatched, || {
        HandMade::event().header("company", text("nobody"))
    })
    .await;
}

/// Whatever a later format says besides, it is carried along.
#[tokio::test]
async fn d31_headers_of_a_format_that_is_not_known_yet() {
    among_others(Queue::Events, COPIES, Fate::Delivered, || {
        HandMade::event().header("schema-version", AMQPValue::LongInt(99))
    })
    .await;
}
