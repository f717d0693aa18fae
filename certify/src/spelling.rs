//! The same JSON, written otherwise: what a receiver has in hand that parses a body and writes it again. Pure.

use serde_json::Value;

/// A body as JavaScript writes it again: no blank, in the order in which it came, letters as they are.
pub(crate) fn compact(json: &str) -> Option<String> {
    rewritten(json, ",", ":", false)
}

/// A body as Python writes it again: a blank behind commas and colons, and no letter beyond ASCII.
pub(crate) fn spaced(json: &str) -> Option<String> {
    rewritten(json, ", ", ": ", true)
}

/// A body as Go and Rust write it again from a map: without blanks, its members by name.
pub(crate) fn sorted(json: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    Some(value.to_string())
}

/// Written token by token, so that the order stays. None where it is no JSON.
fn rewritten(json: &str, comma: &str, colon: &str, is_ascii: bool) -> Option<String> {
    let mut out = String::with_capacity(json.len() * 2);
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        if c != '"' {
            match c {
                ',' => out.push_str(comma),
                ':' => out.push_str(colon),
                c if c.is_ascii_whitespace() => {}
                c => out.push(c),
            }
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let end = string_end(rest)?;
        let text: String = serde_json::from_str(&rest[..end]).ok()?;
        let written = serde_json::to_string(&text).ok()?;
        if is_ascii {
            written.chars().for_each(|c| push_ascii(&mut out, c));
        } else {
            out.push_str(&written);
        }
        rest = &rest[end..];
    }
    Some(out)
}

/// Where the string ends that `text` begins with.
fn string_end(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return Some(at + 1),
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    None
}

fn push_ascii(out: &mut String, c: char) {
    if c.is_ascii() {
        return out.push(c);
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "{ \"z\" : \"Zo\\u00eb \\/ \u{1f389}\\\"\",\n \"a\":[1.0, {}] }";

    #[test]
    fn each_is_what_that_language_writes() {
        assert_eq!(
            compact(BODY).as_deref(),
            Some("{\"z\":\"Zoë / 🎉\\\"\",\"a\":[1.0,{}]}")
        );
        assert_eq!(
            spaced(BODY).as_deref(),
            Some("{\"z\": \"Zo\\u00eb / \\ud83c\\udf89\\\"\", \"a\": [1.0, {}]}")
        );
        assert_eq!(
            sorted(BODY).as_deref(),
            Some("{\"a\":[1.0,{}],\"z\":\"Zoë / 🎉\\\"\"}")
        );
    }

    #[test]
    fn what_is_no_json_is_no_panic() {
        for text in ["\"", "\"\\", "{\"a", "\"\\q\""] {
            assert_eq!(compact(text), None, "{text}");
        }
        assert_eq!(sorted("{"), None);
    }
}
