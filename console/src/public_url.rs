//! The console's address as people see it: for links that are handed out, and for what a browser may be told over https only.

use hookline_common::settings::SettingSource;
use hookline_common::settings::variables as var;
use url::Url;

const ALLOWED: &str = "must be http:// or https:// and a host, with a port where it needs one and without a path, like https://hooks.example.com";

/// Scheme, host and port, as a browser writes an origin: without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Checks a text and takes it.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| ALLOWED)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && is_bare && is_anonymous {
            Ok(Self(url.origin().ascii_serialization()))
        } else {
            Err(ALLOWED)
        }
    }

    /// As a browser writes an origin.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether people reach it over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

/// Where a command on this machine would find the console: its public address, or else the port that it listens on.
#[must_use]
pub fn guessed(source: &dyn SettingSource) -> String {
    let set = |name| source.variable(name).ok().flatten();
    if let Some(url) = set(var::PUBLIC_URL.name).and_then(|text| PublicUrl::parse(&text).ok()) {
        return url.0;
    }
    let address = set(var::HTTP_ADDR.name).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let local = address
        .replace("0.0.0.0:", "127.0.0.1:")
        .replace("[::]:", "127.0.0.1:");
    format!("http://{local}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_origin_and_nothing_more() {
        for (text, origin) in [
            ("https://hooks.example.com", "https://hooks.example.com"),
            ("https://hooks.example.com/", "https://hooks.example.com"),
            ("https://Hooks.Example.com:443", "https://hooks.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            let url = PublicUrl::parse(text).unwrap();
            assert_eq!(
                (url.as_str(), url.is_https()),
                (origin, origin.starts_with("https"))
            );
        }
        for bad in [
            "",
            "hooks.example.com",
            "ftp://h",
            "https://h/console",
            "https://h/?a",
            "https://h/#a",
            "https://u:p@h",
            "javascript:alert(1)",
        ] {
            assert_eq!(PublicUrl::parse(bad), Err(ALLOWED), "{bad}");
        }
    }
}
