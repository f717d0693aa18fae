//! Lists of names and values as OpenTelemetry's variables hold them: `name=value,name=value`, percent-encoded.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The names and values of a list, decoded.
///
/// # Errors
/// Which entry is wrong, by its position: its text may be a secret.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let entries = text.split(',').map(str::trim).enumerate();
    let entries = entries.filter(|(_, entry)| !entry.is_empty());
    entries
        .map(|(index, entry)| {
            let wrong = |what: &str| format!("entry {}: {what}", index + 1);
            let (name, value) = entry
                .split_once('=')
                .ok_or_else(|| wrong("must be name=value; a comma within a value is written %2C"))?;
            let (name, value) = (decode(name.trim()), decode(value.trim()));
            match (name, value) {
                (Some(name), _) if name.is_empty() => Err(wrong("has no name before its =")),
                (Some(name), Some(value)) => Ok((name, value)),
                _ => Err(wrong(
                    "is not percent-encoded UTF-8; a percent sign is written %25",
                )),
            }
        })
        .collect()
}

/// The same as headers of a request, whose values are marked as secrets.
///
/// # Errors
/// Which entry is wrong, by its position.
pub(super) fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (index, (name, value)) in parse(text)?.into_iter().enumerate() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(&value);
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(format!("header {}: no request can carry it", index + 1));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Each `%XX` as the byte that it stands for.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lists_are_decoded() {
        let pairs = parse(" a=1, b = two words ,,c=%20x%2Cy%3D%C3%A9,d=e=f, k%20y= ,").unwrap();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("a", "1"),
                ("b", "two words"),
                ("c", " x,y=é"),
                ("d", "e=f"),
                ("k y", "")
            ]
        );
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_list_is_refused_by_position_and_never_repeated() {
        for (bad, place) in [
            ("s3cret", "entry 1"),
            ("a=1,s3cret", "entry 2"),
            ("a=1,=s3cret", "entry 2"),
            ("a=s3cret%", "entry 1"),
            ("a=s3cret%2", "entry 1"),
            ("a=s3cret%zz", "entry 1"),
            ("a=s3cret%ff", "entry 1"),
        ] {
            let refusal = parse(bad).unwrap_err();
            assert!(
                refusal.contains(place) && !refusal.contains("s3cret"),
                "{bad}: {refusal}"
            );
        }
        for bad in ["a b=s3cret", "a=s3cret%0A", "a=1,b=s3cret%7F"] {
            let refusal = headers(bad).unwrap_err();
            assert!(
                refusal.contains("header") && !refusal.contains("s3cret"),
                "{bad}: {refusal}"
            );
        }
    }

    #[test]
    fn headers_are_secrets() {
        let headers = headers("Authorization=Bearer%20s3cret,x-team=crm").unwrap();
        assert_eq!(headers.get("authorization").unwrap(), "Bearer s3cret");
        assert!(!format!("{headers:?}").contains("s3cret"));
    }
}
