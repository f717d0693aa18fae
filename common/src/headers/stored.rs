//! Headers as bytes, for where a message is kept outside the broker: each with the AMQP type that it came with.
//!
//! An entry is the length of its name as one byte, the name, and the value; a value is one byte for its type, and then what
//! the type holds. Numbers are big-endian; a length of a text, of an array or of a table takes four bytes.

use super::value::Extent;
use super::{HeaderValue, Headers};

/// Bytes that no version of this program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("headers that were stored cannot be read")]
pub struct UnreadableHeaders;

impl Headers {
    /// All of them as bytes; a name that is longer than AMQP allows is left out.
    #[must_use]
    pub fn to_stored(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.0 {
            write_entry(&mut out, name, value);
        }
        out
    }

    /// Reads what [`Self::to_stored`] wrote.
    ///
    /// # Errors
    /// [`UnreadableHeaders`].
    pub fn from_stored(bytes: &[u8]) -> Result<Self, UnreadableHeaders> {
        let mut rest = bytes;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            entries.push(read_entry(&mut rest, 0)?);
        }
        Ok(entries.into_iter().collect())
    }
}

fn write_entry(out: &mut Vec<u8>, name: &str, value: &HeaderValue) {
    if let Ok(length) = u8::try_from(name.len()) {
        out.push(length);
        out.extend_from_slice(name.as_bytes());
        write_value(out, value);
    }
}

fn write_value(out: &mut Vec<u8>, value: &HeaderValue) {
    match value {
        HeaderValue::Boolean(value) => out.extend([b't', u8::from(*value)]),
        HeaderValue::I8(number) => tagged(out, b'b', &number.to_be_bytes()),
        HeaderValue::U8(number) => tagged(out, b'B', &number.to_be_bytes()),
        HeaderValue::I16(number) => tagged(out, b's', &number.to_be_bytes()),
        HeaderValue::U16(number) => tagged(out, b'u', &number.to_be_bytes()),
        HeaderValue::I32(number) => tagged(out, b'I', &number.to_be_bytes()),
        HeaderValue::U32(number) => tagged(out, b'i', &number.to_be_bytes()),
        HeaderValue::I64(number) => tagged(out, b'l', &number.to_be_bytes()),
        HeaderValue::F32(number) => tagged(out, b'f', &number.to_be_bytes()),
        HeaderValue::F64(number) => tagged(out, b'd', &number.to_be_bytes()),
        HeaderValue::Decimal { scale, value } => {
            tagged(out, b'D', &[*scale]);
            out.extend(value.to_be_bytes());
        }
        HeaderValue::ShortText(text) => counted(out, b'c', text.as_bytes()),
        HeaderValue::Text(bytes) => counted(out, b'S', bytes),
        HeaderValue::Bytes(bytes) => counted(out, b'x', bytes),
        HeaderValue::Timestamp(seconds) => tagged(out, b'T', &seconds.to_be_bytes()),
        HeaderValue::Array(values) => {
            tagged(out, b'A', &length(values.len()));
            values.iter().for_each(|value| write_value(out, value));
        }
        HeaderValue::Table(entries) => {
            let fits = |(name, _): &&(String, HeaderValue)| name.len() <= usize::from(u8::MAX);
            tagged(out, b'F', &length(entries.iter().filter(fits).count()));
            for (name, value) in entries {
                write_entry(out, name, value);
            }
        }
        HeaderValue::Void => out.push(b'V'),
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn counted(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    tagged(out, tag, &length(bytes.len()));
    out.extend_from_slice(bytes);
}

/// Headers have a few kilobytes.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn read_entry(rest: &mut &[u8], depth: usize) -> Result<(String, HeaderValue), UnreadableHeaders> {
    let [length] = array(rest)?;
    let name = text(take(rest, usize::from(length))?)?;
    Ok((name, read_value(rest, depth)?))
}

fn read_value(rest: &mut &[u8], depth: usize) -> Result<HeaderValue, UnreadableHeaders> {
    // Twice what a message may have: whatever came in fits, and no bytes lead ever deeper.
    if depth > 2 * Extent::MAX_DEPTH {
        return Err(UnreadableHeaders);
    }
    let [tag] = array(rest)?;
    Ok(match tag {
        b't' => HeaderValue::Boolean(array::<1>(rest)? != [0]),
        b'b' => HeaderValue::I8(i8::from_be_bytes(array(rest)?)),
        b'B' => HeaderValue::U8(u8::from_be_bytes(array(rest)?)),
        b's' => HeaderValue::I16(i16::from_be_bytes(array(rest)?)),
        b'u' => HeaderValue::U16(u16::from_be_bytes(array(rest)?)),
        b'I' => HeaderValue::I32(i32::from_be_bytes(array(rest)?)),
        b'i' => HeaderValue::U32(u32::from_be_bytes(array(rest)?)),
        b'l' => HeaderValue::I64(i64::from_be_bytes(array(rest)?)),
        b'f' => HeaderValue::F32(f32::from_be_bytes(array(rest)?)),
        b'd' => HeaderValue::F64(f64::from_be_bytes(array(rest)?)),
        b'D' => HeaderValue::Decimal {
            scale: u8::from_be_bytes(array(rest)?),
            value: u32::from_be_bytes(array(rest)?),
        },
        b'c' => HeaderValue::ShortText(text(counted_bytes(rest)?)?),
        b'S' => HeaderValue::Text(counted_bytes(rest)?.to_vec()),
        b'x' => HeaderValue::Bytes(counted_bytes(rest)?.to_vec()),
        b'T' => HeaderValue::Timestamp(u64::from_be_bytes(array(rest)?)),
        b'A' => {
            let mut values = Vec::new();
            for _ in 0..u32::from_be_bytes(array(rest)?) {
                values.push(read_value(rest, depth + 1)?);
            }
            HeaderValue::Array(values)
        }
        b'F' => {
            let mut entries = Vec::new();
            for _ in 0..u32::from_be_bytes(array(rest)?) {
                entries.push(read_entry(rest, depth + 1)?);
            }
            HeaderValue::Table(entries)
        }
        b'V' => HeaderValue::Void,
        _ => return Err(UnreadableHeaders),
    })
}

fn counted_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], UnreadableHeaders> {
    let length = u32::from_be_bytes(array(rest)?);
    take(rest, usize::try_from(length).map_err(|_| UnreadableHeaders)?)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], UnreadableHeaders> {
    let (bytes, after) = rest.split_first_chunk().ok_or(UnreadableHeaders)?;
    *rest = after;
    Ok(*bytes)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], UnreadableHeaders> {
    let (bytes, after) = rest.split_at_checked(length).ok_or(UnreadableHeaders)?;
    *rest = after;
    Ok(bytes)
}

fn text(bytes: &[u8]) -> Result<String, UnreadableHeaders> {
    String::from_utf8(bytes.to_vec()).map_err(|_| UnreadableHeaders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_value_comes_back_as_it_was() {
        let values = [
            HeaderValue::Boolean(true),
            HeaderValue::Boolean(false),
            HeaderValue::I8(-3),
            HeaderValue::U8(3),
            HeaderValue::I16(-300),
            HeaderValue::U16(300),
            HeaderValue::I32(-70_000),
            HeaderValue::U32(70_000),
            HeaderValue::I64(i64::MIN),
            HeaderValue::F32(1.5),
            HeaderValue::F64(-2.5),
            HeaderValue::Decimal {
                scale: 2,
                value: 1234,
            },
            HeaderValue::ShortText("s\0é".to_owned()),
            HeaderValue::Text(vec![0, 0xff, b'a']),
            HeaderValue::Bytes(Vec::new()),
            HeaderValue::Timestamp(u64::MAX),
            HeaderValue::Void,
        ];
        let table = HeaderValue::Table(vec![("a".to_owned(), HeaderValue::Array(values.to_vec()))]);
        let names = (0..).map(|number| format!("h{number:02}"));
        let headers: Headers = names.zip(values.into_iter().chain([table])).collect();
        assert_eq!(Headers::from_stored(&headers.to_stored()), Ok(headers));
        assert_eq!(Headers::default().to_stored(), Vec::<u8>::new());
    }

    #[test]
    fn bytes_that_were_cut_or_made_up_are_refused_and_end() {
        let mut headers = Headers::default();
        headers.set_text("a", "text");
        headers.set(
            "b",
            HeaderValue::Table(vec![("c".to_owned(), HeaderValue::I64(1))]),
        );
        let bytes = headers.to_stored();
        let whole = Headers::from_stored(&bytes);
        for end in 1..bytes.len() {
            assert_ne!(Headers::from_stored(&bytes[..end]), whole, "{end}");
        }
        let huge = [1, b'a', b'A', 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Headers::from_stored(&huge), Err(UnreadableHeaders));
        let deep: Vec<u8> = [1, b'a']
            .into_iter()
            .chain([b'A', 0, 0, 0, 1].repeat(100_000))
            .collect();
        assert_eq!(Headers::from_stored(&deep), Err(UnreadableHeaders));
    }
}
