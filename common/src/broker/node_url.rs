//! One node of the broker: where it is and who we are there. Holds a password, so nothing here prints it, nor anything that
//! could be one by mistake.

use std::fmt;

use lapin::uri::{AMQPScheme, AMQPUri};
use url::{Host, Url};

/// A checked `amqp://` or `amqps://` URL.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct NodeUrl(AMQPUri);

impl NodeUrl {
    /// Seconds between heartbeats, so that a dead link is found in a few of them. `?heartbeat=` overrides it.
    const HEARTBEAT_S: u16 = 5;

    /// Checks `text`. An error says what is wrong without repeating any of it.
    ///
    /// What stands behind the host can be the rest of a password that is not escaped, or a second URL that was put there by
    /// mistake. Both hold an `@` or a `://`, so neither is taken: it would be printed as the vhost, by us and by the broker.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("it is empty");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("it holds white space");
        }
        let url = Url::parse(text).map_err(|_| "it is not a URL")?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err("its scheme is neither amqp nor amqps");
        }
        if url.fragment().is_some() {
            return Err("it holds a #, which is written %23");
        }
        let host = url.host().ok_or("it names no host")?;
        let mut uri: AMQPUri = text
            .parse()
            .map_err(|_| "its user, vhost or query cannot be read")?;
        match host {
            Host::Domain("") => return Err("it names no host"),
            Host::Domain(name) if !name.bytes().all(is_of_a_host) => {
                return Err("its host holds a character that no host name has");
            }
            // The library takes an IPv6 literal for no host at all.
            Host::Ipv6(address) => uri.authority.host = address.to_string(),
            Host::Domain(_) | Host::Ipv4(_) => {}
        }
        if is_suspicious(&uri.vhost) {
            return Err(
                "its vhost holds an @ or ://, as if a second URL, or a part of the password, had come there",
            );
        }
        if url.query().is_some_and(is_suspicious) {
            return Err(
                "what follows its ? holds an @ or ://, as if a second URL, or a part of the password, had come there",
            );
        }
        uri.query.heartbeat.get_or_insert(Self::HEARTBEAT_S);
        Ok(Self(uri))
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.scheme == AMQPScheme::AMQPS
    }

    pub(super) fn host(&self) -> &str {
        &self.0.authority.host
    }

    pub(super) fn port(&self) -> u16 {
        self.0.authority.port
    }

    pub(super) fn vhost(&self) -> &str {
        &self.0.vhost
    }

    pub(super) fn user(&self) -> &str {
        &self.0.authority.userinfo.username
    }

    pub(super) fn password(&self) -> &str {
        &self.0.authority.userinfo.password
    }

    pub(super) fn to_uri(&self) -> AMQPUri {
        self.0.clone()
    }
}

fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

fn is_suspicious(text: &str) -> bool {
    text.contains('@') || text.contains("://")
}

/// The URL without its password and its query.
impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri {
            scheme,
            authority,
            vhost,
            ..
        } = &self.0;
        write!(f, "{scheme}://")?;
        // A name like that of a mailbox is one, and it could be something else: nobody needs it to find the broker.
        if is_suspicious(&authority.userinfo.username) {
            f.write_str("…")?;
        } else {
            escaped(f, &authority.userinfo.username)?;
        }
        if authority.host.contains(':') {
            write!(f, "@[{}]:{}/", authority.host, authority.port)?;
        } else {
            write!(f, "@{}:{}/", authority.host, authority.port)?;
        }
        escaped(f, vhost)
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes text as a part of a URL: what has a meaning there, or is no plain character, as `%xx`.
fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte) {
            write!(f, "{}", char::from(byte))?;
        } else {
            write!(f, "%{byte:02x}")?;
        }
    }
    Ok(())
}
