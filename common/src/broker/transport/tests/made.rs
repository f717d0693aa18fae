//! Frames made at random, whole and broken.

use super::Random;

const KINDS: &[u8] = b"VtbBsUuIifDlLdTSxFA";

/// A whole frame around `payload`.
pub(super) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend(channel.to_be_bytes());
    frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame.push(0xce);
    frame
}

/// A content header with properties that can all be read.
pub(super) fn header(random: &mut Random) -> Vec<u8> {
    let mut payload = vec![0, 60, 0, 0];
    payload.extend(random.next().to_be_bytes());
    // Most messages have some properties, a few have all of them.
    let flags = if random.one_in(8) {
        0xffff
    } else {
        random.next() & random.next()
    };
    let flags = u16::try_from(flags & 0xffff).unwrap();
    payload.extend(flags.to_be_bytes());
    for place in 0..14 {
        if flags & (0x8000 >> place) == 0 {
            continue;
        }
        match place {
            2 => table(random, &mut payload),
            3 | 4 => payload.push(random.octet()),
            9 => payload.extend(random.next().to_be_bytes()),
            _ => text(random, &mut payload),
        }
    }
    payload
}

fn table(random: &mut Random, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend([0; 4]);
    for _ in 0..random.below(8) {
        text(random, out);
        value(random, out, 0);
    }
    set_length(out, at);
}

/// Writes how many bytes follow the length at `at`.
fn set_length(out: &mut [u8], at: usize) {
    let length = u32::try_from(out.len() - at - 4).unwrap();
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// A short string.
fn text(random: &mut Random, out: &mut Vec<u8>) {
    let words = ["", "a", "company", "größe", "€", "x-death", "😀"];
    let word = words[random.below(words.len())];
    out.push(u8::try_from(word.len()).unwrap());
    out.extend(word.as_bytes());
}

fn value(random: &mut Random, out: &mut Vec<u8>, depth: usize) {
    if random.one_in(200) {
        return nested(random, out);
    }
    if random.one_in(2000) {
        return wide(random, out);
    }
    let kind = KINDS[random.below(KINDS.len())];
    out.push(kind);
    let length = match kind {
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'U' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        _ => {
            let at = out.len();
            out.extend([0; 4]);
            if matches!(kind, b'F' | b'A') {
                for _ in 0..random.below(if depth < 6 { 4 } else { 1 }) {
                    if kind == b'F' {
                        text(random, out);
                    }
                    value(random, out, depth + 1);
                }
            } else {
                let length = random.below(12);
                out.extend((0..length).map(|_| random.octet()));
            }
            return set_length(out, at);
        }
    };
    out.extend((0..length).map(|_| random.octet()));
}

/// Arrays and tables in one another, as deep as nobody means it, and now and then as deep as 10 KB allow.
fn nested(random: &mut Random, out: &mut Vec<u8>) {
    let depth = if random.one_in(50) {
        2000
    } else {
        1 + random.below(40)
    };
    let mut places = Vec::new();
    let mut is_in_table = false;
    for _ in 0..depth {
        if is_in_table {
            out.extend([1, b'n']);
        }
        is_in_table = random.one_in(2);
        out.push(if is_in_table { b'F' } else { b'A' });
        places.push(out.len());
        out.extend([0; 4]);
    }
    for at in places {
        set_length(out, at);
    }
}

/// An array of many values, often of more than there may be.
fn wide(random: &mut Random, out: &mut Vec<u8>) {
    out.push(b'A');
    let at = out.len();
    out.extend([0; 4]);
    out.resize(at + 4 + random.below(3000), b'V');
    set_length(out, at);
}

/// A method that holds texts, as a broker sends it.
pub(super) fn method(random: &mut Random) -> Vec<u8> {
    if random.one_in(8) {
        return start(random);
    }
    // Class and number, octets before the texts, texts, octets behind them; a delivery has a text in front of all.
    let (class, number, before, texts, behind) = [
        (10, 50, 2, 1, 4),
        (20, 40, 2, 1, 4),
        (50, 11, 0, 1, 8),
        (60, 21, 0, 1, 0),
        (60, 50, 2, 3, 0),
        (60, 60, 9, 2, 0),
        (60, 71, 9, 2, 4),
        (60, 80, 9, 0, 0),
    ][random.below(8)];
    let mut payload = vec![0, class, 0, number];
    if number == 60 {
        text(random, &mut payload);
    }
    payload.extend((0..before).map(|_| random.octet()));
    for _ in 0..texts {
        text(random, &mut payload);
    }
    payload.extend((0..behind).map(|_| random.octet()));
    payload
}

/// The method with which a broker begins: a version, a table of what it is, and two long strings.
fn start(random: &mut Random) -> Vec<u8> {
    let mut payload = vec![0, 10, 0, 10, 0, 9, 0, 0, 0, 0];
    for _ in 0..random.below(4) {
        text(random, &mut payload);
        payload.push(b'V');
    }
    set_length(&mut payload, 6);
    payload.extend(b"\0\0\0\x05PLAIN\0\0\0\x05en_US");
    payload
}

/// Breaks a payload in one of the ways in which bytes can be wrong.
pub(super) fn broken(random: &mut Random, mut payload: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let at = random.below(payload.len());
        match random.below(8) {
            // Any byte, or one that is a type, a length or the first of a character.
            0 | 1 => payload[at] = random.octet(),
            2 => payload[at] = KINDS[random.below(KINDS.len())],
            3 => payload[at] = [0, 1, 2, 0x7f, 0x80, 0xc3, 0xe2, 0xff][random.below(8)],
            // A length that leads far away, or nowhere.
            4 => {
                let length = [0, 1, 4, 100, 70_000, u32::MAX][random.below(6)];
                let end = (at + 4).min(payload.len());
                payload[at..end].copy_from_slice(&length.to_be_bytes()[..end - at]);
            }
            // Bytes too few, and too many, at the end and within. No content header is shorter than 14.
            5 => payload.truncate(at.max(14)),
            6 => payload.extend((0..random.below(6)).map(|_| 0xff)),
            _ => {
                let at = at.max(14).min(payload.len());
                payload.splice(at..at, (0..random.below(6)).map(|_| 0x01));
            }
        }
    }
    payload
}

/// Makes the texts of a method such that they are no UTF-8. Its numbers may change as well.
pub(super) fn not_utf8(payload: &mut [u8]) {
    for byte in payload.iter_mut().skip(4) {
        // The second byte of `ö` and of `€`, which is no length here.
        if matches!(*byte, 0xb6 | 0x82) {
            *byte = 0xff;
        }
    }
}
