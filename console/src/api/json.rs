//! JSON that was kept as text, handed on as it is: parsed and written anew, numbers, order and spelling would change.

use serde_json::value::RawValue;

/// The text as a part of an answer; none where it is no JSON.
pub(crate) fn raw(text: impl Into<Vec<u8>>) -> Option<Box<RawValue>> {
    let text = String::from_utf8(text.into()).ok()?;
    RawValue::from_string(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_json_stays_and_nothing_else_gets_in() {
        for text in ["{ \"b\": 1.0,\t\"a\":1e400, \"b\" : \"\\u00eb\" }", "{\n}"] {
            assert_eq!(raw(text).unwrap().get(), text);
        }
        for bad in [&b""[..], b"{", b"{} {}", b"\xff{}", b"{\"a\":\"\xff\"}"] {
            assert!(raw(bad).is_none(), "{bad:?}");
        }
    }
}
