//! Why the guard refuses: one reason for operators' logs and one sentence for people, none of which holds a
//! URL's userinfo, path or query, or a header's value. Whoever owns an endpoint reads words of their own, without settings that
//! only the operator can change; of an attempt they are only told `blocked`.

use std::net::IpAddr;

use super::address::Network;

/// Which rule refuses a URL, an address or a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than a URL may be, as given or once its characters are escaped.
    #[error("the URL is {bytes} bytes long; at most 2048 are allowed")]
    UrlLength {
        /// How long it is.
        bytes: usize,
    },
    /// A control character or whitespace, which parsers drop or split at in different ways.
    #[error("the URL has whitespace or a control character; write it as %20 or the like, or leave it out")]
    UrlCharacters,
    /// No URL with a host: the text says what is missing.
    #[error("the URL cannot be read ({0}); write it like https://example.com/hooks")]
    UrlMalformed(&'static str),
    /// Neither `https` nor `http`.
    #[error("the URL's scheme is not allowed; use https")]
    UrlScheme,
    /// `http` where only `https` is allowed.
    #[error("plain http is not allowed; use https, or set HOOKLINE_ALLOW_HTTP on a machine for development")]
    UrlHttp,
    /// A user or password before the host, or only the `@`.
    #[error("the URL has a user or password before its host; send it in a header of the endpoint instead")]
    UrlUserinfo,
    /// A `#`.
    #[error("the URL has a fragment, which is never sent; remove the # and what follows")]
    UrlFragment,
    /// A port below 1024 that is not the web's, or a well-known service's.
    #[error("port {port} is not allowed ({what}); use 443, 80 or one from 1024 on that no known service has")]
    UrlPort {
        /// The port.
        port: u16,
        /// What is there.
        what: &'static str,
    },
    /// No name that can stand in DNS.
    #[error(
        "the URL's host is not a name that can be looked up; labels have 1 to 63 of a-z 0-9 _ and of - between them, all of \
         it 253"
    )]
    NameMalformed,
    /// A name that only means something inside a network.
    #[error(
        "the host {name} is not allowed ({what}); use a public name, or let it through with \
         HOOKLINE_ALLOW_HOSTS"
    )]
    NameInternal {
        /// The name, normalised.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// An address that is not on the public internet.
    #[error(
        "the address {address} is not allowed ({}); use a public one, or let it through with \
         HOOKLINE_ALLOW_CIDRS",
        network.what
    )]
    Address {
        /// The address.
        address: IpAddr,
        /// Which network it is in.
        network: Network,
    },
    /// An address in one of the policy's own refused networks.
    #[error("the address {address} is in a network that HOOKLINE_DENY_CIDRS refuses")]
    AddressDenied {
        /// The address.
        address: IpAddr,
    },
    /// An address that a translator turns into any IPv4 address.
    #[error("the address {address} is NAT64, which can stand for any IPv4 address and is never let through")]
    AddressNat64 {
        /// The address.
        address: IpAddr,
    },
    /// No header name.
    #[error("the header's name must be 1 to 128 letters, digits or !#$%&'*+-.^_`|~")]
    HeaderName,
    /// A header that the request has already, or that means something to proxies or metadata services.
    #[error("the header {name} may not be set ({what}); use another name")]
    HeaderForbidden {
        /// Its name.
        name: String,
        /// Why it is kept.
        what: &'static str,
    },
    /// A value with characters that could end the header.
    #[error("the value of the header {name} may only have visible ASCII characters, spaces and tabs")]
    HeaderValue {
        /// The header's name.
        name: String,
    },
    /// A value too long for receivers.
    #[error("the value of the header {name} is {bytes} bytes long; at most 4096 are allowed")]
    HeaderLength {
        /// The header's name.
        name: String,
        /// How long the value is.
        bytes: usize,
    },
}

impl Refusal {
    /// The same for an endpoint's owner, who cannot change what an installation lets through.
    #[must_use]
    pub fn for_owner(&self) -> String {
        match self {
            Self::UrlHttp => "plain http is not allowed; use https".to_owned(),
            Self::NameInternal { name, what } => {
                format!("the host {name} is not allowed ({what}); use a public name")
            }
            Self::Address { address, network } => {
                let what = network.what;
                format!("the address {address} is not allowed ({what}); use a public one")
            }
            Self::AddressDenied { address } => {
                format!("the address {address} is in a network that nothing is sent to; use another one")
            }
            Self::UrlLength { .. }
            | Self::UrlCharacters
            | Self::UrlMalformed(_)
            | Self::UrlScheme
            | Self::UrlUserinfo
            | Self::UrlFragment
            | Self::UrlPort { .. }
            | Self::NameMalformed
            | Self::AddressNat64 { .. }
            | Self::HeaderName
            | Self::HeaderForbidden { .. }
            | Self::HeaderValue { .. }
            | Self::HeaderLength { .. } => self.to_string(),
        }
    }

    /// The rule's name in logs and metrics: stable, `snake_case`, from a small fixed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UrlLength { .. } => "url_length",
            Self::UrlCharacters => "url_characters",
            Self::UrlMalformed(_) => "url_malformed",
            Self::UrlScheme => "url_scheme",
            Self::UrlHttp => "url_http",
            Self::UrlUserinfo => "url_userinfo",
            Self::UrlFragment => "url_fragment",
            Self::UrlPort { .. } => "url_port",
            Self::NameMalformed => "name_malformed",
            Self::NameInternal { .. } => "name_internal",
            Self::Address { network, .. } => network.reason,
            Self::AddressDenied { .. } => "address_denied",
            Self::AddressNat64 { .. } => "address_nat64",
            Self::HeaderName => "header_name",
            Self::HeaderForbidden { .. } => "header_forbidden",
            Self::HeaderValue { .. } => "header_value",
            Self::HeaderLength { .. } => "header_length",
        }
    }
}
