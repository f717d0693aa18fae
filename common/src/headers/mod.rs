//! Application headers of a message, each with the AMQP type that it came with. Pure: `broker/wire.rs` carries them.

pub(crate) mod left_out; // a value that was too long
mod of_broker; // which of them are the broker's
mod stored; // all of them as bytes
mod value; // what one of them holds

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

pub use self::stored::UnreadableHeaders;
pub use self::value::{Extent, HeaderValue};

/// The headers of one message, in the order of their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers(Vec<(String, HeaderValue)>);

/// A header that is there, but not of the type that its reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

impl Headers {
    /// The name under which stands what could not be read of the headers, or is missing from there on.
    pub const UNREAD: &str = "unread-headers";

    /// The header as UTF-8 text, or `None` where it is absent. Clients that know texts and byte strings apart write either.
    ///
    /// # Errors
    /// [`WrongType`] when it is there and is not UTF-8 text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.map(Some).ok_or(WrongType)
    }

    /// As [`Headers::text`]; a whole number is text too, in decimal digits.
    ///
    /// # Errors
    /// [`WrongType`] when it is there and is neither.
    pub fn text_or_integer(&self, name: &str) -> Result<Option<Cow<'_, str>>, WrongType> {
        match self.get(name).and_then(HeaderValue::as_integer) {
            Some(number) => Ok(Some(number.to_string().into())),
            None => Ok(self.text(name)?.map(Cow::Borrowed)),
        }
    }

    /// The header as an integer, whatever AMQP integer type it has, or `None` where it is absent.
    ///
    /// # Errors
    /// [`WrongType`] when it is there and is no integer.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, WrongType> {
        let value = self.get(name);
        value.map(|value| value.as_integer().ok_or(WrongType)).transpose()
    }

    /// Hashes every header but the broker's own, which it adds on the way.
    pub fn hash_of_others(&self, hasher: &mut impl Hasher) {
        for entry in self.0.iter().filter(|(name, _)| !Self::is_of_broker(name)) {
            entry.hash(hasher);
        }
    }

    /// Sets a text header.
    pub fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, HeaderValue::Text(value.as_bytes().to_vec()));
    }

    /// Sets an integer header.
    pub fn set_integer(&mut self, name: &str, value: i64) {
        self.set(name, HeaderValue::I64(value));
    }

    /// Sets a header.
    pub fn set(&mut self, name: &str, value: HeaderValue) {
        match self.position(name) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (name.to_owned(), value)),
        }
    }

    /// The header as it came.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.position(name).ok().map(|index| &self.0[index].1)
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(key, _)| key.as_str().cmp(name))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much room those take whose names count.
    #[must_use]
    pub fn extent(&self, counts: impl Fn(&str) -> bool) -> Extent {
        let mut extent = Extent::default();
        for (name, value) in self.0.iter().filter(|(name, _)| counts(name)) {
            extent.add(name, value, 0);
        }
        extent
    }

    /// How much room one header takes.
    #[must_use]
    pub fn extent_of(name: &str, value: &HeaderValue) -> Extent {
        let mut extent = Extent::default();
        extent.add(name, value, 0);
        extent
    }

    /// Bytes of all names and values, as AMQP writes them.
    #[must_use]
    pub fn size(&self) -> usize {
        self.extent(|_| true).bytes
    }

    /// Keeps those headers that `stays` says.
    pub fn retain(&mut self, mut stays: impl FnMut(&str, &HeaderValue) -> bool) {
        self.0.retain(|(name, value)| stays(name, value));
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// These headers without those that `is_dropped` names, and without what must never be published again.
    #[must_use]
    pub fn without(&self, is_dropped: impl Fn(&str) -> bool) -> Self {
        let stays = |name: &str| !Self::is_steering(name) && !is_dropped(name);
        let kept = self.0.iter().filter(|(name, _)| stays(name));
        Self(kept.cloned().collect())
    }
}

impl FromIterator<(String, HeaderValue)> for Headers {
    /// Of several entries of one name, one is kept.
    fn from_iter<I: IntoIterator<Item = (String, HeaderValue)>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        entries.dedup_by(|(left, _), (right, _)| left == right);
        Self(entries)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn any_integer_type_is_an_integer() {
        for value in [
            HeaderValue::I8(3),
            HeaderValue::U8(3),
            HeaderValue::I16(3),
            HeaderValue::U16(3),
            HeaderValue::I32(3),
            HeaderValue::U32(3),
            HeaderValue::I64(3),
        ] {
            let mut headers = Headers::default();
            headers.set("attempt", value);
            assert_eq!(headers.integer("attempt"), Ok(Some(3)));
            assert_eq!(headers.text("attempt"), Err(WrongType));
        }
    }

    #[test]
    fn text_must_be_utf8_and_may_be_a_byte_string() {
        let mut headers = Headers::default();
        for value in [
            HeaderValue::Text(vec![0xff]),
            HeaderValue::Bytes(vec![0xff]),
            HeaderValue::Void,
        ] {
            headers.set("company", value);
            assert_eq!(headers.text("company"), Err(WrongType));
            assert_eq!(headers.text_or_integer("company"), Err(WrongType));
        }
        headers.set("company", HeaderValue::Bytes(b"acme".to_vec()));
        assert_eq!(headers.text("company"), Ok(Some("acme")));
        assert_eq!(headers.text("absent"), Ok(None));
        assert_eq!(headers.text_or_integer("absent"), Ok(None));
    }

    /// Against the bytes that the client library writes stands a test beside `broker/wire.rs`.
    #[test]
    fn the_extent_is_that_of_the_headers_that_count() {
        let inner = HeaderValue::Table(vec![("b".into(), HeaderValue::Void)]);
        let headers: Headers = [
            (
                "a".to_owned(),
                HeaderValue::Array(vec![inner, HeaderValue::I8(1)]),
            ),
            ("c".to_owned(), HeaderValue::Boolean(true)),
        ]
        .into_iter()
        .collect();
        let all = Extent {
            entries: 2,
            values: 5,
            bytes: (2 + 5 + 5 + 3 + 2) + (2 + 2),
            depth: 2,
        };
        assert_eq!(headers.extent(|_| true), all);
        let one = Extent {
            entries: 1,
            values: 1,
            bytes: 4,
            depth: 0,
        };
        assert_eq!(headers.extent(|name| name == "c"), one);
        assert_eq!(Headers::default().extent(|_| true), Extent::default());
    }

    #[test]
    fn what_the_broker_made_and_what_would_route_copies_is_not_published_again() {
        let mut headers = Headers::default();
        for name in [
            "x-death",
            "x-delivery-count",
            "x-request-id",
            "CC",
            "BCC",
            "ordering-key",
            "attempt",
        ] {
            headers.set_text(name, "v");
        }
        let kept = headers.without(|name| name == "attempt");
        assert_eq!(kept.names().collect::<Vec<_>>(), ["ordering-key", "x-request-id"]);
    }

    #[test]
    fn two_messages_are_told_apart_by_all_headers_but_the_brokers() {
        let hash = |name: &str, value: &str| {
            let mut headers = Headers::default();
            headers.set_text("company", "acme");
            headers.set_text(name, value);
            let mut hasher = DefaultHasher::new();
            headers.hash_of_others(&mut hasher);
            hasher.finish()
        };
        for name in ["x-delivery-count", "x-acquired-count", "x-death", "x-opt-theirs"] {
            assert_eq!(hash(name, "1"), hash(name, "2"), "{name}");
        }
        for name in ["x-request-id", "ordering-key", "CC"] {
            assert_ne!(hash(name, "1"), hash(name, "2"), "{name}");
        }
    }
}
