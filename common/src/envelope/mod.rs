//! The request body: an event's data as it came, with what the endpoint's format writes around it.

use std::fmt;
use std::io::Write as _;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer as _, IgnoredAny, MapAccess, Visitor};

use crate::endpoint::Format;
use crate::event::Event;

/// The member that meetergo's flat format adds to data's own.
const FLAT_NAME: &str = "webhookType";

/// What stands before data takes no more than this, unless names are unusually long: names of members, an id, a type and a time.
const USUAL_HEAD: usize = 192;

/// The body of every attempt to send `event` in `format`: the same bytes each time, data untouched among
/// them.
///
/// Nothing is escaped, because ids, types and times have no character that JSON escapes.
#[must_use]
pub fn body(format: Format, event: &Event) -> Bytes {
    let own_name = format.own_name(&event.event_type);
    let (id, at, data) = (&event.id, &event.created_at, event.data.as_str());
    match format {
        Format::Meeva => wrap(
            format_args!(r#"{{"id":"{id}","type":"{own_name}","createdAt":"{at}","data":"#),
            data,
        ),
        Format::Meetergo => wrap(format_args!(r#"{{"event":"{own_name}","data":"#), data),
        Format::MeetergoFlat => flat(&own_name, data),
        Format::Standard => wrap(
            format_args!(r#"{{"type":"{own_name}","timestamp":"{at}","data":"#),
            data,
        ),
    }
}

fn wrap(head: fmt::Arguments<'_>, data: &str) -> Bytes {
    let mut body = Vec::with_capacity(USUAL_HEAD + data.len() + 1);
    // Writing to memory does not fail.
    drop(body.write_fmt(head));
    body.extend_from_slice(data.as_bytes());
    body.push(b'}');
    body.into()
}

/// Puts our member among those of data's object, whose bytes between the braces stay as they are. It stands
/// first, or last where data has one of the same name: parsers take the last.
fn flat(own_name: &str, data: &str) -> Bytes {
    let members = data.trim_ascii();
    let members = members.strip_prefix('{').unwrap_or(members);
    let members = members.strip_suffix('}').unwrap_or(members);
    let comma = if members.trim_ascii().is_empty() { "" } else { "," };
    if has_member(data, FLAT_NAME) {
        format!(r#"{{{members}{comma}"{FLAT_NAME}":"{own_name}"}}"#).into()
    } else {
        format!(r#"{{"{FLAT_NAME}":"{own_name}"{comma}{members}}}"#).into()
    }
}

/// Whether the object's own members include one called `name`, however its letters are escaped.
fn has_member(data: &str, name: &'static str) -> bool {
    // Most data can be told by a plain search, without reading it through as JSON.
    if !data.contains(name) && !data.contains("\\u") {
        return false;
    }
    let mut json = serde_json::Deserializer::from_str(data);
    json.deserialize_map(HasMember(name)).unwrap_or(false)
}

struct HasMember(&'static str);

impl<'de> Visitor<'de> for HasMember {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some((name, _)) = members.next_entry::<Name, IgnoredAny>()? {
            found |= name.0 == self.0.as_bytes();
        }
        Ok(found)
    }
}

/// A member's name with its escapes resolved, as bytes, because half a surrogate pair is allowed in JSON
/// and is no text.
struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_bytes<E: serde::de::Error>(self, name: &[u8]) -> Result<Name, E> {
                Ok(Name(name.to_vec()))
            }
        }
        deserializer.deserialize_bytes(NameVisitor)
    }
}

#[cfg(test)]
mod tests;
