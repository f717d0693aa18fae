#![allow(clippy::unwrap_used, clippy::panic)]
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

/// A sound message with one thing changed, and why it is rejected then.
#[test]
fn each_broken_part_has_its_own_reason() {
    type Change = fn(&mut Message);
    let table: [(&str, Change); 22] = [
        ("bad_content_type", |m| m.content_type = Some("text/plain".into())),
        ("bad_content_encoding", |m| {
            m.content_encoding = Some("gzip".into())
        }),
        ("bad_message_id", |m| m.message_id = None),
        ("bad_message_id", |m| m.message_id = Some("a.b".into())),
        ("bad_type", |m| m.message_type = None),
        ("bad_type", |m| m.message_type = Some("Booking".into())),
        ("bad_timestamp", |m| m.timestamp = None),
        ("bad_timestamp", |m| m.timestamp = Some(u64::MAX)),
        ("bad_created_at", |m| {
            m.headers.set_text("created-at", "yesterday")
        }),
        ("bad_created_at", |m| m.headers.set_integer("created-at", 1)),
        ("bad_company", |m| m.headers = Headers::default()),
        ("bad_company", |m| m.headers.set_text("company", "..")),
        ("bad_endpoint", |m| m.headers.set_text("endpoint", "a/b")),
        ("bad_attempt", |m| m.headers.set_integer("attempt", 0)),
        ("bad_attempt", |m| m.headers.set_integer("attempt", 1_000_000_000)),
        ("bad_attempt", |m| m.headers.set_text("attempt", "2")),
        ("bad_origin", |m| m.headers.set_text("origin", "elsewhere")),
        ("bad_parked", |m| m.headers.set_integer("parked", -1)),
        ("data_not_json", |m| m.body = Bytes::from_static(b"{")),
        ("data_not_an_object", |m| m.body = Bytes::from_static(b"[]")),
        ("data_not_utf8", |m| m.body = Bytes::from_static(b"{\"\xff\":1}")),
        ("data_too_long", |m| {
            m.body = Bytes::from(vec![b' '; Data::MAX_BYTES + 1])
        }),
    ];
    for (reason, change) in table {
        let mut message = delivery_message();
        change(&mut message);
        assert_eq!(read_work(&message).unwrap_err().name(), reason);
    }
}

#[test]
fn a_content_type_may_be_absent_or_carry_parameters() {
    for content_type in [
        None,
        Some("application/json; charset=utf-8"),
        Some("Application/JSON"),
    ] {
        let message = Message {
            content_type: content_type.map(str::to_owned),
            ..event_message()
        };
        assert!(read_event(&message).is_ok(), "{content_type:?}");
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
            "origin"
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

#[test]
fn a_rejected_message_keeps_its_body_and_says_why() {
    let mut message = event_message();
    message.body = Bytes::from_static(b"\xff\xfe");
    let rejection = read_event(&message).unwrap_err();
    let rejected = write_rejected(&message, &rejection, Timestamp::UNIX_EPOCH);
    assert_eq!(rejected.body, message.body);
    assert_eq!(
        read_rejection(&rejected),
        (Some("data_not_utf8"), Some(Timestamp::UNIX_EPOCH))
    );
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof!["[a-z._-]{0,12}", ".{0,12}"])
}

proptest! {
    #[test]
    fn any_message_is_work_or_a_reason(
        id in any_text(), kind in any_text(), content_type in any_text(), timestamp in any::<Option<u64>>(),
        company in any_text(), endpoint in any_text(), attempt in any::<Option<i64>>(), origin in any_text(),
        trace in any_text(), created_at in any_text(), body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut message = Message { message_id: id, message_type: kind, content_type, timestamp, body: body.into(), ..Message::default() };
        let texts = [("company", company), ("endpoint", endpoint), ("origin", origin), ("traceparent", trace), ("created-at", created_at)];
        for (name, text) in texts {
            if let Some(text) = text {
                message.headers.set_text(name, &text);
            }
        }
        if let Some(attempt) = attempt {
            message.headers.set_integer("attempt", attempt);
        }
        if let Ok(Work::Deliver(delivery)) = read_work(&message) {
            prop_assert_eq!(read_work(&write_delivery(&delivery)), Ok(Work::Deliver(delivery)));
        }
    }

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
