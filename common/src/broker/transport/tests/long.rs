//! Headers that are longer than a frame may be for the client library: they arrive cut, and everything else of the message whole.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::super::frames::Frames;
use super::{Random, made};
use crate::broker::returns::Returns;

/// The shortest limit that a broker may have.
const LEAST: usize = 4096;

/// A content header with headers of about so many bytes.
fn header(padding: usize, is_in_pieces: bool) -> (BasicProperties, Vec<u8>) {
    let mut headers = FieldTable::default();
    headers.insert("company".into(), AMQPValue::LongString("acme".into()));
    if is_in_pieces {
        // Sixteen bytes each, so that some are cut between two.
        for number in 0..padding / 16 {
            headers.insert(format!("h{number:05}").as_str().into(), AMQPValue::LongLongInt(7));
        }
    } else {
        headers.insert("pad".into(), AMQPValue::LongString("x".repeat(padding).into()));
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

#[test]
fn headers_that_are_too_long_arrive_cut_and_everything_else_whole() {
    let mut cut = 0;
    for seed in 0..400 {
        let random = &mut Random::new(seed);
        let limit = LEAST + random.below(LEAST);
        let near = limit - 200 + random.below(300);
        let padding = if random.one_in(2) {
            near
        } else {
            random.below(20 * LEAST)
        };
        let (properties, before) = header(padding, random.one_in(2));
        let mut bytes = before.clone();
        let mut judge = Frames::heard_by(Returns::default(), u32::try_from(limit).unwrap());
        assert_eq!(judge.judge(&mut bytes), before.len());
        if before.len() <= limit {
            assert_eq!(bytes, before);
            continue;
        }
        let frames = frames(&bytes);
        let [(AMQPFrame::Header(7, header), length), heartbeats @ ..] = &frames[..] else {
            panic!("{frames:?}");
        };
        assert!(
            (limit - 8..=limit).contains(length),
            "{length}, where {limit} is the limit"
        );
        let mut heartbeats = heartbeats.iter();
        assert!(heartbeats.all(|(frame, _)| *frame == AMQPFrame::Heartbeat));
        assert_eq!((header.class_id, header.body_size), (60, 12_345));
        let read = &header.properties;
        assert_eq!(read.content_type(), properties.content_type());
        assert_eq!(read.message_id(), properties.message_id());
        assert_eq!(read.timestamp(), properties.timestamp());
        assert_eq!(read.kind(), properties.kind());
        let headers = read.headers().as_ref().unwrap().inner();
        assert_eq!(headers["company"], AMQPValue::LongString("acme".into()));
        assert!(headers.contains_key("unread-headers"), "{headers:?}");
        cut += 1;
    }
    assert!(cut > 100, "{cut}");
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
        let mut judge = Frames::heard_by(Returns::default(), asked);
        judge.judge(&mut made::frame(1, 0, &tune));
        let (_, mut bytes) = header(20_000, false);
        judge.judge(&mut bytes);
        let (_, length) = frames(&bytes)[0];
        assert!((limit - 8..=limit).contains(&length), "{asked} {tuned}: {length}");
    }
}

#[test]
fn a_frame_that_is_long_by_something_else_is_left_for_the_client_library_to_refuse() {
    let (_, before) = header(10, false);
    let mut bytes = before.clone();
    Frames::heard_by(Returns::default(), 60).judge(&mut bytes);
    assert_eq!(bytes, before);
}
