//! JSON by the letter of RFC 8259, and JSON made at random. Knows no library, so that what a library lets pass is seen.

use hookline_cases::Random;

/// Reads through one value with what may stand around it; `None` where the text is no JSON.
pub(crate) fn is_json(text: &[u8]) -> bool {
    Scanner { text, at: 0 }.whole().is_some()
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    /// Without recursion: how deep something is nested is up to whoever wrote it.
    fn whole(mut self) -> Option<()> {
        let mut open = Vec::new();
        self.space();
        loop {
            // Here a value begins.
            match self.next()? {
                b'{' => {
                    self.space();
                    if self.take(b'}') {
                        // An empty object is a whole value.
                    } else {
                        open.push(b'}');
                        self.name()?;
                        continue;
                    }
                }
                b'[' => {
                    self.space();
                    if !self.take(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                b'"' => self.rest_of_text()?,
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                first => self.rest_of_number(first)?,
            }
            // Here one has ended, and perhaps those that it was the last of.
            loop {
                self.space();
                let Some(end) = open.last().copied() else {
                    return (self.at == self.text.len()).then_some(());
                };
                if self.take(end) {
                    open.pop();
                    continue;
                }
                if !self.take(b',') {
                    return None;
                }
                self.space();
                if end == b'}' {
                    self.name()?;
                }
                break;
            }
        }
    }

    /// A member's name, and the colon behind it.
    fn name(&mut self) -> Option<()> {
        if !self.take(b'"') {
            return None;
        }
        self.rest_of_text()?;
        self.space();
        let is_there = self.take(b':');
        self.space();
        is_there.then_some(())
    }

    fn rest_of_text(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            self.next().filter(u8::is_ascii_hexdigit)?;
                        }
                    }
                    _ => return None,
                },
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn rest_of_number(&mut self, first: u8) -> Option<()> {
        let first = if first == b'-' { self.next()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => {
                self.digits();
            }
            _ => return None,
        }
        if self.take(b'.') && self.digits() == 0 {
            return None;
        }
        if self.take(b'e') || self.take(b'E') {
            let _has_sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return None;
            }
        }
        Some(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        rest.iter()
            .try_for_each(|letter| self.take(*letter).then_some(()))
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }
}

const NAMES: [&str; 12] = [
    "a",
    "booking",
    "webhookType",
    "webhook\\u0054ype",
    "\\u0077ebhookType",
    "webhookType ",
    "\\\"webhookType",
    "data",
    "id",
    "é",
    "\\ud800",
    "",
];
const LEAVES: [&str; 16] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.0",
    "1e3",
    "-1.5E-07",
    "12345678901234567890123",
    "\"\"",
    "\"x\"",
    "\"webhookType\"",
    "\"\\ud800\\/\\u0000\"",
    "\"}{\\\",\\\"\"",
    "\"日本\"",
    "{}",
];
const SPACE: [&str; 8] = ["", "", "", "", " ", "\n", "\t", " \r\n "];

/// A text that is nearly always one object.
pub(crate) fn object(random: &mut Random) -> String {
    let mut text = random.pick(&SPACE).to_owned();
    let size = 1 + random.below(12);
    write_object(random, &mut text, size);
    text.push_str(random.pick(&SPACE));
    text
}

fn write_object(random: &mut Random, text: &mut String, size: usize) {
    text.push('{');
    text.push_str(random.pick(&SPACE));
    let members = random.below(size.min(5) + 1);
    for member in 0..members {
        if member > 0 {
            text.push(',');
            text.push_str(random.pick(&SPACE));
        }
        text.push('"');
        text.push_str(random.pick(&NAMES));
        text.push('"');
        text.push_str(random.pick(&SPACE));
        text.push(':');
        text.push_str(random.pick(&SPACE));
        write_value(random, text, size / 2);
        text.push_str(random.pick(&SPACE));
    }
    text.push('}');
}

fn write_value(random: &mut Random, text: &mut String, size: usize) {
    match random.below(if size == 0 { 4 } else { 8 }) {
        0..4 => text.push_str(random.pick(&LEAVES)),
        4 | 5 => write_object(random, text, size),
        6 => {
            text.push('[');
            for value in 0..random.below(4) {
                if value > 0 {
                    text.push(',');
                }
                write_value(random, text, size / 2);
            }
            text.push(']');
        }
        _ => {
            // Deeper than any reader that calls itself for each level could bear, now and then.
            let depth = if random.one_in(500) { 3000 } else { random.below(6) };
            text.push_str(&"[".repeat(depth));
            text.push_str(random.pick(&LEAVES));
            text.push_str(&"]".repeat(depth));
        }
    }
}

#[test]
fn json_is_told_from_what_is_none() {
    for good in [
        "{}",
        " [1 , -0.5e+3, \"\\u00eb\\n\"] ",
        "null",
        "0",
        "{\"a\":{\"b\":[[],[{}]]},\"a\":1}",
        "\"\u{7f}é\"",
        "1E400",
    ] {
        assert!(is_json(good.as_bytes()), "{good}");
    }
    for bad in [
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\"}",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "tru",
        "nul",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "{}{}",
        "[}",
        "{]",
        "[1 2]",
        "\u{feff}{}",
        "NaN",
        "'a'",
        "\"",
        "\u{a0}1",
    ] {
        assert!(!is_json(bad.as_bytes()), "{bad}");
    }
}
