//! A payload read from its front, with every step checked: what a stranger wrote says how long its parts are.

/// What stands for a byte that is no UTF-8, because it is as long as what it replaces.
const REPLACEMENT: u8 = b'?';

/// A place in a payload that may be changed, but never made longer.
pub(super) struct Cursor<'a> {
    bytes: &'a mut [u8],
    at: usize,
    /// Whether any byte was changed.
    pub(super) is_changed: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            is_changed: false,
        }
    }

    /// Where the next byte is read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Where the payload ends.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Goes on at `at`.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next `count` bytes, or none where they do not all lie before `end`.
    fn take(&mut self, count: usize, end: usize) -> Option<&mut [u8]> {
        let next = self.at.checked_add(count).filter(|next| *next <= end)?;
        let taken = self.bytes.get_mut(self.at..next)?;
        self.at = next;
        Some(taken)
    }

    pub(super) fn skip(&mut self, count: usize, end: usize) -> Option<()> {
        self.take(count, end).map(|_| ())
    }

    pub(super) fn octet(&mut self, end: usize) -> Option<u8> {
        self.take(1, end)?.first().copied()
    }

    pub(super) fn short(&mut self, end: usize) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2, end)?.try_into().ok()?))
    }

    pub(super) fn long(&mut self, end: usize) -> Option<usize> {
        let octets = self.take(4, end)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(octets)).ok()
    }

    /// A 32-bit length and the bytes that it counts, whose end is returned; the cursor stands before them.
    pub(super) fn counted(&mut self, end: usize) -> Option<usize> {
        let length = self.long(end)?;
        self.at.checked_add(length).filter(|its_end| *its_end <= end)
    }

    /// A short string, which is made UTF-8 where it is none.
    pub(super) fn short_string(&mut self, end: usize) -> Option<()> {
        let length = usize::from(self.octet(end)?);
        let text = self.take(length, end)?;
        self.is_changed |= make_utf8(text);
        Some(())
    }

    /// A short string, where it is UTF-8.
    pub(super) fn text(&mut self, end: usize) -> Option<&str> {
        let length = usize::from(self.octet(end)?);
        std::str::from_utf8(self.take(length, end)?).ok()
    }

    /// Writes one byte.
    pub(super) fn put(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.bytes.get_mut(at) {
            *place = byte;
            self.is_changed = true;
        }
    }

    /// All bytes from `start` to `end`, to be written anew.
    pub(super) fn rewrite(&mut self, start: usize, end: usize) -> &mut [u8] {
        self.is_changed = true;
        self.bytes.get_mut(start..end).unwrap_or_default()
    }
}

/// Replaces each byte that belongs to no character, and says whether there was one.
fn make_utf8(text: &mut [u8]) -> bool {
    let mut from = 0;
    while let Some(rest) = text.get_mut(from..) {
        let Err(fault) = std::str::from_utf8(rest) else {
            break;
        };
        let start = fault.valid_up_to();
        let end = fault.error_len().map_or(rest.len(), |length| start + length);
        rest.get_mut(start..end).unwrap_or_default().fill(REPLACEMENT);
        from += end;
    }
    from > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_that_is_no_utf8_becomes_one_character_and_the_others_stay() {
        for (found, made) in [
            (&b""[..], &b""[..]),
            (b"plain", b"plain"),
            ("größe €".as_bytes(), "größe €".as_bytes()),
            (b"gr\xf6\xdfe", b"gr??e"),
            (b"\xff", b"?"),
            (b"cut \xe2\x82", b"cut ??"),
            (b"\xe2\x82x\xac", b"??x?"),
            (b"\xed\xa0\x80", b"???"),
        ] {
            let mut text = found.to_vec();
            assert_eq!(make_utf8(&mut text), found != made, "{found:?}");
            assert_eq!(text, made, "{found:?}");
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_end_that_is_given() {
        let mut bytes = [3, b'a', b'b', b'c', 0, 0, 0, 9];
        let mut cursor = Cursor::new(&mut bytes);
        assert_eq!(
            cursor.short_string(3),
            None,
            "the string is longer than its container"
        );
        cursor.go_to(0);
        assert_eq!(cursor.short_string(4), Some(()));
        assert_eq!(cursor.counted(8), None, "nine bytes do not follow");
        assert_eq!(cursor.skip(usize::MAX, 8), None);
    }
}
