//! The bytes that tell what happened: checked, and then left alone.

use std::fmt;

use bytes::Bytes;

/// An event's data: one JSON object in UTF-8, at most [`Data::MAX_BYTES`] long, kept exactly as it was written.
///
/// Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Bytes);

impl Data {
    /// The longest data. With the widest envelope around it the request body stays within the 102,400 bytes
    /// that receivers' frameworks take by default.
    pub const MAX_BYTES: usize = 101_888;

    /// Checks that `bytes` are one JSON object and keeps them as they are.
    ///
    /// The text is only read through, never parsed into a tree: no depth is too deep and no number is changed.
    ///
    /// # Errors
    /// [`InvalidData`] says what is wrong.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, InvalidData> {
        let bytes = bytes.into();
        if bytes.len() > Self::MAX_BYTES {
            return Err(InvalidData::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| InvalidData::NotUtf8)?;
        if text.starts_with('\u{feff}') {
            return Err(InvalidData::ByteOrderMark);
        }
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|fault| InvalidData::NotJson(fault.to_string()))?;
        if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
            return Err(InvalidData::NotAnObject);
        }
        Ok(Self(bytes))
    }

    /// The bytes, untouched.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes as the UTF-8 text that they were checked to be.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Payloads hold personal data, so only their length is ever printed.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.0.len())
    }
}

/// Why bytes are not an event's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidData {
    /// Longer than receivers take.
    #[error("data is {bytes} bytes long; at most {} are allowed", Data::MAX_BYTES)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("data is not UTF-8 text")]
    NotUtf8,
    /// Starts with U+FEFF, which JSON parsers refuse.
    #[error("data starts with a byte order mark; it must be UTF-8 without one")]
    ByteOrderMark,
    /// Not JSON; the text says where and why.
    #[error("data is not valid JSON: {0}")]
    NotJson(String),
    /// JSON, but an array, a string, a number, a boolean or null.
    #[error("data must be one JSON object, like {{\"booking\":…}}")]
    NotAnObject,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_one_json_object_and_stays_as_it_was_written() {
        for good in [
            "{}",
            " \n{ \"a\" : 1.0 , \"b\":1e3,\"c\":12345678901234567890 }\t",
            r#"{"\u00eb":"\ud800"}"#,
        ] {
            let data = Data::new(good.as_bytes().to_vec()).map(|data| data.as_bytes().to_vec());
            assert_eq!(data, Ok(good.as_bytes().to_vec()), "{good}");
        }
        for bad in [
            "",
            "   ",
            "[]",
            "1",
            "null",
            "\"{}\"",
            "{",
            "{}{}",
            "{a:1}",
            "{\"a\":01}",
            "\u{feff}{}",
            "{\"a\":NaN}",
            "\u{a0}{}",
        ] {
            assert!(Data::new(bad.as_bytes().to_vec()).is_err(), "{bad}");
        }
        assert_eq!(
            Data::new(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']),
            Err(InvalidData::NotUtf8)
        );
    }

    #[test]
    fn data_may_nest_as_deeply_as_its_length_allows() {
        let depth = (Data::MAX_BYTES - 6) / 2;
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Data::new(deep).is_ok());
    }

    #[test]
    fn data_is_allowed_up_to_its_longest_and_not_a_byte_more() {
        let of_length = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(Data::new(of_length(Data::MAX_BYTES)).is_ok());
        assert_eq!(
            Data::new(of_length(Data::MAX_BYTES + 1)),
            Err(InvalidData::TooLong { bytes: 101_889 })
        );
    }
}
