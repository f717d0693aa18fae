//! Messages as any publisher may write them: each is work, or there is a named reason why not; what is work is written and read
//! back the same; and neither becomes too large to be published again.

use hookline_cases::{Mutations, Random, lines, mutated, run};
use hookline_common::delivery::{DeadLetterCause, DeadLetterReason, Work};
use hookline_common::headers::{HeaderValue, Headers};
use hookline_common::message::{
    FiledDelivery, Message, Rejection, Sender, SenderProperties, read_dead_letter, read_event, read_failed,
    read_rejection, read_sender, read_work, write_failed, write_rejected, write_suspect, write_work,
};
use hookline_common::outcome::Outcome;
use jiff::Timestamp;

use crate::json;

const CORPUS: &str = include_str!("corpus/message_texts.txt");
const WORDS: [&str; 16] = [
    ".",
    "..",
    "_",
    "-",
    "evt_",
    "booking",
    "created",
    "application/",
    "+json",
    ";charset=utf-8",
    "utf-8",
    "00-",
    "T",
    "Z",
    "+02:00",
    "*",
];
/// Names of ours, of the broker's and of others.
const NAMES: [&str; 30] = [
    "company",
    "created-at",
    "traceparent",
    "tracestate",
    "endpoint",
    "attempt",
    "origin",
    "parked",
    "unknown-since",
    "retried-at",
    "crashes",
    "failed-at",
    "last-outcome",
    "last-status",
    "reason",
    "rejected-reason",
    "rejected-detail",
    "rejected-at",
    "sent-exchange",
    "sent-CC",
    "sent-x-death",
    "CC",
    "BCC",
    "x-death",
    "x-delivery-count",
    "x-acquired-count",
    "x-first-death-queue",
    "x-request-id",
    "ordering-key",
    "",
];
/// The longest frame that RabbitMQ takes unless told otherwise, less what stands in it beside properties and headers, and less
/// all properties at their longest.
const ROOM_FOR_HEADERS: usize = 131_072 - 8 - 14 - 9 * 256 - 32;

#[test]
fn fuzz_a_message_is_work_or_there_is_a_reason_and_both_can_be_published_again() {
    let texts = lines(CORPUS);
    run("messages", 2_000, &["work", "rejected"], |random| {
        let message = message(random, &texts);
        let read = match random.below(4) {
            0 => read_event(&message).map(Work::Route),
            1 => read_failed(&message).map(|(delivery, _)| Work::Deliver(delivery)),
            _ => read_work(&message),
        };
        if let Ok(suspect) = write_suspect(&message, random.one_in(2)) {
            assert!(suspect.headers.size() < ROOM_FOR_HEADERS);
        }
        match read {
            Ok(work) => {
                check_work(random, &work);
                "work"
            }
            Err(rejection) => {
                check_rejected(&message, &rejection);
                "rejected"
            }
        }
    });
}

fn check_work(random: &mut Random, work: &Work) {
    let written = write_work(work);
    assert!(written.headers.size() < ROOM_FOR_HEADERS);
    assert!(written.headers.names().all(|name| !Headers::is_steering(name)));
    let mut kept = work.clone();
    let pass_through = kept.pass_through_mut();
    // Times are written to the millisecond, as finely as we set them.
    for time in [&mut pass_through.unknown_since, &mut pass_through.retried_at] {
        *time = time.map(|time| Timestamp::from_millisecond(time.as_millisecond()).unwrap());
    }
    assert_eq!(read_work(&written).as_ref(), Ok(&kept));
    let Work::Deliver(delivery) = work else {
        return;
    };
    let cause = DeadLetterCause {
        failed_at: Timestamp::from_millisecond(random.below(4_102_444_800_000) as i64).unwrap(),
        reason: random.pick(&[
            DeadLetterReason::RetriesExhausted,
            DeadLetterReason::EndpointDisabled,
        ]),
        last_outcome: random.pick(&[None, Some(Outcome::Timeout), Some(Outcome::HttpStatus)]),
        last_status: random
            .one_in(2)
            .then(|| u16::try_from(random.below(65_536)).unwrap()),
    };
    let dead = write_failed(delivery, &cause);
    assert!(dead.headers.size() < ROOM_FOR_HEADERS);
    let Work::Deliver(kept) = kept else {
        panic!("a delivery is written as one");
    };
    assert_eq!(read_dead_letter(&dead), Ok((kept, cause)));
    // As the console keeps it.
    if let Some(headers) = FiledDelivery::headers_of(delivery) {
        let kept = Headers::from_stored(&headers).unwrap();
        assert!(
            delivery
                .pass_through
                .other
                .iter()
                .all(|(name, value)| kept.get(name) == Some(value))
        );
    }
}

fn check_rejected(message: &Message, rejection: &Rejection) {
    let now = Timestamp::UNIX_EPOCH;
    assert!(Rejection::NAMES.contains(&rejection.name()), "{rejection}");
    let detail = rejection.to_string();
    assert!(
        detail.len() < 4_000 && !detail.chars().any(char::is_control),
        "{detail:?}"
    );
    let written = write_rejected(message, rejection, now);
    assert!(written.headers.size() < ROOM_FOR_HEADERS);
    assert_eq!(read_rejection(&written), (Some(rejection.name()), Some(now)));
    assert_eq!(written.body, message.body);
    // What was beyond the limits has been left out, so that is no reason any more. That something was left out as it was read stays one.
    if let Err(again) = read_work(&written) {
        let is_of_limits = again.name().starts_with("headers_") && !matches!(again, Rejection::HeadersUnread);
        assert!(!is_of_limits, "{rejection:?}, and then {again:?}");
    }
    // Who sent it can still be told.
    let (sent, kept) = (&message.sender, read_sender(&written));
    if !sent.exchange.is_empty() {
        assert_eq!(
            (&kept.exchange, &kept.routing_key),
            (&sent.exchange, &sent.routing_key)
        );
    }
}

/// Bytes that were kept in the database, damaged there: they are read as headers, or refused, and never as more than they are.
#[test]
fn fuzz_stored_headers_are_read_back_or_refused() {
    let texts = lines(CORPUS);
    run("stored headers", 2_000, &["read", "refused"], |random| {
        let headers = headers(random, &texts);
        let mut bytes = headers.to_stored();
        let whole = Headers::from_stored(&bytes);
        if headers.extent(|_| true).depth <= 8 {
            assert_eq!(whole.as_ref(), Ok(&headers));
        }
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] = random.octet(),
                _ => bytes.splice(at..at, [b'F', 0xff, 0xff]).for_each(drop),
            }
        }
        let Ok(read) = Headers::from_stored(&bytes) else {
            return "refused";
        };
        // What each value is counted with is at least what it takes in the text, but for the lengths of some.
        assert!(read.iter().count() <= bytes.len() && read.size() <= 2 * bytes.len());
        "read"
    });
}

fn message(random: &mut Random, texts: &[String]) -> Message {
    let mut property = |usual: &str| match random.below(16) {
        0 => None,
        1 => Some(text(random, texts)),
        _ => Some(usual.to_owned()),
    };
    let (content_type, message_id, message_type) = (
        property("application/json"),
        property("evt_1"),
        property("booking.created"),
    );
    let content_encoding = random.one_in(10).then(|| text(random, texts));
    let timestamp = match random.below(12) {
        0 => None,
        1 => Some(random.next() >> random.below(64)),
        _ => Some(1_705_329_000),
    };
    let body = match random.below(8) {
        0 => text(random, texts),
        1 => json::object(random),
        _ => "{}".to_owned(),
    };
    Message {
        content_type,
        content_encoding,
        message_id,
        message_type,
        timestamp,
        headers: headers(random, texts),
        sender: sender(random, texts),
        body: body.into(),
    }
}

fn headers(random: &mut Random, texts: &[String]) -> Headers {
    let mut headers = Headers::default();
    headers.set_text("company", "acme");
    if random.one_in(2) {
        headers.set_text("endpoint", "ep_1");
        headers.set_integer("attempt", 2);
        headers.set_text("origin", "event");
    }
    // A few, as most messages have, or about as many as may be.
    let count = if random.one_in(60) {
        60 + random.below(10)
    } else {
        random.below(5)
    };
    for _ in 0..count {
        let name = match random.below(4) {
            0 => text(random, texts).chars().take(60).collect(),
            1 => format!("h{}", random.below(100)),
            _ => random.pick(&NAMES).to_owned(),
        };
        headers.set(&name, value(random, texts, 0));
    }
    headers
}

fn value(random: &mut Random, texts: &[String], depth: usize) -> HeaderValue {
    use HeaderValue as V;
    let number = random.next();
    let [low, ..] = number.to_le_bytes();
    let number_32 = u32::try_from(number >> 32).unwrap();
    let number_16 = u16::try_from(number >> 48).unwrap();
    match random.below(if depth < 12 { 24 } else { 20 }) {
        0 => V::Boolean(low < 128),
        1 => V::I8(low.cast_signed()),
        2 => V::U8(low),
        3 => V::I16(number_16.cast_signed()),
        4 => V::U16(number_16),
        5 => V::I32(number_32.cast_signed()),
        6 => V::U32(number_32),
        7 => V::I64(number.cast_signed() >> random.below(64)),
        8 => V::F32(f32::from(number_16) / 3.0),
        9 => V::F64(f64::from(number_32) / 3.0),
        10 => V::Decimal {
            scale: low,
            value: number_32,
        },
        11 => V::Timestamp(number >> random.below(64)),
        12 => V::ShortText(text(random, texts).chars().take(60).collect()),
        13 => V::Bytes((0..random.below(12)).map(|_| random.octet()).collect()),
        14 => V::Void,
        15 if random.one_in(20) => V::Text(vec![b'x'; random.below(40_000)]),
        20 | 21 => V::Array(
            (0..random.below(3))
                .map(|_| value(random, texts, depth + 1))
                .collect(),
        ),
        22 | 23 => V::Table(
            (0..random.below(3))
                .map(|at| (format!("m{at}"), value(random, texts, depth + 1)))
                .collect(),
        ),
        _ => V::Text(text(random, texts).into_bytes()),
    }
}

fn sender(random: &mut Random, texts: &[String]) -> Sender {
    let short = |random: &mut Random| {
        random
            .one_in(4)
            .then(|| text(random, texts).chars().take(60).collect::<String>())
    };
    let properties = random.one_in(4).then(|| {
        Box::new(SenderProperties {
            app_id: short(random),
            user_id: short(random),
            correlation_id: short(random),
            reply_to: random.one_in(4).then(|| "amq.rabbitmq.reply-to.g1".to_owned()),
            expiration: short(random),
            priority: random.one_in(4).then(|| random.octet()),
            delivery_mode: random.one_in(4).then(|| random.octet()),
            ..SenderProperties::default()
        })
    });
    Sender {
        exchange: short(random).unwrap_or_default(),
        routing_key: short(random).unwrap_or_default(),
        properties,
    }
}

fn text(random: &mut Random, texts: &[String]) -> String {
    mutated(
        random,
        texts,
        Mutations {
            words: &WORDS,
            max_bytes: 250,
        },
    )
}
