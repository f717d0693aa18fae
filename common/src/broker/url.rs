//! Where the broker is and who we are there. Holds a password, so nothing here prints it.

use std::fmt;

use lapin::uri::{AMQPScheme, AMQPUri};
use url::{Host, Url};

/// A checked `amqp://` or `amqps://` URL.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl(AMQPUri);

/// Why a text is not a broker's URL. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; it must look like amqp://user:password@host:5672/vhost (amqps:// for TLS, the default vhost is %2f)"
)]
pub struct InvalidBrokerUrl(&'static str);

impl BrokerUrl {
    /// Seconds between heartbeats, so that a dead link is found in a few of them. `?heartbeat=` overrides it.
    const HEARTBEAT_S: u16 = 5;

    /// Checks `text` and takes it as the broker's URL.
    ///
    /// # Errors
    /// [`InvalidBrokerUrl`] says what is wrong without repeating the text.
    pub fn parse(text: &str) -> Result<Self, InvalidBrokerUrl> {
        let url = Url::parse(text).map_err(|_| InvalidBrokerUrl("it is not a URL"))?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err(InvalidBrokerUrl("its scheme is neither amqp nor amqps"));
        }
        let host = url.host().ok_or(InvalidBrokerUrl("it names no host"))?;
        let mut uri: AMQPUri = text
            .parse()
            .map_err(|_| InvalidBrokerUrl("its user, vhost or query cannot be read"))?;
        // The library takes an IPv6 literal for no host at all.
        if let Host::Ipv6(address) = host {
            uri.authority.host = address.to_string();
        }
        uri.query.heartbeat.get_or_insert(Self::HEARTBEAT_S);
        Ok(Self(uri))
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme == AMQPScheme::AMQPS
    }

    /// The virtual host, as the broker calls it.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.0.vhost
    }

    /// As whom we connect.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.authority.userinfo.username
    }

    /// The password, for the management API, which takes the same account. Never to be printed.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.0.authority.userinfo.password
    }

    pub(super) fn to_uri(&self) -> AMQPUri {
        self.0.clone()
    }
}

/// The URL without its password.
impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri {
            scheme,
            authority,
            vhost,
            ..
        } = &self.0;
        let (user, host, port) = (&authority.userinfo.username, &authority.host, authority.port);
        write!(f, "{scheme}://{user}@{host}:{port}/{}", vhost.replace('/', "%2f"))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_is_printed_without_its_password() {
        let url = BrokerUrl::parse("amqp://guest:s3cret@127.0.0.1:5672/%2f").unwrap();
        assert_eq!(url.to_string(), "amqp://guest@127.0.0.1:5672/%2f");
        assert!(!format!("{url:?}").contains("s3cret"));
    }

    #[test]
    fn heartbeats_are_short_unless_the_url_says_otherwise() {
        assert_eq!(BrokerUrl::parse("amqp://h").unwrap().0.query.heartbeat, Some(5));
        assert_eq!(
            BrokerUrl::parse("amqp://h?heartbeat=30")
                .unwrap()
                .0
                .query
                .heartbeat,
            Some(30)
        );
    }

    #[test]
    fn ipv6_hosts_are_kept() {
        assert_eq!(
            BrokerUrl::parse("amqp://[::1]:5672").unwrap().0.authority.host,
            "::1"
        );
    }

    #[test]
    fn other_texts_are_refused_without_being_repeated() {
        for bad in [
            "",
            "127.0.0.1",
            "http://h",
            "amqp:",
            "amqp://h?heartbeat=soon",
            "s3cret",
        ] {
            let error = BrokerUrl::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{bad}");
        }
    }
}
