//! Where a request goes, and what HTTP/1.1 says about it on the wire. Pure.

use bytes::Bytes;
use hookline_common::cause::Cause;
use http_body_util::Full;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Uri};

use super::RequestError;

/// Whether by TLS, and the authority of the URL: connections to the same target serve each other's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) is_https: bool,
    pub(super) authority: Authority,
}

impl Target {
    /// Where `request` goes. On the wire its URI is the path and the query alone, and its `Host` header the rest.
    pub(super) fn of(request: &mut Request<Full<Bytes>>) -> Result<Self, RequestError> {
        let no_target = || RequestError::plain(Cause::NoHost);
        let uri = request.uri();
        let authority = uri.authority().ok_or_else(no_target)?.clone();
        let is_https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(no_target()),
        };
        let path = uri.path_and_query().cloned();
        let target = Self { is_https, authority };
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        if !request.headers().contains_key(HOST) {
            let host = host_header(&target.authority, is_https).ok_or_else(no_target)?;
            request.headers_mut().insert(HOST, host);
        }
        Ok(target)
    }

    /// The host without the brackets of an IPv6 literal, which belong to the URL and not to the address.
    pub(super) fn host(&self) -> &str {
        let host = self.authority.host();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(self.default_port())
    }

    /// The host and the port as CONNECT names them, which leaves out neither (RFC 9110 §9.3.6).
    pub(super) fn tunnel_destination(&self) -> String {
        format!("{}:{}", self.authority.host(), self.port())
    }

    /// About what an idle connection keeps of our memory: hyper's buffer for what is read, and rustls's for both directions.
    pub(super) fn idle_bytes(&self) -> usize {
        if self.is_https { 40 << 10 } else { 10 << 10 }
    }

    fn default_port(&self) -> u16 {
        default_port(self.is_https)
    }
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// The host as it stands in the URL, and the port where it is not the usual one.
pub(crate) fn host_header(authority: &Authority, is_https: bool) -> Option<HeaderValue> {
    let host = authority.host();
    match authority.port() {
        Some(port) if port.as_u16() != default_port(is_https) => {
            HeaderValue::try_from(format!("{host}:{port}")).ok()
        }
        _ => HeaderValue::from_str(host).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(url: &str) -> (Target, String, String) {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = url.parse().unwrap();
        let target = Target::of(&mut request).unwrap();
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        (target, request.uri().to_string(), host)
    }

    #[test]
    fn a_url_becomes_a_host_a_path_and_a_host_header() {
        for (url, host, port, path, header) in [
            ("http://example.com", "example.com", 80, "/", "example.com"),
            ("https://example.com/", "example.com", 443, "/", "example.com"),
            (
                "http://example.com:80/a?b=c",
                "example.com",
                80,
                "/a?b=c",
                "example.com",
            ),
            (
                "https://example.com:443/a",
                "example.com",
                443,
                "/a",
                "example.com",
            ),
            (
                "https://example.com:80/a",
                "example.com",
                80,
                "/a",
                "example.com:80",
            ),
            (
                "http://example.com:443/?q",
                "example.com",
                443,
                "/?q",
                "example.com:443",
            ),
            ("http://[::1]:8080/hook", "::1", 8080, "/hook", "[::1]:8080"),
            (
                "https://[2001:db8::1]/hook",
                "2001:db8::1",
                443,
                "/hook",
                "[2001:db8::1]",
            ),
            ("http://127.0.0.1:9/", "127.0.0.1", 9, "/", "127.0.0.1:9"),
            (
                "http://user:word@example.com/a",
                "example.com",
                80,
                "/a",
                "example.com",
            ),
        ] {
            let (target, sent_path, sent_header) = sent(url);
            assert_eq!((target.host(), target.port()), (host, port), "{url}");
            assert_eq!(target.is_https, url.starts_with("https"), "{url}");
            let named = header.trim_end_matches(&format!(":{port}"));
            assert_eq!(target.tunnel_destination(), format!("{named}:{port}"), "{url}");
            assert_eq!(
                (sent_path.as_str(), sent_header.as_str()),
                (path, header),
                "{url}"
            );
        }
    }

    #[test]
    fn what_names_no_host_or_is_no_http_goes_nowhere() {
        for url in ["/hook", "ftp://example.com/"] {
            let mut request = Request::new(Full::new(Bytes::new()));
            *request.uri_mut() = url.parse().unwrap();
            assert!(Target::of(&mut request).is_err(), "{url}");
        }
    }
}
