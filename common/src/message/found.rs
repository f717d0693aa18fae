//! What was found where a message is not understood: short, and harmless wherever it is shown.

use std::fmt;

use crate::headers::{HeaderValue, Headers};

/// What a property or a header held, or that it was not there. Printed, it is the rest of a sentence: `is missing`,
/// `is "a.b"`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found(Option<Box<str>>);

/// Characters of a value that are shown: enough to recognise it by.
const SHOWN: usize = 100;

impl Found {
    /// What stands in a property.
    pub(super) fn property(text: Option<&str>) -> Self {
        Self(text.map(|text| quoted(text).into()))
    }

    /// What stands in a header.
    pub(super) fn header(headers: &Headers, name: &str) -> Self {
        Self(headers.get(name).map(|value| described(value).into()))
    }

    /// In words of the caller's.
    pub(super) fn said(words: String) -> Self {
        Self(Some(words.into()))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("is missing"),
            Some(text) => write!(f, "is {text}"),
        }
    }
}

/// `text` in quotes, cut to 100 characters, with everything escaped that is not printed as it is.
pub(super) fn quoted(text: &str) -> String {
    let end = text.char_indices().nth(SHOWN).map(|(index, _)| index);
    let shown = end.and_then(|end| text.get(..end)).unwrap_or(text);
    let cut = if end.is_some() { "…" } else { "" };
    format!("{shown:?}{cut}")
}

fn described(value: &HeaderValue) -> String {
    if let Some(length) = value.left_out() {
        return format!("a value of {length} bytes, too long to be read");
    }
    if let Some(bytes) = value.as_bytes() {
        return match std::str::from_utf8(bytes) {
            Ok(text) => quoted(text),
            Err(_) => not_utf8(bytes),
        };
    }
    if let Some(number) = value.as_integer() {
        return number.to_string();
    }
    match value {
        HeaderValue::Boolean(value) => value.to_string(),
        HeaderValue::F32(number) => format!("the floating-point number {number}"),
        HeaderValue::F64(number) => format!("the floating-point number {number}"),
        HeaderValue::Decimal { scale, value } => format!("the decimal {value} / 10^{scale}"),
        HeaderValue::Timestamp(seconds) => format!("the AMQP timestamp {seconds}"),
        HeaderValue::Array(values) => format!("an array of {}", values.len()),
        HeaderValue::Table(entries) => format!("a table of {}", entries.len()),
        _ => "void".to_owned(),
    }
}

/// As much as can be read, and the bytes themselves.
fn not_utf8(bytes: &[u8]) -> String {
    const BYTES: usize = 16;
    // A character has at most four bytes.
    let start = bytes.get(..SHOWN * 4).unwrap_or(bytes);
    let text = quoted(&String::from_utf8_lossy(start));
    let first: Vec<String> = bytes
        .iter()
        .take(BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let more = if bytes.len() > BYTES { " …" } else { "" };
    format!("{text}, which is not UTF-8 ({}{more})", first.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_cut_to_a_hundred_characters_and_harmless() {
        for (text, shown) in [
            ("a.b", "is \"a.b\"".to_owned()),
            ("", "is \"\"".to_owned()),
            (
                "\u{1b}[2J\n\u{9b}\u{202e}é",
                "is \"\\u{1b}[2J\\n\\u{9b}\\u{202e}é\"".to_owned(),
            ),
            (&"é".repeat(100), format!("is \"{}\"", "é".repeat(100))),
            (&"é".repeat(101), format!("is \"{}\"…", "é".repeat(100))),
        ] {
            assert_eq!(Found::property(Some(text)).to_string(), shown);
        }
        assert_eq!(Found::property(None).to_string(), "is missing");
    }

    #[test]
    fn a_header_is_described_by_its_type() {
        let table = |length| HeaderValue::Table(vec![(String::new(), HeaderValue::Void); length]);
        for (value, shown) in [
            (HeaderValue::Text(b"a b".to_vec()), "is \"a b\""),
            (HeaderValue::Bytes(b"a b".to_vec()), "is \"a b\""),
            (
                HeaderValue::Text(b"M\xfcller".to_vec()),
                "is \"M\u{fffd}ller\", which is not UTF-8 (4d fc 6c 6c 65 72)",
            ),
            (HeaderValue::U8(7), "is 7"),
            (HeaderValue::Boolean(false), "is false"),
            (HeaderValue::F64(1.5), "is the floating-point number 1.5"),
            (HeaderValue::Timestamp(7), "is the AMQP timestamp 7"),
            (
                HeaderValue::Decimal { scale: 2, value: 314 },
                "is the decimal 314 / 10^2",
            ),
            (HeaderValue::Array(vec![HeaderValue::Void]), "is an array of 1"),
            (table(3), "is a table of 3"),
            (HeaderValue::Void, "is void"),
        ] {
            let mut headers = Headers::default();
            headers.set("it", value);
            assert_eq!(Found::header(&headers, "it").to_string(), shown);
            assert_eq!(Found::header(&headers, "other").to_string(), "is missing");
        }
        let long = not_utf8(&[0xff; 100_000]);
        assert!(long.chars().count() < 200 && long.ends_with("ff …)"), "{long}");
    }
}
