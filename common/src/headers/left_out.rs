//! What stands in place of a header's value that was too long to be taken in: a byte string that says how long it was.
//!
//! Anybody may write such bytes, so nothing is sized by what they say. A message with such a value is judged as one whose headers are
//! too large, and the value is never published again.

use super::HeaderValue;

/// The bytes begin with this; the length follows in four octets, and then up to [`MAX_FILL`] that mean nothing.
const MARK: &[u8; 12] = b"unread-bytes";
const LENGTH: usize = 4;
/// Zeroes behind it, where what stands there must be of a certain length.
const MAX_FILL: usize = 7;

/// How many bytes it takes at least.
pub(crate) const SHORTEST: usize = MARK.len() + LENGTH;

/// Says of `place`, which has [`SHORTEST`] bytes and up to seven more, that a value of `length` bytes stood there.
pub(crate) fn write(place: &mut [u8], length: u32) {
    let bytes = MARK
        .iter()
        .chain(&length.to_be_bytes())
        .copied()
        .chain([0; MAX_FILL])
        .collect::<Vec<u8>>();
    for (place, byte) in place.iter_mut().zip(bytes) {
        *place = byte;
    }
}

impl HeaderValue {
    /// How long the value was, in bytes, in whose place this one stands; none where it is a value itself.
    #[must_use]
    pub fn left_out(&self) -> Option<usize> {
        let Self::Bytes(bytes) = self else {
            return None;
        };
        let (length, fill) = bytes.strip_prefix(MARK)?.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        (fill.len() <= MAX_FILL).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_the_length_and_is_told_from_a_value() {
        for fill in 0..=MAX_FILL {
            let mut place = vec![0xff; SHORTEST + fill];
            write(&mut place, 130_700);
            assert_eq!(HeaderValue::Text(place.clone()).left_out(), None);
            assert_eq!(HeaderValue::Bytes(place).left_out(), Some(130_700));
        }
        for bytes in [
            &b""[..],
            b"unread-bytes",
            b"unread-bytes\0\0\x01",
            b"unread-byte_\0\0\x01\0",
            // Eight bytes behind it.
            b"unread-bytes\0\0\x01\0........",
        ] {
            assert_eq!(HeaderValue::Bytes(bytes.to_vec()).left_out(), None, "{bytes:?}");
        }
    }
}
