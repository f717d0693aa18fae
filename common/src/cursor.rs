//! Where a list goes on: the last row's place in the order, as a text that clients hand back and do not look into.
//!
//! A cursor holds the place itself and no row number, so that what is added or removed meanwhile moves nothing; and it knows
//! its list, so that one of another list or filter is refused and not taken for a place in this.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crc32::crc32;

/// Changes with what is inside.
const VERSION: u8 = 1;
/// Version, list, moment.
const HEAD: usize = 1 + 4 + 8;
/// Two ids of 64 characters and what separates them, several times.
const MAX_ID: usize = 512;

/// A row's place in a list that is ordered by a moment, and by an id where moments are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// In whatever unit the list is ordered by; microseconds since the epoch where it is a time.
    pub moment: i64,
    /// At most 512 bytes of text.
    pub id: String,
}

impl Cursor {
    /// The cursor as a text of `[A-Za-z0-9_-]`. `list` names the list with all that filters it
    /// (`acme/deliveries?status=failed`), the same at the next call.
    #[must_use]
    pub fn encode(&self, list: &str) -> String {
        let mut bytes = Vec::with_capacity(HEAD + self.id.len());
        bytes.push(VERSION);
        bytes.extend(crc32(list.as_bytes()).to_be_bytes());
        bytes.extend(self.moment.to_be_bytes());
        bytes.extend(self.id.bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::encode`] has written for the same list. It proves nothing: whoever makes one up gets a place in a
    /// list that is theirs anyway.
    ///
    /// # Errors
    /// [`InvalidCursor`] says which way it is none.
    pub fn decode(list: &str, text: &str) -> Result<Self, InvalidCursor> {
        // Four characters for three bytes.
        if text.len() > (HEAD + MAX_ID).div_ceil(3) * 4 {
            return Err(InvalidCursor::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| InvalidCursor::Malformed)?;
        let (version, rest) = bytes.split_first().ok_or(InvalidCursor::Malformed)?;
        if *version != VERSION {
            return Err(InvalidCursor::OtherVersion);
        }
        let (of_list, rest) = rest.split_first_chunk::<4>().ok_or(InvalidCursor::Malformed)?;
        let (moment, id) = rest.split_first_chunk::<8>().ok_or(InvalidCursor::Malformed)?;
        if *of_list != crc32(list.as_bytes()).to_be_bytes() {
            return Err(InvalidCursor::OtherList);
        }
        let id = String::from_utf8(id.to_vec()).map_err(|_| InvalidCursor::Malformed)?;
        // PostgreSQL's texts have no NUL.
        if id.len() > MAX_ID || id.contains('\0') {
            return Err(InvalidCursor::Malformed);
        }
        Ok(Self {
            moment: i64::from_be_bytes(*moment),
            id,
        })
    }
}

/// Why a text is no cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCursor {
    /// It was never one.
    #[error(
        "the cursor is none; take it unchanged from `next` of the page before, or leave it out to begin anew"
    )]
    Malformed,
    /// It was made by another version of Hookline.
    #[error("the cursor was made by another version; leave it out to begin anew")]
    OtherVersion,
    /// It belongs to another list, or to this one with another filter.
    #[error("the cursor belongs to another list or filter; leave it out to begin anew")]
    OtherList,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const LIST: &str = "acme/endpoints";

    #[test]
    fn what_is_no_cursor_of_this_list_is_told_apart() {
        let cursor = Cursor {
            moment: 1_705_329_000_000_000,
            id: "evt_1/ep_crm".to_owned(),
        };
        let text = cursor.encode(LIST);
        assert_eq!(Cursor::decode(LIST, &text), Ok(cursor.clone()));
        assert_eq!(
            Cursor::decode("globex/endpoints", &text),
            Err(InvalidCursor::OtherList)
        );
        let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        bytes[0] = 2;
        let newer = URL_SAFE_NO_PAD.encode(&bytes);
        assert_eq!(Cursor::decode(LIST, &newer), Err(InvalidCursor::OtherVersion));
        let with_id = |id: &[u8]| {
            bytes[0] = 1;
            bytes.truncate(HEAD);
            bytes.extend(id);
            URL_SAFE_NO_PAD.encode(&bytes)
        };
        let mut with_id = with_id;
        for bad in [
            String::new(),
            "AQ".to_owned(),
            text[..16].to_owned(),
            format!("{text}="),
            format!("{text} "),
            "' OR 1=1 --".to_owned(),
            with_id(&[0xff]),
            with_id(b"a\0b"),
            with_id(&[b'x'; MAX_ID + 1]),
            "A".repeat(1 << 20),
        ] {
            assert_eq!(
                Cursor::decode(LIST, &bad),
                Err(InvalidCursor::Malformed),
                "{bad:.40}"
            );
        }
        assert!(Cursor::decode(LIST, &with_id(&[b'x'; MAX_ID])).is_ok());
    }

    proptest! {
        #[test]
        fn every_place_is_read_again(moment: i64, id in "[^\\x00]{0,100}", list in ".{0,20}") {
            let cursor = Cursor { moment, id };
            let text = cursor.encode(&list);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(Cursor::decode(&list, &text), Ok(cursor));
        }

        #[test]
        fn nothing_makes_it_panic(text in "[A-Za-z0-9_-]{0,60}") {
            drop(Cursor::decode(LIST, &text));
        }
    }
}
