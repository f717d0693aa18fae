//! Any message at all, made at random.
use super::*;
use crate::headers::{Extent, HeaderValue};

/// The longest frame that RabbitMQ takes unless told otherwise, less what stands in it beside properties and headers, and
/// less all properties at their longest.
const ROOM_FOR_HEADERS: usize = 131_072 - 8 - 14 - 9 * 256 - 32;

fn any_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![
        "[a-z._-]{0,12}",
        ".{0,12}",
        Just("booking.created".to_owned())
    ])
}

/// Names of ours and of the broker's among any others.
fn any_name() -> impl Strategy<Value = String> {
    let known = [
        "company",
        "created-at",
        "traceparent",
        "endpoint",
        "attempt",
        "origin",
        "parked",
        "crashes",
        "reason",
        "rejected-detail",
        "sent-exchange",
        "sent-CC",
        "CC",
        "BCC",
        "x-death",
        "x-delivery-count",
        "x-received-from",
        "x-opt-theirs",
        "x-request-id",
    ];
    let known = proptest::sample::select(known.to_vec()).prop_map(str::to_owned);
    prop_oneof![known, ".{0,8}", "[a-z-]{0,60}"]
}

fn any_value() -> impl Strategy<Value = HeaderValue> {
    use HeaderValue as V;
    let text = prop_oneof![
        20 => "[a-z._-]{0,12}".prop_map(String::into_bytes),
        20 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (0_usize..40_000).prop_map(|length| vec![b'x'; length]),
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(V::Boolean),
        any::<i8>().prop_map(V::I8),
        any::<u8>().prop_map(V::U8),
        any::<i16>().prop_map(V::I16),
        any::<u16>().prop_map(V::U16),
        any::<i32>().prop_map(V::I32),
        any::<u32>().prop_map(V::U32),
        any::<i64>().prop_map(V::I64),
        (-1e9_f32..1e9).prop_map(V::F32),
        (-1e9_f64..1e9).prop_map(V::F64),
        (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| V::Decimal { scale, value }),
        "[a-z]{0,20}".prop_map(V::ShortText),
        text.clone().prop_map(V::Text),
        text.prop_map(V::Bytes),
        any::<u64>().prop_map(V::Timestamp),
        Just(V::Void),
    ];
    leaf.prop_recursive(12, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(V::Array),
            proptest::collection::vec((".{0,8}", inner), 0..4).prop_map(V::Table),
        ]
    })
}

/// A few, as most messages have, or about as many as may be.
fn any_headers() -> impl Strategy<Value = Vec<(String, HeaderValue)>> {
    let some = |count| proptest::collection::vec((any_name(), any_value()), count);
    prop_oneof![16 => some(0..8), 1 => some(60..70)]
}

prop_compose! {
    fn any_sender()(
        exchange in any_text(), key in any_text(), app_id in any_text(), user_id in any_text(), reply_to in any_text(),
        expiration in any_text(), priority in any::<Option<u8>>(), delivery_mode in any::<Option<u8>>(),
    ) -> Sender {
        let properties = SenderProperties {
            app_id, user_id, reply_to, expiration, priority, delivery_mode, ..SenderProperties::default()
        };
        Sender {
            exchange: exchange.unwrap_or_default(),
            routing_key: key.unwrap_or_default(),
            properties: Some(Box::new(properties)),
        }
    }
}

prop_compose! {
    fn any_message()(
        id in any_text(), kind in any_text(), content_type in any_text(), content_encoding in any_text(),
        timestamp in prop_oneof![any::<Option<u64>>(), Just(Some(1_705_329_000))],
        headers in any_headers(), sender in any_sender(),
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..64), Just(b"{}".to_vec())],
    ) -> Message {
        Message {
            content_type, content_encoding, message_id: id, message_type: kind, timestamp,
            headers: headers.into_iter().collect(), sender, body: body.into(),
        }
    }
}

proptest! {
    #[test]
    fn it_is_work_or_there_is_a_reason_and_a_rejected_one_fits_into_a_frame(message in any_message()) {
        let reads = [read_event(&message).map(Work::Route), read_work(&message), read_failed(&message).map(|(it, _)| Work::Deliver(it))];
        for read in reads {
            match read {
                Ok(work) => {
                    let written = write_work(&work);
                    prop_assert!(written.headers.size() < ROOM_FOR_HEADERS);
                    prop_assert_eq!(read_work(&written), Ok(work));
                }
                Err(rejection) => {
                    let rejected = write_rejected(&message, &rejection, Timestamp::UNIX_EPOCH);
                    prop_assert!(rejected.headers.size() < ROOM_FOR_HEADERS);
                    prop_assert_eq!(read_rejection(&rejected), (Some(rejection.name()), Some(Timestamp::UNIX_EPOCH)));
                    prop_assert!(Rejection::NAMES.contains(&rejection.name()));
                    prop_assert_eq!(&rejected.body, &message.body);
                    // What beyond the limits has been left out, so that is no reason any more: but where that was its endpoint, without
                    // which it would be an event for all of them.
                    let has_endpoint = |message: &Message| message.headers.get("endpoint").is_some();
                    let is_kept = has_endpoint(&rejected) || !has_endpoint(&message);
                    let again = read_work(&rejected);
                    prop_assert_eq!(again.is_err_and(|again| again.name().starts_with("headers_")), !is_kept);
                }
            }
        }
        for is_event in [true, false] {
            if let Ok(suspect) = write_suspect(&message, is_event) {
                prop_assert!(suspect.headers.size() < ROOM_FOR_HEADERS);
            }
        }
    }

    /// Whoever publishes an event again, from where it was parked or rejected, publishes one that is taken.
    #[test]
    fn an_event_that_was_taken_has_no_more_headers_when_it_is_published_again(headers in any_headers()) {
        let mut message = event_message();
        for (name, value) in headers {
            if name != "company" {
                message.headers.set(&name, value);
            }
        }
        if let Ok(unrouted) = read_event(&message) {
            let again = write_work(&Work::Route(unrouted));
            prop_assert!(again.headers.names().count() <= Extent::MAX_ENTRIES);
            prop_assert!(again.headers.names().count() <= message.headers.names().count());
        }
    }

    #[test]
    fn what_is_not_ours_goes_along_as_it_came(headers in any_headers()) {
        let mut message = event_message();
        for (name, value) in headers {
            if !header::is_ours(&name) {
                message.headers.set(&name, value);
            }
        }
        if let Ok(unrouted) = read_event(&message) {
            let delivery = Delivery::first(unrouted, EndpointId::parse("ep_1").unwrap());
            let mut next = write_delivery(&delivery.for_next_attempt());
            next.headers.retain(|name, _| !header::is_ours(name));
            message.headers.retain(|name, _| !header::is_ours(name) && !Headers::is_steering(name));
            prop_assert_eq!(next.headers, message.headers);
        }
    }

    #[test]
    fn a_delivery_is_read_back(
        id in any_text(), kind in any_text(), company in any_text(), endpoint in any_text(),
        attempt in any::<Option<i64>>(), origin in any_text(), trace in any_text(), created_at in any_text(),
    ) {
        let mut message = Message { message_id: id, message_type: kind, ..delivery_message() };
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
}
