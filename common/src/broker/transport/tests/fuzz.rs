//! Each frame by itself: the client library can read it, it is as long as it was, and it is untouched where it could be
//! read before.

use std::hint::black_box;
use std::time::{Duration, Instant};

use amq_protocol::frame::parse_frame;
use hookline_cases::{count, run};

use super::super::frames::Frames;
use super::super::table::{MAX_DEPTH, MAX_VALUES};
use super::{Random, made};

/// What a frame may be: the client library reads it, does not, or does where it has more room than we give it.
const UNTOUCHED: &str = "could be read";
const WAS_REFUSED: &str = "could not";
const MENDED: &str = "could, with room enough";

/// Whether the client library's parser takes it.
fn is_read(frame: &[u8]) -> bool {
    parse_frame(frame).is_ok_and(|(rest, _)| rest.is_empty())
}

/// How deep the headers of a frame are nested that can be read, and how many values they hold. By their bytes: of headers
/// with the same name the client library keeps one.
fn size(frame: &[u8]) -> (usize, usize) {
    const FLAGS: usize = 7 + 12;
    if frame[0] != 2 || frame[FLAGS] & 0x20 == 0 {
        return (0, 0);
    }
    let mut at = FLAGS + 2;
    for text in [0x80, 0x40] {
        if frame[FLAGS] & text != 0 {
            at += 1 + usize::from(frame[at]);
        }
    }
    inside(&frame[at + 4..at + 4 + length(&frame[at..])], true)
}

fn length(bytes: &[u8]) -> usize {
    usize::try_from(u32::from_be_bytes(bytes[..4].try_into().unwrap())).unwrap()
}

/// The same of what stands in a table or an array.
fn inside(mut bytes: &[u8], has_names: bool) -> (usize, usize) {
    let (mut depth, mut values) = (0, 0);
    while !bytes.is_empty() {
        let name = if has_names { 1 + usize::from(bytes[0]) } else { 0 };
        let value = &bytes[name + 1..];
        let kind = bytes[name];
        values += 1;
        let its_length = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'l' | b'L' | b'd' | b'T' => 8,
            _ => 4 + length(value),
        };
        if matches!(kind, b'F' | b'A') {
            let (its_depth, its_values) = inside(&value[4..its_length], kind == b'F');
            depth = depth.max(1 + its_depth);
            values += its_values;
        }
        bytes = &value[its_length..];
    }
    (depth, values)
}

/// Judges a frame, and says what it was.
fn check(before: &[u8]) -> &'static str {
    let mut frames = Frames::default();
    let mut after = before.to_vec();
    assert_eq!(
        frames.judge(&mut after),
        before.len(),
        "a whole frame is judged: {before:?}"
    );
    assert_eq!((frames.mended > 0), after != before, "{before:?}");
    let (head, end) = (7, before.len() - 1);
    assert!(
        after[..head] == before[..head] && after[end] == before[end],
        "{before:?}"
    );
    assert!(
        is_read(&after),
        "it cannot be read\nbefore: {before:?}\nafter: {after:?}"
    );
    let is_small = |frame: &[u8], more: usize| {
        let (depth, values) = size(frame);
        depth <= MAX_DEPTH && values <= MAX_VALUES + more
    };
    // The entry that says what was not read comes to those that were.
    assert!(is_small(&after, 1), "before: {before:?}\nafter: {after:?}");
    if after != before {
        let once = after.clone();
        frames.judge(&mut after);
        assert!(after == once, "what is mended is whole: {before:?}");
    }
    if !is_read(before) {
        WAS_REFUSED
    } else if is_small(before, 0) {
        assert!(
            after == before,
            "it could be read\nbefore: {before:?}\nafter: {after:?}"
        );
        UNTOUCHED
    } else {
        MENDED
    }
}

/// What does not add up as a method is the broker's own, and may be refused by the client library as before.
fn check_broken_method(before: &[u8]) {
    let mut after = before.to_vec();
    assert_eq!(Frames::default().judge(&mut after), before.len(), "{before:?}");
    if is_read(before) {
        assert!(
            after == before,
            "it could be read\nbefore: {before:?}\nafter: {after:?}"
        );
    }
}

fn one(random: &mut Random) -> &'static str {
    let channel = u16::from(random.octet());
    if random.one_in(20) {
        let payload = made::method(random);
        let payload = made::broken(random, payload);
        check_broken_method(&made::frame(1, channel, &payload));
        "methods that do not add up"
    } else if random.one_in(5) {
        let mut payload = made::method(random);
        if random.one_in(2) {
            made::not_utf8(&mut payload);
        }
        check(&made::frame(1, channel, &payload))
    } else {
        let mut payload = made::header(random);
        if !random.one_in(5) {
            payload = made::broken(random, payload);
        }
        check(&made::frame(2, channel, &payload))
    }
}

/// Runs `work` where the client library's parser has room for what it is asked to read, unmended, for comparison.
fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(512 << 20);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

#[test]
fn fuzz_every_frame_can_be_read_and_none_is_changed_that_could() {
    // Ten million take some minutes where everything is optimised:
    // `HOOKLINE_TEST_CASES=10000000 cargo test --release -p hookline-common --lib transport`.
    let mut mended = 0;
    with_room(|| {
        run("frames", 20_000, &[UNTOUCHED, WAS_REFUSED], |random| {
            let kind = one(random);
            mended += u64::from(kind == MENDED);
            kind
        });
    });
    assert!(
        mended > 2 || count(20_000) < 20_000,
        "too deep, but readable with room enough: {mended}"
    );
}

#[test]
fn judging_a_delivery_costs_less_than_half_of_parsing_it() {
    let texts = |texts: &[(&str, &str)], out: &mut Vec<u8>| {
        for (name, text) in texts {
            out.push(u8::try_from(name.len()).unwrap());
            out.extend(name.as_bytes());
            out.push(b'S');
            out.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            out.extend(text.as_bytes());
        }
    };
    let mut table = Vec::new();
    texts(
        &[
            ("company", "acme"),
            ("created-at", "2026-01-15T14:30:00.123Z"),
            ("endpoint", "ep_crm"),
            ("origin", "event"),
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
        ],
        &mut table,
    );
    table.extend(b"\x07attemptI\0\0\0\x01");
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
    // content_type, headers, delivery_mode, message_id, timestamp, type
    payload.extend((0x8000_u16 | 0x2000 | 0x1000 | 0x0080 | 0x0040 | 0x0020).to_be_bytes());
    payload.extend(b"\x10application/json");
    payload.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
    payload.extend(&table);
    payload.push(2);
    payload.extend(b"\x24evt_018d0a2f7b8c7def8123456789abcdef");
    payload.extend([0, 0, 0, 0, 0x65, 0xa5, 0x3f, 0x28]);
    payload.extend(b"\x0fbooking.created");
    let header = made::frame(2, 1, &payload);
    let deliver = made::frame(
        1,
        1,
        b"\0\x3c\0\x3c\x05ctag1\0\0\0\0\0\0\0\x01\0\x0fhookline.events\x0fbooking.created",
    );
    let body = made::frame(3, 1, &[b'x'; 512]);
    let message = [&deliver[..], &header, &body].concat();
    for (what, bytes) in [("content header", &header), ("whole delivery", &message)] {
        let ours = nanoseconds(|| {
            let mut bytes = bytes.clone();
            Frames::default().judge(black_box(&mut bytes));
            bytes
        });
        let copy = nanoseconds(|| black_box(bytes).clone());
        let theirs = nanoseconds(|| {
            let mut rest = &bytes[..];
            while let Ok((more, frame)) = parse_frame(black_box(rest)) {
                black_box(frame);
                rest = more;
            }
        });
        let judged = ours.saturating_sub(copy);
        assert!(
            judged * 2 < theirs,
            "{what} of {} bytes: judged in {judged} ns, parsed in {theirs} ns",
            bytes.len()
        );
    }
}

/// How long a call takes, at the best of several rounds: others share the machine.
fn nanoseconds<T>(mut call: impl FnMut() -> T) -> u128 {
    // A round is much shorter than a turn on the processor.
    const CALLS: u32 = 1000;
    let rounds = (0..20).map(|_| {
        let started = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        started.elapsed()
    });
    rounds.min().unwrap_or(Duration::ZERO).as_nanos() / u128::from(CALLS)
}
