//! How each part of a message may be written, and how it may not.
use super::*;
use crate::headers::{Extent, HeaderValue};

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
        ("bad_company", |m| m.headers = Headers::default()),
        ("bad_company", |m| m.headers.set_text("company", "..")),
        ("bad_endpoint", |m| m.headers.set_text("endpoint", "a/b")),
        ("bad_endpoint", |m| m.headers.set("endpoint", HeaderValue::Void)),
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

/// What `change` makes of a sound event, as `read_event` judges it: the sentence that a person reads, where it is refused.
fn judged(change: impl FnOnce(&mut Message)) -> Result<Event, (&'static str, String)> {
    let mut message = event_message();
    change(&mut message);
    match read_event(&message) {
        Ok(unrouted) => Ok(unrouted.event),
        Err(rejection) => Err((rejection.name(), rejection.to_string())),
    }
}

fn refused(change: impl FnOnce(&mut Message)) -> (&'static str, String) {
    judged(change).unwrap_err()
}

#[test]
fn content_types_and_encodings_are_taken_in_the_spellings_of_clients() {
    for content_type in [
        None,
        Some("application/json; charset=utf-8"),
        Some("application/vnd.x+json"),
        Some("text/json"),
    ] {
        let read = judged(|m| m.content_type = content_type.map(str::to_owned));
        assert!(read.is_ok(), "{content_type:?}: {read:?}");
    }
    for encoding in [
        None,
        Some("UTF-8"),
        Some("utf8"),
        Some("US-ASCII"),
        Some("binary"),
        Some("8bit"),
    ] {
        let read = judged(|m| m.content_encoding = encoding.map(str::to_owned));
        assert!(read.is_ok(), "{encoding:?}: {read:?}");
    }
    let (reason, detail) = refused(|m| m.content_type = Some("application/x-python-serialize".into()));
    assert_eq!(reason, "bad_content_type");
    assert!(
        detail.starts_with("content_type is \"application/x-python-serialize\"; it must be"),
        "{detail}"
    );
    let (reason, detail) = refused(|m| m.content_encoding = Some("gzip".into()));
    assert_eq!(reason, "bad_content_encoding");
    assert!(
        detail.starts_with("content_encoding is \"gzip\"; it must be"),
        "{detail}"
    );
}

#[test]
fn a_tenant_may_be_a_number_or_a_byte_string() {
    for (value, company) in [
        (HeaderValue::Text(b"acme".to_vec()), "acme"),
        (HeaderValue::Bytes(b"acme".to_vec()), "acme"),
        (HeaderValue::ShortText("acme".into()), "acme"),
        (HeaderValue::I8(42), "42"),
        (HeaderValue::U8(255), "255"),
        (HeaderValue::I16(-7), "-7"),
        (HeaderValue::U16(65_535), "65535"),
        (HeaderValue::I32(i32::MIN), "-2147483648"),
        (HeaderValue::U32(u32::MAX), "4294967295"),
        (HeaderValue::I64(i64::MAX), "9223372036854775807"),
        (HeaderValue::I64(0), "0"),
    ] {
        let read = judged(|m| m.headers.set("company", value.clone()));
        assert_eq!(
            read.map(|event| event.company.to_string()),
            Ok(company.to_owned()),
            "{value:?}"
        );
    }
    for (value, found) in [
        (HeaderValue::Text(b"a b".to_vec()), "is \"a b\";"),
        (HeaderValue::Text(Vec::new()), "is \"\";"),
        (HeaderValue::Text(b"..".to_vec()), "is \"..\";"),
        (
            HeaderValue::Bytes(b"\xff".to_vec()),
            "is \"\u{fffd}\", which is not UTF-8 (ff);",
        ),
        (HeaderValue::Boolean(true), "is true;"),
        (HeaderValue::F64(42.0), "is the floating-point number 42;"),
        (
            HeaderValue::Decimal { scale: 0, value: 42 },
            "is the decimal 42 / 10^0;",
        ),
        (HeaderValue::Timestamp(42), "is the AMQP timestamp 42;"),
        (HeaderValue::Array(vec![HeaderValue::I8(42)]), "is an array of 1;"),
        (HeaderValue::Void, "is void;"),
    ] {
        let (reason, detail) = refused(|m| m.headers.set("company", value));
        assert_eq!(reason, "bad_company");
        assert!(
            detail.starts_with(&format!("company {found} it must be")),
            "{detail}"
        );
    }
    let (_, detail) = refused(|m| m.headers = Headers::default());
    assert!(detail.starts_with("company is missing; it must be"), "{detail}");
}

#[test]
fn a_tenant_that_is_a_number_is_text_from_then_on() {
    let mut message = event_message();
    message.headers.set("company", HeaderValue::I16(42));
    let event = read_event(&message).unwrap().event;
    assert_eq!(write_event(&event).headers.text("company"), Ok(Some("42")));
}

#[test]
fn created_at_may_have_an_offset_or_the_type_of_times_or_be_void() {
    for (value, utc) in [
        (
            HeaderValue::Text(b"2024-01-15T16:30:00.250+02:00".to_vec()),
            "2024-01-15T14:30:00.250Z",
        ),
        (
            HeaderValue::Bytes(b"2024-01-15T14:30:00Z".to_vec()),
            "2024-01-15T14:30:00Z",
        ),
        (HeaderValue::Timestamp(1_705_329_000), "2024-01-15T14:30:00Z"),
        // As if it were not there: the time is that of the property.
        (HeaderValue::Void, "2023-11-14T22:13:20Z"),
    ] {
        let read = judged(|m| m.headers.set("created-at", value.clone()));
        assert_eq!(
            read.map(|event| event.created_at.to_string()),
            Ok(utc.to_owned()),
            "{value:?}"
        );
    }
    for (value, found) in [
        (
            HeaderValue::Text(b"2024-01-15T16:30:00".to_vec()),
            "is \"2024-01-15T16:30:00\";",
        ),
        (HeaderValue::I64(1_705_329_000), "is 1705329000;"),
        (
            HeaderValue::Timestamp(1_705_329_000_123),
            "is 1705329000123, which looks like milliseconds;",
        ),
        (HeaderValue::Boolean(false), "is false;"),
    ] {
        let (reason, detail) = refused(|m| m.headers.set("created-at", value));
        assert_eq!(reason, "bad_created_at");
        assert!(
            detail.starts_with(&format!("created-at {found} it must be")),
            "{detail}"
        );
    }
}

#[test]
fn a_timestamp_in_milliseconds_is_refused_with_that_word() {
    let (reason, detail) = refused(|m| m.timestamp = Some(1_705_329_000_123));
    assert_eq!(reason, "bad_timestamp");
    assert!(
        detail.starts_with("timestamp is 1705329000123, which looks like milliseconds; it must be seconds"),
        "{detail}"
    );
    for (timestamp, found) in [
        (None, "is missing;"),
        (Some(u64::MAX), "is 18446744073709551615;"),
    ] {
        let (_, detail) = refused(|m| m.timestamp = timestamp);
        assert!(detail.starts_with(&format!("timestamp {found}")), "{detail}");
    }
}

#[test]
fn a_type_in_another_spelling_is_refused_with_the_one_that_is_taken() {
    for (found, advice) in [
        ("BOOKING_CREATED", ". Write booking.created or booking_created"),
        ("booking-created", ". Write booking.created or booking_created"),
        ("Booking.Created", ". Write booking.created"),
        ("böoking", "128 characters"),
        ("", "128 characters"),
    ] {
        let (reason, detail) = refused(|m| m.message_type = Some(found.into()));
        assert_eq!(reason, "bad_type");
        assert!(
            detail.starts_with(&format!("type is {found:?}; it must be")),
            "{detail}"
        );
        assert!(detail.ends_with(advice), "{detail}");
    }
    for taken in ["booking.created", "booking_created", "booking", "a1.b_2.c"] {
        let read = judged(|m| m.message_type = Some(taken.into()));
        assert_eq!(
            read.map(|event| event.event_type.to_string()),
            Ok(taken.to_owned())
        );
    }
}

#[test]
fn headers_are_taken_up_to_their_limits_and_not_beyond() {
    let nested =
        |depth: usize| (0..depth).fold(HeaderValue::Void, |inner, _| HeaderValue::Array(vec![inner]));
    let in_tables = |depth: usize| {
        (0..depth).fold(HeaderValue::Void, |inner, _| {
            HeaderValue::Table(vec![("a".into(), inner)])
        })
    };
    let company = event_message().headers.size();
    let filling = |bytes: usize| HeaderValue::Bytes(vec![0; bytes - company - "\u{3}padx....".len()]);
    type Change = Box<dyn Fn(&mut Message)>;
    let set = |name: &'static str, value: HeaderValue| -> Change {
        Box::new(move |m| m.headers.set(name, value.clone()))
    };
    let many = |count: usize| -> Change {
        Box::new(move |m| (1..count).for_each(|number| m.headers.set_integer(&format!("h{number}"), 1)))
    };
    let with = |count: usize, name: &'static str| -> Change {
        Box::new(move |m| {
            many(count)(m);
            m.headers.set_text(name, "2024-01-15T14:30:00Z");
        })
    };
    let table: Vec<(Option<&str>, &str, Change)> = vec![
        (None, "", set("a", nested(8))),
        (
            Some("headers_too_deep"),
            "header \"a\" is nested more than 8 deep",
            set("a", nested(9)),
        ),
        (None, "", set("a", in_tables(8))),
        (
            Some("headers_too_deep"),
            "header \"a\" is",
            set("a", in_tables(9)),
        ),
        (
            Some("headers_too_deep"),
            "header \"x-a\" is",
            set("x-a", nested(9)),
        ),
        (None, "", set("pad", filling(16_384))),
        (
            Some("headers_too_large"),
            "headers are 16385 bytes, most of them in \"pad\"; at most 16384 are allowed",
            set("pad", filling(16_385)),
        ),
        (
            Some("headers_too_large"),
            "headers are",
            set("x-pad", filling(130_900)),
        ),
        (None, "", many(64)),
        (
            Some("headers_too_large"),
            "there are 65 headers; at most 64 are allowed",
            many(65),
        ),
        (
            Some("headers_too_large"),
            "headers could not be read to their end",
            set("unread-headers", filling(100)),
        ),
        // Ours count like others', those that mean nothing on an event too.
        (
            Some("headers_too_large"),
            "headers are",
            set("endpoint", filling(20_000)),
        ),
        (None, "", with(63, "created-at")),
        (Some("headers_too_large"), "there are 65", with(64, "created-at")),
        (Some("headers_too_large"), "there are 65", with(64, "attempt")),
        (
            Some("headers_too_large"),
            "there are 65",
            with(64, "x-opt-theirs"),
        ),
        // What the broker has written must not make the difference.
        (None, "", with(64, "x-death")),
        (None, "", set("x-death", filling(20_000))),
        (
            None,
            "",
            Box::new(move |m| {
                many(64)(m);
                m.headers.set_integer("x-delivery-count", 2);
                m.headers.set_integer("x-acquired-count", 3);
            }),
        ),
    ];
    for (index, (reason, start, change)) in table.into_iter().enumerate() {
        let judged = judged(change);
        assert_eq!(judged.as_ref().err().map(|(name, _)| *name), reason, "{index}");
        assert!(
            judged.err().is_none_or(|(_, detail)| detail.starts_with(start)),
            "{index}"
        );
    }
}

/// An event within the limits must not be beyond them as a delivery, with all that is written on it.
#[test]
fn a_delivery_of_an_event_at_the_limits_is_read_on_every_hop() {
    let mut message = event_message();
    for number in 1..64 {
        let value = HeaderValue::Bytes(vec![0; 200]);
        message.headers.set(&format!("h{number}"), value);
    }
    let filling = Extent::MAX_BYTES - message.headers.size();
    message
        .headers
        .set("h1", HeaderValue::Bytes(vec![0; 200 + filling]));
    let mut delivery = Delivery::first(read_event(&message).unwrap(), EndpointId::parse("ep_1").unwrap());
    for _ in 0..4 {
        let mut waiting = write_delivery(&delivery.for_next_attempt());
        waiting.headers.set("x-death", HeaderValue::Bytes(vec![0; 1000]));
        delivery = read_delivery(&waiting);
    }
    assert_eq!(delivery.pass_through.other.extent(|_| true).entries, 63);
    let suspect = write_suspect(&write_delivery(&delivery), false).unwrap();
    // What differs would be too much to print.
    assert!(read_delivery(&suspect) == delivery);
}
