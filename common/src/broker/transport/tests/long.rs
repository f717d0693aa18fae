//! Headers that are longer than a frame may be for the client library: they arrive without what is too long, and everything else of the
//! message whole.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::super::frames::Frames;
use super::{Random, made};
use crate::broker::heard::Heard;
use crate::broker::wire::from_broker;
use crate::headers::Headers;

/// The shortest limit that a broker may have.
const LEAST: usize = 4096;

/// A content header with such headers, besides its company.
fn header(values: impl IntoIterator<Item = (String, AMQPValue)>) -> (BasicProperties, Vec<u8>) {
    let mut headers = FieldTable::default();
    headers.insert("company".into(), AMQPValue::LongString("acme".into()));
    for (name, value) in values {
        headers.insert(name.as_str().into(), value);
    }
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_headers(headers)
        .with_message_id("evt_1".into())
        .with_timestamp(1_705_329_000)
        .with_type("booking.created".into());
    let header = AMQPContentHeader {
        class_id: 60,
        body_size: 12_345,
        properties: properties.clone(),
    };
    let frame = AMQPFrame::Header(7, header);
    let (bytes, _) = gen_frame(&frame)(Vec::new().into()).unwrap().into_inner();
    (properties, bytes)
}

/// Sixteen bytes each, of which none is left out by itself, so that some are cut between two.
fn in_pieces(bytes: usize) -> impl Iterator<Item = (String, AMQPValue)> {
    (0..bytes / 16).map(|number| (format!("h{number:05}"), AMQPValue::LongLongInt(7)))
}

fn padded(bytes: usize) -> (BasicProperties, Vec<u8>) {
    header([("pad".to_owned(), text(bytes))])
}

fn text(bytes: usize) -> AMQPValue {
    AMQPValue::LongString("x".repeat(bytes).into())
}

/// All frames that stand in `bytes`, and how long each is.
fn frames(mut bytes: &[u8]) -> Vec<(AMQPFrame, usize)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (rest, frame) = parse_frame(bytes).expect("a frame");
        frames.push((frame, bytes.len() - rest.len()));
        bytes = rest;
    }
    frames
}

/// What comes out of a header frame that is longer than `limit`: its headers and the frame's length. All but the headers is as it was,
/// and what remains of the bytes is heartbeats.
fn shortened(properties: &BasicProperties, before: &[u8], limit: usize) -> (FieldTable, usize) {
    let mut bytes = before.to_vec();
    let mut judge = Frames::heard_by(&Heard::default(), u32::try_from(limit).unwrap());
    assert_eq!(judge.judge(&mut bytes), before.len());
    if before.len() <= limit {
        assert_eq!(bytes, before);
    }
    let frames = frames(&bytes);
    let [(AMQPFrame::Header(7, header), length), heartbeats @ ..] = &frames[..] else {
        panic!("{frames:?}");
    };
    assert!(*length <= limit, "{length}, where {limit} is the limit");
    let mut heartbeats = heartbeats.iter();
    assert!(heartbeats.all(|(frame, length)| *frame == AMQPFrame::Heartbeat && *length <= limit));
    assert_eq!((header.class_id, header.body_size), (60, 12_345));
    let read = &header.properties;
    assert_eq!(read.content_type(), properties.content_type());
    assert_eq!(read.message_id(), properties.message_id());
    assert_eq!(read.timestamp(), properties.timestamp());
    assert_eq!(read.kind(), properties.kind());
    let headers = read.headers().clone().unwrap();
    assert_eq!(headers.inner()["company"], AMQPValue::LongString("acme".into()));
    (headers, *length)
}

#[test]
fn headers_that_are_many_arrive_cut_and_everything_else_whole() {
    let mut cut = 0;
    for seed in 0..400 {
        let random = &mut Random::new(seed);
        let limit = LEAST + random.below(LEAST);
        let near = limit - 200 + random.below(300);
        let bytes = if random.one_in(2) {
            near
        } else {
            random.below(20 * LEAST)
        };
        let (properties, before) = header(in_pieces(bytes));
        let (headers, length) = shortened(&properties, &before, limit);
        if before.len() > limit {
            assert!(length >= limit - 8, "{length}, where {limit} is the limit");
            assert!(headers.inner().contains_key("unread-headers"), "{headers:?}");
            cut += 1;
        }
    }
    assert!(cut > 100, "{cut}");
}

#[test]
fn of_headers_that_are_long_the_longest_are_left_out_and_tell_their_lengths() {
    let mut left_out = 0;
    for seed in 0..1000 {
        let random = &mut Random::new(seed);
        let limit = LEAST + random.below(LEAST);
        let values: Vec<_> = (0..1 + random.below(12))
            .map(|number| {
                let most = 300 + random.below(2 * LEAST);
                let bytes = random.below(most);
                let value = match random.below(3) {
                    0 => text(bytes),
                    1 => AMQPValue::ByteArray(vec![0xff; bytes].into()),
                    _ => AMQPValue::FieldArray(vec![text(bytes)].into()),
                };
                let name = if number == 3 {
                    "x-death".to_owned()
                } else {
                    format!("h{number}")
                };
                (name, value)
            })
            .collect();
        let (properties, before) = header(values.clone());
        let (headers, _) = shortened(&properties, &before, limit);
        let read = |properties: &BasicProperties| from_broker(properties, Vec::new()).headers;
        let ours = read(&BasicProperties::default().with_headers(headers.clone()));
        let whole = read(&properties);
        let (mut longest_kept, mut shortest_left_out) = (0, usize::MAX);
        let mut is_of_broker_kept = false;
        for (name, value) in &values {
            let around = 1 + name.len() + 1 + 4;
            let length = Headers::extent_of(name, whole.get(name).unwrap()).bytes - around;
            let is_left_out = ours.get(name).unwrap().left_out();
            let is_of_broker = name == "x-death";
            if headers.inner()[name.as_str()] == *value {
                assert_eq!(is_left_out, None);
                is_of_broker_kept |= is_of_broker && 5 + length > 256;
                longest_kept = longest_kept.max(if is_of_broker { 0 } else { length });
                continue;
            }
            assert_eq!(is_left_out, Some(length), "{name}");
            assert!(5 + length > 256, "{name}: {length}");
            shortest_left_out = shortest_left_out.min(if is_of_broker { usize::MAX - 1 } else { length });
            left_out += 1;
        }
        assert!(
            longest_kept <= shortest_left_out,
            "{longest_kept} {shortest_left_out}"
        );
        assert!(
            shortest_left_out == usize::MAX || !is_of_broker_kept,
            "the broker's own goes first"
        );
        assert_eq!(before.len() > limit, shortest_left_out < usize::MAX);
    }
    assert!(left_out > 500, "{left_out}");
}

#[test]
fn where_long_values_are_not_enough_the_rest_is_cut_off() {
    let many = || in_pieces(2 * LEAST).chain([("a".to_owned(), text(1000))]);
    let (properties, before) = header(many());
    let (headers, _) = shortened(&properties, &before, LEAST);
    assert!(headers.inner().contains_key("unread-headers"), "{headers:?}");
    assert_eq!(headers.inner()["a"], text(1000));
}

#[test]
fn the_brokers_limit_counts_where_it_is_the_lower_one_and_ours_where_it_has_none() {
    for (asked, tuned, limit) in [
        (8192, 4096_u32, 4096),
        (8192, 8192, 8192),
        (8192, 1 << 20, 8192),
        (8192, 0, 8192),
        (0, 8192, 8192),
    ] {
        let tune = [&[0, 10, 0, 30, 7, 0xff][..], &tuned.to_be_bytes(), &[0, 60]].concat();
        let mut judge = Frames::heard_by(&Heard::default(), asked);
        judge.judge(&mut made::frame(1, 0, &tune));
        let (_, mut bytes) = header(in_pieces(20_000));
        judge.judge(&mut bytes);
        let (_, length) = frames(&bytes)[0];
        assert!((limit - 8..=limit).contains(&length), "{asked} {tuned}: {length}");
    }
}

#[test]
fn a_frame_that_is_long_by_something_else_is_left_for_the_client_library_to_refuse() {
    let (_, before) = padded(10);
    let mut bytes = before.clone();
    Frames::heard_by(&Heard::default(), 60).judge(&mut bytes);
    assert_eq!(bytes, before);
}
