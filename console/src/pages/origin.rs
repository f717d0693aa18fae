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
    let authority = origin.strip_prefix("https://").or_else(|| {
        // Whoever is on the way can be any page over http, ours among them.
        let is_plain_ours = !public.is_some_and(PublicUrl::is_https);
        origin.strip_prefix("http://").filter(|_| is_plain_ours)
    });
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn asked(public: Option<&str>, origin: Option<&'static str>) -> bool {
        let public = public.map(|public| PublicUrl::parse(public).unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("127.0.0.1:8080"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        is_ours(&headers, public.as_ref())
    }

    #[test]
    fn only_our_own_pages_are_ours() {
        let https = Some("https://hooks.example.com");
        for ours in ["https://hooks.example.com", "https://127.0.0.1:8080"] {
            assert!(asked(https, Some(ours)), "{ours}");
        }
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
            for public in [https, Some("http://hooks.example.com"), None] {
                assert!(!asked(public, foreign), "{public:?} {foreign:?}");
            }
        }
    }

    #[test]
    fn a_page_over_http_is_ours_only_where_people_reach_us_so() {
        let page = Some("http://127.0.0.1:8080");
        assert!(asked(None, page) && asked(Some("http://hooks.example.com"), page));
        assert!(!asked(Some("https://hooks.example.com"), page));
        assert!(!asked(
            Some("https://hooks.example.com"),
            Some("http://hooks.example.com")
        ));
    }
}
