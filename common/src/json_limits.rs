//! How large and how deep a JSON text may be that is about to be parsed into a tree: judged without building one.

use serde::de::IgnoredAny;

/// What a JSON text may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Its length in bytes.
    pub max_bytes: usize,
    /// Objects and lists within each other; `{}` is one deep, `{"a":[]}` two.
    pub max_depth: usize,
}

impl JsonLimits {
    /// The deepest that people write by far, and half of what `serde_json` parses before it refuses by itself: whatever passes
    /// is parsed, and costs no more of the stack than that.
    pub const MAX_DEPTH: usize = 64;

    /// Limits with this length and the usual depth.
    #[must_use]
    pub const fn of_bytes(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            max_depth: Self::MAX_DEPTH,
        }
    }

    /// Checks that `bytes` are one JSON text within these limits, and gives the text back. Takes time in proportion to the
    /// length, and no memory.
    ///
    /// # Errors
    /// [`JsonFault`] says which limit is exceeded, or where the text is no JSON.
    pub fn check<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, JsonFault> {
        if bytes.len() > self.max_bytes {
            return Err(JsonFault::TooLong {
                bytes: bytes.len(),
                max_bytes: self.max_bytes,
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
        if is_deeper(text, self.max_depth) {
            return Err(JsonFault::TooDeep {
                max_depth: self.max_depth,
            });
        }
        serde_json::from_str::<IgnoredAny>(text).map_err(|fault| JsonFault::NotJson(fault.to_string()))?;
        Ok(text)
    }
}

/// Whether more than `max` brackets are open at once anywhere outside of strings.
fn is_deeper(text: &str, max: usize) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Why a JSON text is not taken. The texts hold nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Longer than allowed.
    #[error("the JSON is {bytes} bytes long; at most {max_bytes} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max_bytes: usize,
    },
    /// More objects and lists within each other than allowed.
    #[error("the JSON has objects and lists nested more than {max_depth} deep; make it flatter")]
    TooDeep {
        /// How deep it may be.
        max_depth: usize,
    },
    /// Not UTF-8.
    #[error("the JSON is not UTF-8 text")]
    NotUtf8,
    /// Not one JSON text; says where and why.
    #[error("this is not valid JSON: {0}")]
    NotJson(String),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn depth_of(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or_default(),
            Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or_default(),
            _ => 0,
        }
    }

    fn of_depth(max_depth: usize) -> JsonLimits {
        JsonLimits {
            max_bytes: 1 << 20,
            max_depth,
        }
    }

    #[test]
    fn both_limits_are_reached_and_not_passed() {
        let limits = JsonLimits::of_bytes(200);
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(limits.check(nested(64).as_bytes()).is_ok());
        assert_eq!(
            limits.check(nested(65).as_bytes()),
            Err(JsonFault::TooDeep { max_depth: 64 })
        );
        let long = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert!(limits.check(long(200).as_bytes()).is_ok());
        assert_eq!(
            limits.check(long(201).as_bytes()),
            Err(JsonFault::TooLong {
                bytes: 201,
                max_bytes: 200
            })
        );
        assert_eq!(limits.check(&[b'"', 0xff, b'"']), Err(JsonFault::NotUtf8));
        // Deeper than any parser's stack: the depth is told before anybody parses.
        let bottomless = "{\"a\":".repeat(200_000);
        let fault = JsonLimits::of_bytes(2 << 20).check(bottomless.as_bytes());
        assert_eq!(fault, Err(JsonFault::TooDeep { max_depth: 64 }));
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        for text in [r#"{"[[[":"{{{"}"#, r#"["\"[[","\\",""]"#, r#"["\\\"[",1]"#] {
            assert!(of_depth(1).check(text.as_bytes()).is_ok(), "{text}");
        }
        assert!(of_depth(1).check(br#"["\\",[]]"#).is_err());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), "[\\[\\]{}\"\\\\a]{0,6}".prop_map(Value::from)];
        leaf.prop_recursive(8, 40, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map("[\\[\"{\\\\]{0,3}", inner, 0..3)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_depth_is_that_of_the_tree(value in json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let depth = depth_of(&value);
            prop_assert!(of_depth(depth).check(text.as_bytes()).is_ok());
            if depth > 0 {
                let fault = of_depth(depth - 1).check(text.as_bytes());
                prop_assert_eq!(fault, Err(JsonFault::TooDeep { max_depth: depth - 1 }));
            }
        }

        #[test]
        fn what_passes_is_what_a_parser_takes(text in "[\\[\\]{}\",:0-9a\\\\ ]{0,12}") {
            let parsed = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(of_depth(64).check(text.as_bytes()).is_ok(), parsed);
        }
    }
}
