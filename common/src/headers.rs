//! Application headers of a message, each with the AMQP type that it came with. Pure: `broker/wire.rs` carries them.

use std::hash::{Hash, Hasher};

/// The value of one header. The types are AMQP's, so that a header that is not ours is passed on as it came.
#[derive(Debug, Clone, PartialEq)]
pub enum HeaderValue {
    /// `t`
    Boolean(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s`
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l`
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`
    Decimal {
        /// Digits behind the point.
        scale: u8,
        /// All digits.
        value: u32,
    },
    /// `S` of at most 255 bytes, as some clients of old wrote it.
    ShortText(String),
    /// `S`: bytes that are text if they are UTF-8.
    Text(Vec<u8>),
    /// `A`
    Array(Vec<HeaderValue>),
    /// `T`: seconds since the epoch.
    Timestamp(u64),
    /// `F`
    Table(Vec<(String, HeaderValue)>),
    /// `x`
    Bytes(Vec<u8>),
    /// `V`
    Void,
}

impl Hash for HeaderValue {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        std::mem::discriminant(self).hash(hasher);
        match self {
            Self::Boolean(value) => value.hash(hasher),
            Self::I8(number) => number.hash(hasher),
            Self::U8(number) => number.hash(hasher),
            Self::I16(number) => number.hash(hasher),
            Self::U16(number) => number.hash(hasher),
            Self::I32(number) => number.hash(hasher),
            Self::U32(number) => number.hash(hasher),
            Self::I64(number) => number.hash(hasher),
            Self::F32(number) => number.to_bits().hash(hasher),
            Self::F64(number) => number.to_bits().hash(hasher),
            Self::Decimal { scale, value } => (scale, value).hash(hasher),
            Self::ShortText(text) => text.hash(hasher),
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.hash(hasher),
            Self::Array(values) => values.hash(hasher),
            Self::Timestamp(seconds) => seconds.hash(hasher),
            Self::Table(entries) => entries.hash(hasher),
            Self::Void => {}
        }
    }
}

/// The headers of one message, in the order of their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers(Vec<(String, HeaderValue)>);

/// A header that is there, but not of the type that its reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

impl Headers {
    /// The header as UTF-8 text, or `None` where it is absent.
    ///
    /// # Errors
    /// [`WrongType`] when it is there and is not UTF-8 text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.get(name) {
            None => Ok(None),
            Some(HeaderValue::Text(text)) => std::str::from_utf8(text).map(Some).map_err(|_| WrongType),
            Some(HeaderValue::ShortText(text)) => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    /// The header as an integer, whatever AMQP integer type it has, or `None` where it is absent.
    ///
    /// # Errors
    /// [`WrongType`] when it is there and is no integer.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, WrongType> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(HeaderValue::I8(number)) => i64::from(*number),
            Some(HeaderValue::U8(number)) => i64::from(*number),
            Some(HeaderValue::I16(number)) => i64::from(*number),
            Some(HeaderValue::U16(number)) => i64::from(*number),
            Some(HeaderValue::I32(number)) => i64::from(*number),
            Some(HeaderValue::U32(number)) => i64::from(*number),
            Some(HeaderValue::I64(number)) => *number,
            Some(_) => return Err(WrongType),
        };
        Ok(Some(number))
    }

    /// Hashes every header but those that the broker adds on the way (`x-*`).
    pub fn hash_of_others(&self, hasher: &mut impl Hasher) {
        for entry in self.0.iter().filter(|(name, _)| !name.starts_with("x-")) {
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

    fn set(&mut self, name: &str, value: HeaderValue) {
        match self.position(name) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (name.to_owned(), value)),
        }
    }

    fn get(&self, name: &str) -> Option<&HeaderValue> {
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

    /// Bytes of all names and values, by and large.
    #[must_use]
    pub fn size(&self) -> usize {
        entries_size(&self.0)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// These headers without those that `is_dropped` names, and without what must never be published again:
    /// the broker's own `x-*` (a message that carries them into a delay queue can be taken for a cycle and stay
    /// there), and `CC`/`BCC`, by which a publisher could have us route copies into any queue.
    #[must_use]
    pub fn without(&self, is_dropped: impl Fn(&str) -> bool) -> Self {
        let stays =
            |name: &str| !name.starts_with("x-") && name != "CC" && name != "BCC" && !is_dropped(name);
        let kept = self.0.iter().filter(|(name, _)| stays(name));
        Self(kept.cloned().collect())
    }
}

fn entries_size(entries: &[(String, HeaderValue)]) -> usize {
    entries
        .iter()
        .map(|(name, value)| name.len() + value.size())
        .sum()
}

impl HeaderValue {
    fn size(&self) -> usize {
        match self {
            Self::ShortText(text) => text.len(),
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.len(),
            Self::Array(values) => values.iter().map(Self::size).sum(),
            Self::Table(entries) => entries_size(entries),
            // At most eight bytes and what says of which type they are.
            _ => 9,
        }
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
    fn text_must_be_utf8() {
        let mut headers = Headers::default();
        headers.set("company", HeaderValue::Text(vec![0xff]));
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
}
