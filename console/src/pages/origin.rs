//! Whether a form came from one of our pages, as the browser says: no other site can make it say so.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

use crate::public_url::PublicUrl;

/// Browsers name the origin of every form. One that names none is old, or no browser, and is refused like a foreign one.
pub(super) fn is_ours(headers: &HeaderMap, public: Option<&PublicUrl>) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return false;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if public.is_some_and(|public| public.as_str() == origin) {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_our_own_pages_are_ours() {
        let public = PublicUrl::parse("https://hooks.example.com").unwrap();
        let asked = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("127.0.0.1:8080"));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            is_ours(&headers, Some(&public))
        };
        assert!(asked(Some("https://hooks.example.com")) && asked(Some("http://127.0.0.1:8080")));
        for foreign in [
            None,
            Some("null"),
            Some(""),
            Some("https://evil.example"),
            Some("http://127.0.0.1"),
            Some("http://127.0.0.1:80801"),
            Some("https://hooks.example.com.evil.example"),
            Some("ftp://127.0.0.1:8080"),
        ] {
            assert!(!asked(foreign), "{foreign:?}");
        }
    }
}
