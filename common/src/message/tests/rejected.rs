//! What becomes of a message that is set aside: all that its sender set can be found, and nothing of it steers the broker.
use super::*;
use crate::headers::{Extent, HeaderValue, left_out};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn nested(depth: usize) -> HeaderValue {
    (0..depth).fold(HeaderValue::Void, |inner, _| HeaderValue::Array(vec![inner]))
}

fn rejected(message: &Message) -> Message {
    write_rejected(message, &read_event(message).unwrap_err(), NOW)
}

fn detail(message: &Message) -> &str {
    message.headers.text("rejected-detail").unwrap().unwrap()
}

/// A broken event of a sender that filled in everything.
fn of_a_talkative_sender() -> Message {
    let mut message = event_message();
    message.message_type = Some("BOOKING_CREATED".into());
    message.sender = Sender {
        exchange: "hookline.events".into(),
        routing_key: "BOOKING_CREATED".into(),
        properties: Some(Box::new(SenderProperties {
            app_id: Some("shop".into()),
            user_id: Some("shop-writer".into()),
            correlation_id: Some("c-1".into()),
            reply_to: Some("answers".into()),
            cluster_id: Some("east".into()),
            expiration: Some("60000".into()),
            priority: Some(7),
            delivery_mode: Some(1),
        })),
    };
    for (name, value) in [
        ("x-request-id", "r-1"),
        ("ordering-key", "b-1"),
        ("CC", "copies"),
        ("x-death", "once"),
        ("x-first-death-queue", "elsewhere"),
    ] {
        message.headers.set_text(name, value);
    }
    message.headers.set_integer("x-delivery-count", 1);
    message
}

#[test]
fn a_rejected_message_keeps_its_body_and_says_why() {
    let mut message = event_message();
    message.body = Bytes::from_static(b"\xff\xfe");
    let rejected = rejected(&message);
    assert_eq!(rejected.body, message.body);
    assert_eq!(read_rejection(&rejected), (Some("data_not_utf8"), Some(NOW)));
}

#[test]
fn a_rejected_message_keeps_what_its_sender_set() {
    let message = of_a_talkative_sender();
    let rejected = rejected(&message);
    for (name, value) in [
        ("x-request-id", "r-1"),
        ("ordering-key", "b-1"),
        ("company", "acme"),
        ("sent-CC", "copies"),
        ("sent-x-death", "once"),
        ("sent-x-first-death-queue", "elsewhere"),
        ("sent-exchange", "hookline.events"),
        ("sent-routing-key", "BOOKING_CREATED"),
        ("sent-user-id", "shop-writer"),
        ("sent-expiration", "60000"),
    ] {
        assert_eq!(rejected.headers.text(name), Ok(Some(value)), "{name}");
    }
    for name in ["CC", "x-death", "x-first-death-queue", "x-delivery-count"] {
        assert_eq!(rejected.headers.get(name), None, "{name}");
    }
    assert_eq!(read_sender(&rejected), message.sender);
    let published = rejected.sender.properties.unwrap();
    assert_eq!(
        *published,
        SenderProperties {
            app_id: Some("shop".into()),
            correlation_id: Some("c-1".into()),
            reply_to: Some("answers".into()),
            cluster_id: Some("east".into()),
            priority: Some(7),
            ..SenderProperties::default()
        }
    );
}

/// The broker refuses such a message where nobody waits for the answer.
#[test]
fn an_address_that_the_broker_answers_at_is_kept_as_a_header() {
    let mut message = of_a_talkative_sender();
    let address = Some("amq.rabbitmq.reply-to.g1h2".to_owned());
    let properties = SenderProperties {
        reply_to: address.clone(),
        ..SenderProperties::default()
    };
    message.sender.properties = Some(Box::new(properties));
    let rejected = rejected(&message);
    assert_eq!(rejected.sender.properties.as_ref().unwrap().reply_to, None);
    assert_eq!(read_sender(&rejected).properties.unwrap().reply_to, address);
}

#[test]
fn what_a_sender_set_is_still_there_after_the_quarantine() {
    let mut message = of_a_talkative_sender();
    message.message_type = Some("booking.created".into());
    let mut suspect = write_suspect(&message, true).unwrap();
    suspect.sender.exchange = String::new();
    suspect.sender.routing_key = "hookline.quarantine".into();
    let rejected = write_rejected(&suspect, &Rejection::CrashesConsumer(5), NOW);
    assert_eq!(read_sender(&rejected), message.sender);
    assert_eq!(rejected.headers.text("x-request-id"), Ok(Some("r-1")));
    // Whoever tries again publishes what the event is made of.
    let Ok(Work::Route(again)) = read_work(&rejected) else {
        panic!("{rejected:?}")
    };
    assert_eq!(
        again.pass_through.other.names().collect::<Vec<_>>(),
        ["ordering-key", "x-request-id"]
    );
}

#[test]
fn nobody_can_claim_to_have_been_published_elsewhere() {
    let mut message = of_a_talkative_sender();
    message.headers.set_text("sent-exchange", "amq.topic");
    message.headers.set_text("sent-user-id", "somebody-else");
    message.sender.properties = None;
    let sender = read_sender(&rejected(&message));
    assert_eq!(sender.exchange, "hookline.events");
    assert_eq!(sender.properties.unwrap().user_id, None);
}

#[test]
fn a_message_that_the_broker_set_aside_tells_where_it_was_published() {
    let text = |text: &str| HeaderValue::Text(text.into());
    let death = |exchange: &str, key: &str| {
        HeaderValue::Table(vec![
            ("count".into(), HeaderValue::I64(1)),
            ("exchange".into(), text(exchange)),
            ("routing-keys".into(), HeaderValue::Array(vec![text(key)])),
        ])
    };
    let mut message = event_message();
    let deaths = vec![
        death("", "hookline.due"),
        death("hookline.events", "booking.created"),
    ];
    message.headers.set("x-death", HeaderValue::Array(deaths));
    let sender = read_sender(&message);
    assert_eq!(
        (sender.exchange.as_str(), sender.routing_key.as_str()),
        ("hookline.events", "booking.created")
    );
    message
        .headers
        .set("x-death", HeaderValue::Array(vec![HeaderValue::Void]));
    assert_eq!(read_sender(&message).exchange, "");
}

#[test]
fn what_is_beyond_the_limits_is_left_out_and_named_with_its_size() {
    let mut message = event_message();
    message.headers.set_text("ordering-key", "b-1");
    message.headers.set("deep\u{1b}", nested(30));
    message.headers.set("big", HeaderValue::Bytes(vec![0; 130_900]));
    message.headers.set("x-big", HeaderValue::Bytes(vec![0; 16_000]));
    let rejected = rejected(&message);
    assert_eq!(read_rejection(&rejected).0, Some("headers_too_deep"));
    let said = detail(&rejected);
    for part in [
        "header \"deep\\u{1b}\" is nested more than 8 deep",
        "left out here: \"deep\\u{1b}\" (157 bytes, nested too deep), \"big\" (130909 bytes)",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(rejected.headers.get("big"), None);
    assert_eq!(rejected.headers.text("ordering-key"), Ok(Some("b-1")));
    // The rest may go the usual way, if a person wants it to.
    assert!(matches!(read_work(&rejected), Ok(Work::Route(_))));
}

/// What stands in place of a value of so many bytes that was left out when it was read.
fn left_out_value(length: u32) -> HeaderValue {
    let mut place = vec![0; left_out::SHORTEST];
    left_out::write(&mut place, length);
    HeaderValue::Bytes(place)
}

#[test]
fn what_was_left_out_in_reading_is_named_with_its_size_and_never_published_again() {
    let mut message = event_message();
    message.headers.set("big", left_out_value(130_700));
    // It is not carried along anyway, and the broker's own is none of the sender's.
    message.headers.set("x-death", left_out_value(40_000));
    let rejected = rejected(&message);
    assert_eq!(read_rejection(&rejected).0, Some("headers_too_large"));
    let said = detail(&rejected);
    for part in ["most of them in \"big\"", "\"big\" (130709 bytes)"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(
        rejected
            .headers
            .iter()
            .all(|(_, value)| value.left_out().is_none()),
        "{rejected:?}"
    );
    assert!(matches!(read_work(&rejected), Ok(Work::Route(_))));

    // Whatever it says of itself: nobody knows what would be carried along.
    for length in [0, 100, u32::MAX] {
        let mut message = event_message();
        message.headers.set("big", left_out_value(length));
        assert_eq!(
            read_event(&message).unwrap_err().name(),
            "headers_too_large",
            "{length}"
        );
        assert_eq!(
            message.headers.size(),
            event_message().headers.size() + 1 + 3 + 5 + left_out::SHORTEST
        );
    }
    let mut message = event_message();
    message.headers.set("x-death", left_out_value(40_000));
    assert!(read_event(&message).is_ok(), "nothing of it is missing");
}

/// What was meant for one endpoint must not become an event for all of them, by no hand.
#[test]
fn a_delivery_whose_endpoint_cannot_be_kept_is_never_an_event() {
    for endpoint in [
        left_out_value(130_700),
        left_out_value(100),
        nested(9),
        HeaderValue::Text(vec![b'x'; 3_000]),
        HeaderValue::Text(vec![b'x'; 300]),
        HeaderValue::Void,
    ] {
        let mut message = event_message();
        message.headers.set_integer("attempt", 1);
        message.headers.set_text("origin", "event");
        message.headers.set("endpoint", endpoint.clone());
        let rejection = read_work(&message).unwrap_err();
        let rejected = write_rejected(&message, &rejection, NOW);
        let again = read_work(&rejected);
        assert!(again.is_err(), "{endpoint:?}: {again:?}");
    }
}

#[test]
fn values_within_headers_are_counted_before_a_delivery_has_more_than_can_be_read() {
    let many = |count: usize| {
        let mut message = event_message();
        message.headers.set(
            "flags",
            HeaderValue::Array(vec![HeaderValue::Boolean(true); count]),
        );
        message
    };
    let others = event_message().headers.extent(|_| true).values + 1;
    assert!(read_event(&many(Extent::MAX_VALUES - others)).is_ok());
    let message = many(Extent::MAX_VALUES - others + 1);
    let rejected = rejected(&message);
    assert_eq!(read_rejection(&rejected).0, Some("headers_too_large"));
    let said = detail(&rejected);
    assert!(
        said.starts_with("headers hold 1025 values, those in arrays and tables included; at most 1024"),
        "{said}"
    );
    assert_eq!(rejected.headers.get("flags"), None);
}

/// Whoever reads it again must find the reason, whatever stood under our names.
#[test]
fn no_values_under_our_own_names_make_a_rejected_message_one_that_cannot_be_read() {
    let mut message = event_message();
    let voids = |count: usize| HeaderValue::Array(vec![HeaderValue::Void; count]);
    message.headers.set("crashes", voids(1_086));
    let rejected = rejected(&message);
    assert_eq!(read_rejection(&rejected).0, Some("headers_too_large"));
    assert_eq!(rejected.headers.get("crashes"), None);
    assert!(
        detail(&rejected).contains("\"crashes\" ("),
        "{}",
        detail(&rejected)
    );

    for name in [
        "attempt",
        "crashes",
        "failed-at",
        "last-status",
        "origin",
        "parked",
        "reason",
        "retried-at",
    ] {
        message.headers.set(name, voids(100));
    }
    message.headers.set("flags", voids(900));
    message.headers.set("x-death", voids(100));
    for suspect_or_rejected in [
        write_rejected(&message, &Rejection::HeadersUnread, NOW),
        write_suspect(&message, false).unwrap(),
    ] {
        let values = suspect_or_rejected.headers.extent(|_| true).values;
        assert!(values <= Extent::MAX_VALUES + 160, "{values}");
    }
}

#[test]
fn of_very_many_headers_those_that_fit_are_kept_and_the_rest_is_counted() {
    let mut message = event_message();
    for number in 0..700 {
        message.headers.set_integer(&format!("header-{number:04}"), 1);
    }
    let rejected = rejected(&message);
    assert_eq!(read_rejection(&rejected).0, Some("headers_too_large"));
    let said = detail(&rejected);
    assert!(
        said.starts_with("there are 701 headers; at most 64 are allowed"),
        "{said}"
    );
    assert!(said.ends_with("and 629 more (13209 bytes)"), "{said}");
    assert_eq!(rejected.headers.text("company"), Ok(Some("acme")));
    assert_eq!(
        rejected
            .headers
            .names()
            .filter(|name| name.starts_with("header-"))
            .count(),
        63
    );
}

#[test]
fn a_suspect_beyond_the_limits_is_rejected_before_it_is_published() {
    let mut message = event_message();
    message.headers.set("big", HeaderValue::Bytes(vec![0; 20_000]));
    for is_event in [true, false] {
        let rejection = write_suspect(&message, is_event).unwrap_err();
        assert_eq!(rejection.name(), "headers_too_large");
    }
}
