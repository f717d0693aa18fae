//! A message as the broker carries it, without the client library's types: what `message.rs` reads and writes.

use std::collections::BTreeMap;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

/// Properties, headers and body of one message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// MIME type of the body.
    pub content_type: Option<String>,
    /// Encoding of the body (`zstd`), if any.
    pub content_encoding: Option<String>,
    /// The `message_id` property.
    pub message_id: Option<String>,
    /// The `type` property.
    pub message_type: Option<String>,
    /// The `timestamp` property: seconds since the epoch.
    pub timestamp: Option<u64>,
    /// Application headers.
    pub headers: Headers,
    /// The payload; clones share it.
    pub body: Bytes,
}

impl Message {
    /// What a consumer received. Properties that mean nothing here (priority, reply-to …) are left behind, and so
    /// are `expiration` and `user_id`: they would expire or refuse the message where it is published again.
    pub(super) fn from_broker(properties: &BasicProperties, body: Vec<u8>) -> Self {
        let text = |field: &Option<ShortString>| field.as_ref().map(|text| text.as_str().to_owned());
        Self {
            content_type: text(properties.content_type()),
            content_encoding: text(properties.content_encoding()),
            message_id: text(properties.message_id()),
            message_type: text(properties.kind()),
            timestamp: *properties.timestamp(),
            headers: Headers(
                properties
                    .headers()
                    .as_ref()
                    .map(|table| table.inner().clone())
                    .unwrap_or_default(),
            ),
            body: Bytes::from(body),
        }
    }

    /// The properties to publish with: persistent always.
    pub(super) fn to_properties(&self) -> BasicProperties {
        let mut properties = BasicProperties::default().with_delivery_mode(2);
        if let Some(text) = short(self.content_type.as_deref()) {
            properties = properties.with_content_type(text);
        }
        if let Some(text) = short(self.content_encoding.as_deref()) {
            properties = properties.with_content_encoding(text);
        }
        if let Some(text) = short(self.message_id.as_deref()) {
            properties = properties.with_message_id(text);
        }
        if let Some(text) = short(self.message_type.as_deref()) {
            properties = properties.with_type(text);
        }
        if let Some(seconds) = self.timestamp {
            properties = properties.with_timestamp(seconds);
        }
        if !self.headers.0.is_empty() {
            properties = properties.with_headers(FieldTable::from(self.headers.0.clone()));
        }
        properties
    }
}

/// AMQP short strings hold at most 255 bytes; what came from the broker always fits.
fn short(text: Option<&str>) -> Option<ShortString> {
    text.and_then(|text| ShortString::try_new(text).ok())
}

/// Application headers, each with the AMQP type that it came with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers(BTreeMap<ShortString, AMQPValue>);

/// A header that is there, but not of the type that its reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

impl Headers {
    /// The header as UTF-8 text, or `None` where it is absent.
    ///
    /// # Errors
    /// [`WrongType`] when it is there and is not UTF-8 text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.0.get(name) {
            None => Ok(None),
            Some(AMQPValue::LongString(text)) => std::str::from_utf8(text.as_bytes())
                .map(Some)
                .map_err(|_| WrongType),
            Some(AMQPValue::ShortString(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(WrongType),
        }
    }

    /// The header as an integer, whatever AMQP integer type it has, or `None` where it is absent.
    ///
    /// # Errors
    /// [`WrongType`] when it is there and is no integer.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, WrongType> {
        let number = match self.0.get(name) {
            None => return Ok(None),
            Some(AMQPValue::ShortShortInt(n)) => i64::from(*n),
            Some(AMQPValue::ShortShortUInt(n)) => i64::from(*n),
            Some(AMQPValue::ShortInt(n)) => i64::from(*n),
            Some(AMQPValue::ShortUInt(n)) => i64::from(*n),
            Some(AMQPValue::LongInt(n)) => i64::from(*n),
            Some(AMQPValue::LongUInt(n)) => i64::from(*n),
            Some(AMQPValue::LongLongInt(n)) => *n,
            Some(_) => return Err(WrongType),
        };
        Ok(Some(number))
    }

    /// Hashes every header but those that the broker adds on the way (`x-*`).
    pub fn hash_of_others(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash as _;

        for (name, value) in self.0.iter().filter(|(name, _)| !name.as_str().starts_with("x-")) {
            name.as_str().hash(hasher);
            match value {
                AMQPValue::LongString(text) => text.as_bytes().hash(hasher),
                AMQPValue::ShortString(text) => text.as_str().hash(hasher),
                AMQPValue::LongLongInt(number) => number.hash(hasher),
                // Rare in messages of ours, and of any shape in those of others.
                other => format!("{other:?}").hash(hasher),
            }
        }
    }

    /// Sets a text header.
    pub fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, AMQPValue::LongString(value.into()));
    }

    /// Sets an integer header.
    pub fn set_integer(&mut self, name: &str, value: i64) {
        self.set(name, AMQPValue::LongLongInt(value));
    }

    /// A header name longer than AMQP allows cannot come from the broker and is none of ours.
    fn set(&mut self, name: &str, value: AMQPValue) {
        if let Ok(name) = ShortString::try_new(name) {
            self.0.insert(name, value);
        }
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(ShortString::as_str)
    }

    /// These headers without those that `is_dropped` names, and without what must never be published again:
    /// the broker's own `x-*` (a message that carries them into a delay queue can be taken for a cycle and stay
    /// there), and `CC`/`BCC`, by which a publisher could have us route copies into any queue.
    #[must_use]
    pub fn without(&self, is_dropped: impl Fn(&str) -> bool) -> Self {
        let stays =
            |name: &str| !name.starts_with("x-") && name != "CC" && name != "BCC" && !is_dropped(name);
        let kept = self.0.iter().filter(|(name, _)| stays(name.as_str()));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn any_integer_type_is_an_integer() {
        for value in [
            AMQPValue::ShortShortInt(3),
            AMQPValue::ShortShortUInt(3),
            AMQPValue::ShortInt(3),
            AMQPValue::ShortUInt(3),
            AMQPValue::LongInt(3),
            AMQPValue::LongUInt(3),
            AMQPValue::LongLongInt(3),
        ] {
            let mut headers = Headers::default();
            headers.set("attempt", value);
            assert_eq!(headers.integer("attempt"), Ok(Some(3)));
            assert_eq!(headers.text("attempt"), Err(WrongType));
        }
    }

    #[test]
    fn text_must_be_utf8() {
        let mut headers = Headers::default();
        headers.set("company", AMQPValue::LongString(vec![0xff].into()));
        assert_eq!(headers.text("company"), Err(WrongType));
        assert_eq!(headers.text("absent"), Ok(None));
    }

    #[test]
    fn what_the_broker_made_and_what_would_route_copies_is_not_published_again() {
        let mut headers = Headers::default();
        for name in [
            "x-death",
            "x-delivery-count",
            "CC",
            "BCC",
            "ordering-key",
            "attempt",
        ] {
            headers.set_text(name, "v");
        }
        let kept = headers.without(|name| name == "attempt");
        assert_eq!(kept.names().collect::<Vec<_>>(), ["ordering-key"]);
    }

    #[test]
    fn properties_survive_the_way_out_and_back() {
        let mut message = Message {
            content_type: Some("application/json".into()),
            content_encoding: Some("zstd".into()),
            message_id: Some("evt_1".into()),
            message_type: Some("booking.created".into()),
            timestamp: Some(1_700_000_000),
            body: Bytes::from_static(b"{}"),
            ..Message::default()
        };
        message.headers.set_text("company", "acme");
        let properties = message.to_properties();
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(Message::from_broker(&properties, b"{}".to_vec()), message);
    }
}
