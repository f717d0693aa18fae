//! The URL rule: the text as it came is checked first, then what the parser made of it, which is what is
//! used.

use std::fmt;
use std::net::IpAddr;

use url::{ParseError, Url};

use super::{Policy, Refusal, name, port};

/// The longest URL, in bytes, as given and as serialised.
const MAX_BYTES: usize = 2048;

/// A URL that the guard has passed. Its name still has to resolve to allowed addresses.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Host,
    port: u16,
}

/// What a [`Target`] connects to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in lower-case ASCII, punycode where it must be, without the dot of the root. It is a full
    /// name: no search domain may be added to it.
    Name(String),
    /// A literal address, already checked.
    Address(IpAddr),
}

impl Target {
    /// The URL in its normal form: this, and not the text that was checked, is to be stored and sent to.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What to connect to.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, the scheme's own where the URL names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is to be spoken.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// Without path and query, which often hold tokens.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Target({}://{}:{})",
            self.url.scheme(),
            self.url.host_str().unwrap_or_default(),
            self.port
        )
    }
}

impl Policy {
    /// Whether a delivery may be sent to the URL `raw`, as far as that can be told without resolving its
    /// name.
    ///
    /// A literal address is checked here, because HTTP clients do not ask a resolver about one.
    ///
    /// # Errors
    /// [`Refusal`] names the first rule that the URL breaks.
    pub fn check_url(&self, raw: &str) -> Result<Target, Refusal> {
        check(self, raw)
    }
}

fn check(policy: &Policy, raw: &str) -> Result<Target, Refusal> {
    check_text(raw)?;
    check_authority(policy, raw)?;
    let mut url = Url::parse(raw).map_err(malformed)?;
    drop_root_dot(&mut url)?;

    // The parser has decoded, mapped and dropped things, so that its own text is checked like the first.
    check_text(url.as_str())?;
    check_authority(policy, url.as_str())?;
    let host = check_host(policy, &url)?;
    let port = port::check(url.port_or_known_default().unwrap_or_default())?;
    Ok(Target { url, host, port })
}

/// What must not stand anywhere in the text. The parser would silently drop tabs and line breaks.
fn check_text(text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_BYTES {
        return Err(Refusal::UrlLength { bytes: text.len() });
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Refusal::UrlCharacters);
    }
    if text.contains('#') {
        return Err(Refusal::UrlFragment);
    }
    Ok(())
}

/// The scheme and what follows up to the path, before anything is decoded. The scheme comes first: the
/// hosts of other schemes are not even read as addresses.
fn check_authority(policy: &Policy, text: &str) -> Result<(), Refusal> {
    let (scheme, rest) = text
        .split_once(':')
        .ok_or(Refusal::UrlMalformed("it has no scheme"))?;
    check_scheme(policy, scheme)?;
    let authority = rest
        .strip_prefix("//")
        .and_then(|rest| rest.split(['/', '?']).next())
        .filter(|authority| !authority.is_empty())
        .ok_or(Refusal::UrlMalformed("// and a host must follow the scheme"))?;
    if authority.contains('@') {
        return Err(Refusal::UrlUserinfo);
    }
    // A slash to some parsers, a letter to others: they would disagree about the host.
    if authority.contains('\\') {
        return Err(Refusal::UrlMalformed("it has a backslash"));
    }
    Ok(())
}

fn check_scheme(policy: &Policy, scheme: &str) -> Result<(), Refusal> {
    let is = |wanted: &str| scheme.eq_ignore_ascii_case(wanted);
    let mut letters = scheme.bytes();
    let is_scheme = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if is("https") || is("http") && policy.allow_http {
        Ok(())
    } else if is("http") {
        Err(Refusal::UrlHttp)
    } else if is_scheme {
        Err(Refusal::UrlScheme)
    } else {
        Err(Refusal::UrlMalformed("it has no scheme"))
    }
}

/// `example.com.` and `example.com` are one name. From here on it has one spelling, for TLS, `Host` and the
/// rules.
fn drop_root_dot(url: &mut Url) -> Result<(), Refusal> {
    let Some(::url::Host::Domain(name)) = url.host() else {
        return Ok(());
    };
    let Some(name) = name.strip_suffix('.').map(str::to_owned) else {
        return Ok(());
    };
    url.set_host(Some(&name)).map_err(malformed)
}

fn check_host(policy: &Policy, url: &Url) -> Result<Host, Refusal> {
    let address: IpAddr = match url.host() {
        Some(::url::Host::Domain(text)) => {
            return name::check(text, policy.allows_host(text)).map(|()| Host::Name(text.to_owned()));
        }
        Some(::url::Host::Ipv4(address)) => address.into(),
        Some(::url::Host::Ipv6(address)) => address.into(),
        None => return Err(Refusal::UrlMalformed("it has no host")),
    };
    policy.check_address(address).map(|()| Host::Address(address))
}

fn malformed(fault: ParseError) -> Refusal {
    Refusal::UrlMalformed(match fault {
        ParseError::EmptyHost => "it has no host",
        ParseError::IdnaError | ParseError::InvalidDomainCharacter => "its host is not a name",
        ParseError::InvalidPort => "its port is not a number up to 65535",
        ParseError::InvalidIpv4Address => "its host ends in a number and is not an IPv4 address",
        ParseError::InvalidIpv6Address => "its host is not an IPv6 address",
        _ => "it is not an absolute URL",
    })
}
