//! Where the console is. Holds no token and no account, so it may be printed.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// A checked `http://` or `https://` URL, without an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiUrl(Url);

/// Why a text is no such URL. The text itself is left out: somebody may have put a password into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}; it must look like http://127.0.0.1:8080 or https://hooks.example.com")]
pub(crate) struct InvalidApiUrl(&'static str);

impl ApiUrl {
    /// Checks `text`; a path is kept, for a console behind a proxy.
    ///
    /// # Errors
    /// [`InvalidApiUrl`] says what is wrong without repeating the text.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidApiUrl> {
        let url = Url::parse(text).map_err(|_| InvalidApiUrl("it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidApiUrl("its scheme is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidApiUrl(
                "it holds a user or a password; the token stands in HOOKLINE_API_TOKEN",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidApiUrl("it has a query or a fragment"));
        }
        Ok(Self(url))
    }

    /// Whether TLS protects the token.
    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether a token that is sent there can be read by nobody on the way.
    pub(super) fn is_private(&self) -> bool {
        let is_loopback = match self.0.host_str().unwrap_or_default() {
            "localhost" => true,
            host => {
                let address = host
                    .trim_start_matches('[')
                    .trim_end_matches(']')
                    .parse::<IpAddr>();
                address.is_ok_and(|address| address.to_canonical().is_loopback())
            }
        };
        self.is_https() || is_loopback
    }

    /// The URL of something below it; each part is encoded.
    pub(super) fn join(&self, parts: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_kept_and_parts_encoded() {
        let url = ApiUrl::parse("https://a.example.com/hooks/").unwrap();
        assert_eq!(url.to_string(), "https://a.example.com/hooks");
        let joined = url.join(&["v1", "companies", "a/b?"]);
        assert_eq!(
            joined.as_str(),
            "https://a.example.com/hooks/v1/companies/a%2Fb%3F"
        );
        let plain = ApiUrl::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!(plain.join(&["v1"]).as_str(), "http://127.0.0.1:8080/v1");
    }

    #[test]
    fn other_texts_are_refused_without_being_repeated() {
        for bad in [
            "",
            "127.0.0.1:8080",
            "ftp://s3cret/",
            "http://u:s3cret@h/",
            "http://s3cret@h",
            "http://h/?token=s3cret",
            "http://h/#s3cret",
        ] {
            let told = ApiUrl::parse(bad).unwrap_err().to_string();
            assert!(!told.contains("s3cret"), "{bad}: {told}");
        }
    }

    #[test]
    fn a_token_is_readable_on_the_way_unless_there_is_tls_or_no_way() {
        for (url, is_private) in [
            ("https://hooks.example.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080", true),
            ("http://hooks.example.com", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(ApiUrl::parse(url).unwrap().is_private(), is_private, "{url}");
        }
    }
}
