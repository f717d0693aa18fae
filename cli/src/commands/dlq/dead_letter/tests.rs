#![allow(clippy::unwrap_used)]
use hookline_common::delivery::{DeadLetterReason, Origin};
use hookline_common::ids::{AttemptNo, EndpointId};
use hookline_common::message::{write_event, write_failed, write_rejected};
use hookline_common::outcome::Outcome;
use hookline_producer::Event;

use super::*;

const NOW: &str = "2030-01-15T14:30:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn failed(data: &str) -> Message {
    let delivery = Delivery {
        event: Event::new("acme", "booking.created", data.to_owned()).unwrap(),
        endpoint: EndpointId::parse("ep_1").unwrap(),
        attempt: AttemptNo::new(4).unwrap(),
        origin: Origin::Event,
        pass_through: PassThrough {
            parked: 3,
            ..PassThrough::default()
        },
    };
    let failure = DeadLetterCause {
        failed_at: now(),
        reason: DeadLetterReason::RetriesExhausted,
        last_outcome: Some(Outcome::HttpStatus),
        last_status: Some(500),
    };
    write_failed(&delivery, &failure)
}

fn json(letter: &DeadLetter, body: Option<&[u8]>) -> serde_json::Value {
    let line = letter.to_json(body);
    assert!(!line.contains('\n'), "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_dead_letter_is_delivered_again_from_the_first_attempt_on() {
    let message = failed("{\"a\": 1.0}");
    let letter = DeadLetter::read(Kind::Failed, &message);
    assert_eq!((letter.why().as_str(), letter.at), ("HTTP 500", Some(now())));
    let (to, again) = letter.again(&Namespace::default(), now()).unwrap();
    assert_eq!(to, Address::queue(&Namespace::default(), Queue::Deliveries));
    let Ok(Work::Deliver(delivery)) = read_work(&again) else {
        panic!("{again:?}")
    };
    assert_eq!(
        (delivery.attempt, delivery.origin),
        (AttemptNo::FIRST, Origin::Manual)
    );
    assert_eq!(
        (delivery.endpoint.as_str(), delivery.pass_through.parked),
        ("ep_1", 0)
    );
    assert_eq!(
        (&again.body, &again.message_id),
        (&message.body, &message.message_id)
    );
    assert!(
        again
            .headers
            .names()
            .all(|name| !name.starts_with("failed") && !name.starts_with("last-"))
    );
}

#[test]
fn a_dead_letter_is_one_json_object_with_its_data_unchanged() {
    let message = failed("{ \"b\": 1.0,\n \"a\": \"x y\" }");
    let letter = DeadLetter::read(Kind::Failed, &message);
    let row = json(&letter, None);
    assert_eq!(
        (&row["endpoint"], &row["last_status"], &row["attempt"]),
        (&"ep_1".into(), &500.into(), &4.into())
    );
    assert_eq!(row["failed_at"], "2030-01-15T14:30:00.000Z");
    assert!(row.get("data").is_none() && row.get("rejected_at").is_none());
    let row = json(&letter, Some(&message.body));
    assert_eq!(row["data"], "{ \"b\": 1.0,\n \"a\": \"x y\" }");
    assert!(!letter.to_json(Some(&message.body)).contains('\n'));
}

#[test]
fn what_cannot_be_read_is_told_and_not_retried() {
    let mut message = failed("{}");
    message.headers.set_text("attempt", "many");
    let letter = DeadLetter::read(Kind::Failed, &message);
    assert_eq!(
        (letter.why().as_str(), letter.at),
        ("unreadable: bad_attempt", Some(now()))
    );
    let row = json(&letter, Some(b"\xff"));
    assert_eq!(
        (&row["unreadable"], &row["company"], &row["body"]),
        (&"bad_attempt".into(), &"acme".into(), &"\u{fffd}".into())
    );
    let refused = letter.again(&Namespace::default(), now()).unwrap_err();
    assert_eq!(refused.name(), "bad_attempt");
    let nothing = DeadLetter::read(Kind::Failed, &Message::default());
    assert_eq!(json(&nothing, None)["bytes"], 0);
}

#[test]
fn a_rejected_message_that_can_be_read_goes_back_where_it_was() {
    let event = write_event(&Event::new("acme", "booking.created", "{}").unwrap());
    for (message, to) in [
        (event, Address::events(&Namespace::default(), "booking.created")),
        (
            failed("{}"),
            Address::queue(&Namespace::default(), Queue::Deliveries),
        ),
    ] {
        let rejected = write_rejected(&message, &Rejection::CrashesConsumer(6), now());
        let letter = DeadLetter::read(Kind::Rejected, &rejected);
        let row = json(&letter, None);
        assert_eq!(
            (&row["rejected_reason"], &row["rejected_at"]),
            (&"crashes_consumer".into(), &"2030-01-15T14:30:00.000Z".into())
        );
        let (address, again) = letter.again(&Namespace::default(), now()).unwrap();
        assert_eq!(address, to);
        assert!(again.headers.names().all(|name| !name.starts_with("rejected")));
    }
}

#[test]
fn a_message_that_the_broker_gave_up_has_its_reason() {
    let mut message = write_event(&Event::new("acme", "booking.created", "{}").unwrap());
    assert_eq!(DeadLetter::read(Kind::Rejected, &message).why(), "unknown");
    message.headers.set_text("x-first-death-reason", "delivery_limit");
    assert_eq!(DeadLetter::read(Kind::Rejected, &message).why(), "delivery_limit");
}
