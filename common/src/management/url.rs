//! Where the management API is. May hold a password, so nothing here prints it.

use std::fmt;

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// A checked `http://` or `https://` URL, with an account or without.
#[derive(Clone, PartialEq, Eq)]
pub struct ManagementUrl {
    /// Without the account.
    url: Url,
    account: Option<(String, String)>,
}

/// Why a text is no such URL. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; it must look like http://user:password@host:15672 or https://host:15671 (the account is that of \
     HOOKLINE_AMQP_URL where it names none)"
)]
pub struct InvalidManagementUrl(&'static str);

impl ManagementUrl {
    /// Checks `text` and takes it as the API's URL; a path is kept, for an API behind a proxy.
    ///
    /// # Errors
    /// [`InvalidManagementUrl`] says what is wrong without repeating the text.
    pub fn parse(text: &str) -> Result<Self, InvalidManagementUrl> {
        let mut url = Url::parse(text).map_err(|_| InvalidManagementUrl("it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidManagementUrl("its scheme is neither http nor https"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidManagementUrl("it has a query or a fragment"));
        }
        if url.path().contains('@') {
            // What was meant for a password would be printed with the path.
            return Err(InvalidManagementUrl(
                "its path holds an @; a / in a password is written %2F",
            ));
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let account = (!url.username().is_empty()).then(|| {
            (
                decoded(url.username()),
                decoded(url.password().unwrap_or_default()),
            )
        });
        let has_no_account = url.set_username("").and_then(|()| url.set_password(None));
        has_no_account.map_err(|()| InvalidManagementUrl("its user or password cannot be read"))?;
        Ok(Self { url, account })
    }

    /// User and password, where it names them.
    pub(super) fn account(&self) -> Option<(&str, &str)> {
        let (user, password) = self.account.as_ref()?;
        Some((user, password))
    }

    /// The URL of something below the API's root; each part is encoded.
    pub(super) fn join(&self, parts: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }
}

/// The URL without its account.
impl fmt::Display for ManagementUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for ManagementUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
