//! What `content_type` and `content_encoding` say of a body that is JSON in UTF-8. Client libraries fill them in by
//! themselves, each in its own spelling.

/// Whether this is a type of JSON: `application/json`, `text/json` or `application/…+json`, in any case and with any
/// parameters. One that is empty says nothing.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let Some((kind, format)) = essence.split_once('/') else {
        return content_type.is_empty();
    };
    if format.eq_ignore_ascii_case("json") {
        return kind.eq_ignore_ascii_case("application") || kind.eq_ignore_ascii_case("text");
    }
    let (name, suffix) = format.rsplit_once('+').unwrap_or_default();
    kind.eq_ignore_ascii_case("application")
        && suffix.eq_ignore_ascii_case("json")
        && !name.is_empty()
        && name.bytes().all(is_of_token)
}

/// The characters of names in media types (RFC 9110 §5.6.2).
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a body of this `content_encoding` is its text as it stands. Clients write there what HTTP calls the content
/// coding, what MIME calls the transfer encoding, or the character set: UTF-8, or ASCII, which is part of it. Case, hyphens
/// and underscores do not matter, and quotes around it neither.
pub(super) fn is_plain(content_encoding: &str) -> bool {
    /// Longer than any name that is meant.
    const LONGEST: usize = 16;
    let name = content_encoding.trim();
    let name = ['"', '\'']
        .into_iter()
        .find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(name);
    let mut letters = [0; LONGEST];
    let mut length = 0;
    for byte in name.bytes().filter(|byte| !b"-_".contains(byte)) {
        let Some(letter) = letters.get_mut(length) else {
            return false;
        };
        *letter = byte.to_ascii_lowercase();
        length += 1;
    }
    let letters = letters.get(..length).unwrap_or_default();
    let is_empty = content_encoding.is_empty();
    is_empty
        || matches!(
            letters,
            b"utf8" | b"usascii" | b"ascii" | b"8bit" | b"7bit" | b"binary" | b"identity"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_json_are_json_and_their_neighbours_are_not() {
        for json in [
            "application/json",
            "Application/JSON",
            " application/json ",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"; v=1",
            "application/json;",
            "text/json",
            "text/json; charset=us-ascii",
            "application/vnd.booking.v1+json",
            "application/cloudevents+json; charset=UTF-8",
            "application/ld+json",
            "application/a+b+JSON",
            "",
        ] {
            assert!(is_json(json), "{json}");
        }
        for other in [
            " ",
            ";",
            "json",
            "/json",
            "application",
            "application/",
            "application/ json",
            "application/json5",
            "application/jsonp",
            "application/x-json",
            "application/x-ndjson",
            "application/json-seq",
            "application/+json",
            "application/+",
            "application/a b+json",
            "application/a/b+json",
            "application/ld+jsonx",
            "text/ld+json",
            "text/plain",
            "text/plain; application/json",
            "image/json",
            "application/xml",
            "application/octet-stream",
            "application/x-python-serialize",
            "applicatio\u{212a}/json",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }

    #[test]
    fn names_of_plain_text_are_plain_and_their_neighbours_are_not() {
        for plain in [
            "",
            "utf-8",
            "UTF-8",
            "Utf8",
            "utf_8",
            "UTF_8",
            "\"utf-8\"",
            "'utf-8'",
            " utf-8 ",
            "us-ascii",
            "US-ASCII",
            "US_ASCII",
            "ascii",
            "8bit",
            "8-BIT",
            "7bit",
            "binary",
            "Binary",
            "identity",
            "IDENTITY",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in [
            " ",
            "-",
            "\"\"",
            "\"utf-8",
            "utf-8;q=1",
            "utf-8, gzip",
            "utf 8",
            "utf-16",
            "utf-7",
            "utf-8-sig",
            "utf-88",
            "iso-8859-1",
            "latin1",
            "windows-1252",
            "gzip",
            "deflate",
            "br",
            "zstd",
            "base64",
            "quoted-printable",
            "9bit",
            "none",
            "identityidentity",
            "utf\u{2010}8",
            &"-".repeat(255),
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }
}
