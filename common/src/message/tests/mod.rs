//! The message format. Here: what is read and written; in the files beside it: each spelling of each part, what becomes of
//! others' headers and of what is rejected, and any message at all.
#![allow(clippy::unwrap_used, clippy::panic)]

mod any_message;
mod others;
mod rejected;
mod spellings;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::delivery::{DeadLetterCause, DeadLetterReason, Delivery, Origin, PassThrough, Work};
use crate::event::{Data, Event};
use crate::ids::{AttemptNo, EndpointId};
use crate::outcome::Outcome;
use jiff::Timestamp;

fn event_message() -> Message {
    let mut message = Message {
        content_type: Some("application/json".into()),
        message_id: Some("evt_1".into()),
        message_type: Some("booking.created".into()),
        timestamp: Some(1_700_000_000),
        body: Bytes::from_static(b"{\"a\": 1.0}"),
        ..Message::default()
    };
    message.headers.set_text("company", "acme");
    message
}

fn delivery_message() -> Message {
    let mut message = event_message();
    message.headers.set_text("endpoint", "ep_1");
    message.headers.set_integer("attempt", 2);
    message.headers.set_text("origin", "event");
    message
}

fn read_delivery(message: &Message) -> Delivery {
    match read_work(message) {
        Ok(Work::Deliver(delivery)) => delivery,
        other => panic!("{other:?}"),
    }
}

#[test]
fn created_at_is_more_exact_than_the_timestamp() {
    let mut message = event_message();
    assert_eq!(
        read_event(&message).unwrap().event.created_at.to_string(),
        "2023-11-14T22:13:20Z"
    );
    message.headers.set_text("created-at", "2023-11-14T22:13:20.250Z");
    assert_eq!(
        read_event(&message).unwrap().event.created_at.to_string(),
        "2023-11-14T22:13:20.250Z"
    );
}

#[test]
fn an_event_on_the_events_queue_is_no_delivery_whatever_its_headers_claim() {
    let read = read_event(&delivery_message()).unwrap();
    assert_eq!(read.pass_through, PassThrough::default());
}

#[test]
fn a_message_without_an_endpoint_is_an_event_that_was_parked() {
    let mut message = event_message();
    message.headers.set_integer("parked", 3);
    let Ok(Work::Route(unrouted)) = read_work(&message) else {
        panic!("not an event")
    };
    assert_eq!(unrouted.pass_through.parked, 3);
}

#[test]
fn headers_of_others_travel_along_and_the_brokers_own_do_not() {
    let mut message = delivery_message();
    message.headers.set_text("ordering-key", "b_1");
    message.headers.set_text("x-request-id", "r-1");
    message.headers.set_text("x-death", "once");
    message.headers.set_text("CC", "hookline.failed");
    let next = write_delivery(&read_delivery(&message).for_next_attempt());
    let names: Vec<&str> = next.headers.names().collect();
    assert_eq!(
        names,
        [
            "attempt",
            "company",
            "created-at",
            "endpoint",
            "ordering-key",
            "origin",
            "x-request-id"
        ]
    );
    assert_eq!(next.headers.integer("attempt"), Ok(Some(3)));
}

#[test]
fn a_dead_letter_tells_how_it_failed_and_a_manual_retry_forgets_it() {
    let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
    let failure = DeadLetterCause {
        failed_at: now,
        reason: DeadLetterReason::RetriesExhausted,
        last_outcome: Some(Outcome::HttpStatus),
        last_status: Some(503),
    };
    let message = write_failed(&read_delivery(&delivery_message()), &failure);
    assert_eq!(
        message.headers.text("failed-at"),
        Ok(Some("2026-01-02T03:04:05.678Z"))
    );
    let (delivery, read) = read_failed(&message).unwrap();
    assert_eq!(read, Some(failure));
    let again = write_delivery(&delivery.for_manual_retry(now));
    assert_eq!(again.headers.integer("attempt"), Ok(Some(1)));
    assert_eq!(again.headers.text("origin"), Ok(Some("manual")));
    assert_eq!(again.headers.text("reason"), Ok(None));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(attempt in 1i64..=1000, parked in any::<u32>(), data in "[a-zé\\n ]{0,20}") {
        let data = serde_json::to_vec(&serde_json::json!({ "data": data })).unwrap();
        let event = Event::new("acme", "booking.created", data).unwrap();
        let delivery = Delivery {
            event,
            endpoint: EndpointId::parse("ep_1").unwrap(),
            attempt: AttemptNo::new(attempt).unwrap(),
            origin: Origin::Manual,
            pass_through: PassThrough { parked, ..PassThrough::default() },
        };
        prop_assert_eq!(read_work(&write_delivery(&delivery)), Ok(Work::Deliver(delivery)));
    }
}
