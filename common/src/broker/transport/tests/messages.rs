//! Content headers as anybody can have them arrive, down to single bytes, read all the way: each message is work or is rejected for
//! a reason, and what is published in its place arrives as it was written.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use hookline_cases::run;
use jiff::Timestamp;
use lapin::BasicProperties;

use super::super::frames::Frames;
use super::{Random, made};
use crate::broker::heard::Heard;
use crate::broker::wire::{from_broker, to_properties};
use crate::delivery::Work;
use crate::message::{Message, read_work, write_rejected, write_suspect, write_work};

/// The longest frame that brokers take unless told otherwise, in bytes.
const LONGEST_FRAME: usize = 131_072;

#[test]
fn fuzz_whatever_arrives_is_a_message_and_so_is_what_is_published_for_it() {
    let ends = ["work", "rejected", "rejected, with a value left out"];
    run("content headers", 5_000, &ends, |random| {
        let payload = if random.one_in(3) {
            made::header(random)
        } else {
            ours(random)
        };
        let payload = if random.one_in(3) {
            payload
        } else {
            made::broken(random, payload)
        };
        let mut frame = made::frame(2, 1, &payload);
        // Shorter ones than a broker can have, so that many are too long.
        let max_frame = if random.one_in(2) {
            0
        } else {
            64 + random.below(1_500)
        };
        Frames::heard_by(&Heard::default(), u32::try_from(max_frame).unwrap()).judge(&mut frame);
        let message = from_broker(&properties(&frame), b"{}".to_vec());
        if let Ok(suspect) = write_suspect(&message, random.one_in(2)) {
            check_arrives(&suspect);
        }
        match read_work(&message) {
            Ok(work) => {
                let written = write_work(&work);
                assert_eq!(values_left_out(&written), 0, "{message:?}");
                let again = read_work(&check_arrives(&written)).unwrap();
                assert_eq!(on_the_wire(&write_work(&again)), on_the_wire(&written));
                "work"
            }
            Err(rejection) => {
                let rejected = write_rejected(&message, &rejection, Timestamp::UNIX_EPOCH);
                check_arrives(&rejected);
                assert_eq!(values_left_out(&rejected), 0, "{message:?}");
                // What was meant for one endpoint goes to all of them by nobody's hand.
                let is_delivery = message.headers.get("endpoint").is_some();
                assert!(
                    !(is_delivery && matches!(read_work(&rejected), Ok(Work::Route(_)))),
                    "{message:?}"
                );
                if values_left_out(&message) > 0 {
                    "rejected, with a value left out"
                } else {
                    "rejected"
                }
            }
        }
    });
}

/// How many values of the headers were left out in reading.
fn values_left_out(message: &Message) -> usize {
    let values = message.headers.iter();
    values.filter(|(_, value)| value.left_out().is_some()).count()
}

/// Sends a message over the wire, and gives back what arrives: the same, to the byte. Values are not compared, for some numbers are
/// not equal to themselves.
fn check_arrives(message: &Message) -> Message {
    let written = on_the_wire(message);
    assert!(written.len() < LONGEST_FRAME, "{} bytes", written.len());
    let mut judged = written.clone();
    Frames::default().judge(&mut judged);
    assert_eq!(judged, written, "what we write needs no mending");
    let again = from_broker(&properties(&judged), message.body.to_vec());
    assert_eq!(on_the_wire(&again), written);
    again
}

/// The frame of a message's content header.
fn on_the_wire(message: &Message) -> Vec<u8> {
    let header = AMQPContentHeader {
        class_id: 60,
        body_size: 2,
        properties: to_properties(message),
    };
    let frame = AMQPFrame::Header(1, header);
    gen_frame(&frame)(Vec::new().into()).unwrap().into_inner().0
}

fn properties(frame: &[u8]) -> BasicProperties {
    match parse_frame(frame) {
        Ok((_, AMQPFrame::Header(_, header))) => header.properties,
        other => panic!("{other:?}"),
    }
}

/// A content header with what a message of ours needs, for others are rejected at once.
fn ours(random: &mut Random) -> Vec<u8> {
    let mut table = Vec::new();
    for (name, text) in [("company", "acme"), ("endpoint", "ep_crm"), ("origin", "event")] {
        if !random.one_in(12) {
            table.push(u8::try_from(name.len()).unwrap());
            table.extend(name.as_bytes());
            table.push(b'S');
            table.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            table.extend(text.as_bytes());
        }
    }
    let number = random.pick(&[
        &b"I\0\0\0\x02"[..],
        b"l\0\0\0\0\0\0\0\x01",
        b"b\xff",
        b"B\x01",
        b"S\0\0\0\x011",
    ]);
    table.extend(b"\x07attempt");
    table.extend(number);
    // Under names that are others', ours and the broker's.
    for name in ["pad", "rejected-detail", "endpoint", "x-death"] {
        if random.one_in(6) {
            table.push(u8::try_from(name.len()).unwrap());
            table.extend(name.as_bytes());
            let kind = random.pick(b"SxA");
            let length = random.below(700);
            table.push(kind);
            table.extend(u32::try_from(length).unwrap().to_be_bytes());
            table.extend(vec![if kind == b'A' { b'V' } else { b'a' }; length]);
        }
    }
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    // content_type, headers, delivery_mode, message_id, timestamp, type
    payload.extend((0x8000_u16 | 0x2000 | 0x1000 | 0x0080 | 0x0040 | 0x0020).to_be_bytes());
    payload.extend(b"\x10application/json");
    payload.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
    payload.extend(&table);
    payload.push(2);
    payload.extend(b"\x24evt_018d0a2f7b8c7def8123456789abcdef");
    payload.extend([0, 0, 0, 0, 0x65, 0xa5, 0x3f, 0x28]);
    payload.extend(b"\x0fbooking.created");
    payload
}
