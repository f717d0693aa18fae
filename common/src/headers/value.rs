//! The value of one header, with the AMQP type that it came with.

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

/// How much room headers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// How many there are; what stands within them is not counted.
    pub entries: usize,
    /// Bytes of names and values, as AMQP writes them.
    pub bytes: usize,
    /// How many values there are, those included that stand within others.
    pub values: usize,
    /// How many arrays and tables stand inside one another: 0 where all are plain values.
    pub depth: usize,
}

/// The limits of a message. What is carried along with a delivery is published again with every retry, and our own headers
/// beside it, so it must stay well within the frame that the broker takes (131,072 bytes).
impl Extent {
    /// Headers of one message.
    pub const MAX_ENTRIES: usize = 64;
    /// Values in all, those included that stand within others: one of a byte becomes more than a hundred in the AMQP client's tree,
    /// and a window holds hundreds of messages, so the headers of one take no more memory than its body may.
    pub const MAX_VALUES: usize = 1024;
    /// All names and values together.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// Arrays and tables inside one another.
    pub const MAX_DEPTH: usize = 8;

    /// Whether a message may have headers of this extent.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self.entries <= Self::MAX_ENTRIES
            && self.values <= Self::MAX_VALUES
            && self.bytes <= Self::MAX_BYTES
            && self.depth <= Self::MAX_DEPTH
    }

    /// Both together.
    #[must_use]
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            values: self.values + other.values,
            bytes: self.bytes + other.bytes,
            depth: self.depth.max(other.depth),
        }
    }

    /// Adds a header, or a member of a table.
    pub(super) fn add(&mut self, name: &str, value: &HeaderValue, depth: usize) {
        self.entries += 1;
        self.bytes += 1 + name.len();
        self.add_value(value, depth);
    }

    /// Adds a value that stands within `depth` arrays and tables. Its members are counted in bytes and depth alone.
    fn add_value(&mut self, value: &HeaderValue, depth: usize) {
        /// The octet that says which type it is.
        const TYPE: usize = 1;
        /// What says how long it is, where that is not fixed.
        const LENGTH: usize = 4;
        self.values += 1;
        self.bytes += TYPE
            + match value {
                HeaderValue::Void => 0,
                HeaderValue::Boolean(_) | HeaderValue::I8(_) | HeaderValue::U8(_) => 1,
                HeaderValue::I16(_) | HeaderValue::U16(_) => 2,
                HeaderValue::I32(_) | HeaderValue::U32(_) | HeaderValue::F32(_) => 4,
                HeaderValue::Decimal { .. } => 5,
                HeaderValue::I64(_) | HeaderValue::F64(_) | HeaderValue::Timestamp(_) => 8,
                HeaderValue::ShortText(text) => 1 + text.len(),
                HeaderValue::Text(bytes) | HeaderValue::Bytes(bytes) => LENGTH + bytes.len(),
                HeaderValue::Array(_) | HeaderValue::Table(_) => LENGTH,
            };
        match value {
            HeaderValue::Array(values) => {
                self.depth = self.depth.max(depth + 1);
                for value in values {
                    self.add_value(value, depth + 1);
                }
            }
            HeaderValue::Table(entries) => {
                self.depth = self.depth.max(depth + 1);
                for (name, value) in entries {
                    self.bytes += 1 + name.len();
                    self.add_value(value, depth + 1);
                }
            }
            _ => {}
        }
    }
}

impl HeaderValue {
    /// The number, whatever AMQP integer type it has.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        Some(match self {
            Self::I8(number) => i64::from(*number),
            Self::U8(number) => i64::from(*number),
            Self::I16(number) => i64::from(*number),
            Self::U16(number) => i64::from(*number),
            Self::I32(number) => i64::from(*number),
            Self::U32(number) => i64::from(*number),
            Self::I64(number) => *number,
            _ => return None,
        })
    }

    /// The bytes, where it is a text or a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::ShortText(text) => Some(text.as_bytes()),
            Self::Text(bytes) | Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
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
