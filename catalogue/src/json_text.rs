//! A JSON text with its members in the order in which somebody wrote them, which is how people read it.

use std::fmt;

use hookline_common::json_limits::{JsonFault, JsonLimits};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A valid JSON text without whitespace between its tokens; members keep their order, and numbers and strings their
/// spelling.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// Checks `text` against `limits` and leaves out its whitespace.
    ///
    /// # Errors
    /// [`JsonFault`] says what is wrong.
    pub(crate) fn parse(text: &str, limits: &JsonLimits) -> Result<Self, JsonFault> {
        let text = limits.check(text.as_bytes())?;
        let mut compact = String::with_capacity(text.len());
        compact.extend(
            characters(text)
                .filter(|(c, in_string)| *in_string || !c.is_ascii_whitespace())
                .map(|(c, _)| c),
        );
        Ok(Self(compact.into()))
    }

    /// The text on one line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text over several lines, two spaces for each level; a list or an object without further ones within stays on one
    /// line where it is short.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut pretty = String::with_capacity(self.0.len() * 2);
        let mut depth = 0;
        let mut inline_until = 0;
        let mut rest = self.0.len();
        for (c, in_string) in characters(&self.0) {
            let at = self.0.len() - rest;
            rest -= c.len_utf8();
            let is_inline = at < inline_until;
            match c {
                _ if in_string => pretty.push(c),
                '{' | '[' if !is_inline => match short_end(&self.0, at) {
                    Some(end) => {
                        inline_until = end;
                        pretty.push(c);
                    }
                    None => {
                        depth += 1;
                        pretty.push(c);
                        new_line(&mut pretty, depth);
                    }
                },
                '}' | ']' if !is_inline => {
                    depth -= 1;
                    new_line(&mut pretty, depth);
                    pretty.push(c);
                }
                ',' if is_inline => pretty.push_str(", "),
                ',' => {
                    pretty.push(c);
                    new_line(&mut pretty, depth);
                }
                ':' => pretty.push_str(": "),
                c => pretty.push(c),
            }
        }
        pretty
    }
}

/// What still reads well on one line.
const SHORT: usize = 90;

/// Where the object or list that begins at `start` ends, if it is short and holds no other.
fn short_end(text: &str, start: usize) -> Option<usize> {
    let inner = text.get(start + 1..)?;
    let mut at = start + 1;
    for (c, in_string) in characters(inner) {
        at += c.len_utf8();
        match c {
            _ if at - start > SHORT => return None,
            '{' | '[' if !in_string => return None,
            '}' | ']' if !in_string => return Some(at),
            _ => {}
        }
    }
    None
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

/// The characters of a JSON text that begins outside of a string, each with whether it belongs to one; its quotes do.
fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut in_string, mut is_escaped) = (false, false);
    text.chars().map(move |c| {
        let was_in_string = in_string;
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_string => is_escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        (c, was_in_string || in_string)
    })
}

impl fmt::Display for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As the JSON value that it is, not as a string.
impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn text(json: &str) -> JsonText {
        JsonText::parse(json, &JsonLimits::of_bytes(10_000)).unwrap()
    }

    #[test]
    fn only_whitespace_between_tokens_is_left_out() {
        let json = text(" { \"z \\\" \" : 1.0 ,\n\t\"a\" : [ 1e3 , { } ] , \"\\u00eb\" : \" x \" }\n");
        assert_eq!(json.as_str(), r#"{"z \" ":1.0,"a":[1e3,{}],"\u00eb":" x "}"#);
        assert_eq!(
            serde_json::to_string(&[&json]).unwrap(),
            format!("[{}]", json.as_str())
        );
        assert_eq!(
            json.pretty(),
            "{\n  \"z \\\" \": 1.0,\n  \"a\": [\n    1e3,\n    {}\n  ],\n  \"\\u00eb\": \" x \"\n}"
        );
    }

    #[test]
    fn short_lists_and_objects_stay_on_one_line() {
        let json = text(r#"{"a":{"b":1,"c":"}"},"d":[1,2]}"#);
        assert_eq!(
            json.pretty(),
            "{\n  \"a\": {\"b\": 1, \"c\": \"}\"},\n  \"d\": [1, 2]\n}"
        );
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(Value::from),
            "[ \\[\\]{}\":,\\\\é]{0,70}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 30, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[ \"{,:\\\\]{0,3}", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_spellings_mean_the_same(value in json()) {
            let json = JsonText::parse(&format!("{value:#}"), &JsonLimits::of_bytes(1 << 20)).unwrap();
            prop_assert_eq!(json.as_str(), value.to_string());
            let pretty: Value = serde_json::from_str(&json.pretty()).unwrap();
            prop_assert_eq!(pretty, value);
        }
    }
}
