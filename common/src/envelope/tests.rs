//! The exact bytes of every format.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::event::{CreatedAt, Data};
use crate::ids::{CompanyId, EventId, EventType};
use crate::trace_context::TraceContext;

fn event_at(event_type: &str, created_at: &str, data: &str) -> Event {
    Event {
        id: EventId::parse("evt_0190f").unwrap(),
        company: CompanyId::parse("acme").unwrap(),
        event_type: EventType::parse(event_type).unwrap(),
        created_at: CreatedAt::parse(created_at).unwrap(),
        data: Data::new(data.as_bytes().to_vec()).unwrap(),
        trace: TraceContext::default(),
    }
}

fn written(format: Format, event_type: &str, data: &str) -> String {
    let event = event_at(event_type, "2024-01-15T14:30:00Z", data);
    String::from_utf8(body(format, &event).to_vec()).unwrap()
}

fn flat_of(data: &str) -> String {
    written(Format::MeetergoFlat, "booking.created", data)
}

#[test]
fn every_format_has_exactly_its_bytes() {
    let data = r#"{"booking":{"id":"b1"}}"#;
    let expected = [
        (
            Format::Meeva,
            r#"{"id":"evt_0190f","type":"booking.created","createdAt":"2024-01-15T14:30:00Z","data":{"booking":{"id":"b1"}}}"#,
        ),
        (
            Format::Meetergo,
            r#"{"event":"booking_created","data":{"booking":{"id":"b1"}}}"#,
        ),
        (
            Format::MeetergoFlat,
            r#"{"webhookType":"booking_created","booking":{"id":"b1"}}"#,
        ),
        (
            Format::Standard,
            r#"{"type":"booking.created","timestamp":"2024-01-15T14:30:00Z","data":{"booking":{"id":"b1"}}}"#,
        ),
    ];
    for (format, bytes) in expected {
        assert_eq!(written(format, "booking.created", data), bytes);
    }
}

#[test]
fn the_meetergo_formats_use_their_own_names() {
    for (dotted, own) in [
        ("employee.created", "new_employee"),
        ("form.submitted", "form_submission"),
    ] {
        assert_eq!(
            written(Format::Meetergo, dotted, "{}"),
            format!(r#"{{"event":"{own}","data":{{}}}}"#)
        );
        assert_eq!(
            written(Format::MeetergoFlat, dotted, "{}"),
            format!(r#"{{"webhookType":"{own}"}}"#)
        );
    }
}

#[test]
fn times_have_a_fraction_only_where_it_is_not_zero() {
    for (time, printed) in [
        ("2024-01-15T14:30:00.250Z", "2024-01-15T14:30:00.250Z"),
        ("2024-01-15T14:30:00.000Z", "2024-01-15T14:30:00Z"),
    ] {
        let event = event_at("a", time, "{}");
        let meeva = format!(r#"{{"id":"evt_0190f","type":"a","createdAt":"{printed}","data":{{}}}}"#);
        assert_eq!(body(Format::Meeva, &event), meeva);
        let standard = format!(r#"{{"type":"a","timestamp":"{printed}","data":{{}}}}"#);
        assert_eq!(body(Format::Standard, &event), standard);
    }
}

#[test]
fn data_keeps_its_numbers_order_escapes_and_whitespace() {
    let inner = "\n \"z\" : 1.0 ,\t\"a\":1e3,\"big\":12345678901234567890123,\"a\":-0,\"e\":\"\\u00eb ë \\/ \\ud800\"\r\n";
    let data = format!(" {{{inner}}}\n");
    assert_eq!(
        written(Format::Meeva, "a", &data),
        format!(r#"{{"id":"evt_0190f","type":"a","createdAt":"2024-01-15T14:30:00Z","data":{data}}}"#)
    );
    assert_eq!(
        written(Format::Meetergo, "a", &data),
        format!(r#"{{"event":"a","data":{data}}}"#)
    );
    assert_eq!(
        written(Format::Standard, "a", &data),
        format!(r#"{{"type":"a","timestamp":"2024-01-15T14:30:00Z","data":{data}}}"#)
    );
    assert_eq!(
        written(Format::MeetergoFlat, "a", &data),
        format!(r#"{{"webhookType":"a",{inner}}}"#)
    );
}

#[test]
fn flat_takes_an_empty_object() {
    assert_eq!(flat_of("{}"), r#"{"webhookType":"booking_created"}"#);
    assert_eq!(flat_of(" { \n } "), "{\"webhookType\":\"booking_created\" \n }");
}

#[test]
fn flat_stands_last_where_data_has_a_member_of_that_name() {
    for inner in [
        r#""webhookType":"theirs""#,
        r#""a":1,"webhookType":{"webhookType":1},"b":2 "#,
        r#""webhook\u0054ype":null"#,
        r#""\u0077\u0065\u0062\u0068\u006f\u006f\u006b\u0054\u0079\u0070\u0065":[]"#,
        r#""\ud800":1,"webhookType":2"#,
        r#""webhookType":1,"webhookType":2"#,
    ] {
        assert_eq!(
            flat_of(&format!("{{{inner}}}")),
            format!(r#"{{{inner},"webhookType":"booking_created"}}"#)
        );
    }
}

#[test]
fn flat_stands_first_where_the_name_is_elsewhere_or_another() {
    for inner in [
        r#""a":"webhookType""#,
        r#""a":{"webhookType":1}"#,
        r#""a":[{"webhookType":1}]"#,
        r#""webhooktype":1"#,
        r#""webhookType ":1"#,
        r#""\"webhookType":1"#,
        r#""webhook\\u0054ype":1"#,
        r#""a":"\",\"webhookType\":1""#,
        r#""\u0054":"}{""#,
    ] {
        assert_eq!(
            flat_of(&format!("{{{inner}}}")),
            format!(r#"{{"webhookType":"booking_created",{inner}}}"#)
        );
    }
}

#[test]
fn flat_bears_the_deepest_data() {
    let depth = (Data::MAX_BYTES - 30) / 2;
    let inner = format!(r#""webhookType":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(
        flat_of(&format!("{{{inner}}}")),
        format!(r#"{{{inner},"webhookType":"booking_created"}}"#)
    );
}

#[test]
fn the_biggest_event_fits_what_receivers_take() {
    for start in [r#"{"a":""#, r#"{"webhookType":""#] {
        let data = format!(r#"{start}{}"}}"#, "x".repeat(Data::MAX_BYTES - start.len() - 2));
        let mut event = event_at(&["x"; 64].join("."), "2024-01-15T14:30:00.250Z", &data);
        event.event_type = EventType::parse(&format!("{}x", event.event_type)).unwrap();
        event.id = EventId::parse(&"x".repeat(64)).unwrap();
        assert_eq!((event.event_type.as_str().len(), data.len()), (128, 101_888));
        for format in Format::ALL {
            assert!(
                body(format, &event).len() <= 102_400,
                "{format}: {}",
                body(format, &event).len()
            );
        }
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name(), inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => ".{0,6}", 1 => Just(FLAT_NAME.to_owned())]
}

proptest! {
    #[test]
    fn data_stands_in_one_piece_in_a_body_that_parses_to_the_right_members(
        members in prop::collection::hash_map(name(), json(), 0..5),
        pretty in any::<bool>(),
    ) {
        let value: Value = members.into_iter().collect();
        let data = if pretty { format!("\n{value:#} ") } else { value.to_string() };
        let parsed = |format: Format| -> Value {
            serde_json::from_str(&written(format, "booking.created", &data)).unwrap()
        };

        for format in [Format::Meeva, Format::Meetergo, Format::Standard] {
            let text = written(format, "booking.created", &data);
            let head = text.strip_suffix('}').and_then(|text| text.strip_suffix(data.as_str())).unwrap();
            prop_assert!(head.ends_with("\"data\":"), "{}", text);
            prop_assert_eq!(&parsed(format)["data"], &value);
        }
        let names = |format: Format| {
            let mut names: Vec<String> = parsed(format).as_object().unwrap().keys().cloned().collect();
            names.sort();
            names.join(" ")
        };
        prop_assert_eq!(names(Format::Meeva), "createdAt data id type");
        prop_assert_eq!(names(Format::Meetergo), "data event");
        prop_assert_eq!(names(Format::Standard), "data timestamp type");

        let text = flat_of(&data);
        let inner = data.trim().strip_prefix('{').unwrap().strip_suffix('}').unwrap();
        prop_assert!(text.contains(inner));
        let mut expected = value.clone();
        expected.as_object_mut().unwrap().insert(FLAT_NAME.to_owned(), "booking_created".into());
        prop_assert_eq!(parsed(Format::MeetergoFlat), expected);
    }
}
