//! What a [`Policy`](super::Policy) lists, read from text: networks and names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::name::{is_dns_name, is_never_looked_up};

/// Reads one network of `HOOKLINE_ALLOW_CIDRS` or `HOOKLINE_DENY_CIDRS`: an address and a prefix length, or
/// an address alone for itself. What the prefix leaves out of the address is dropped.
///
/// # Errors
/// [`InvalidCidr`]; a `/0` too, because it would switch the guard off.
pub fn parse_cidr(text: &str) -> Result<IpNet, InvalidCidr> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| InvalidCidr::Grammar)?;
    let Some(prefix) = prefix else {
        return Ok(address.into());
    };
    if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidCidr::Grammar);
    }
    match prefix.parse() {
        Ok(0) => Err(InvalidCidr::Everything),
        Ok(prefix) => IpNet::new(address, prefix)
            .map(|network| network.trunc())
            .map_err(|_| InvalidCidr::Grammar),
        Err(_) => Err(InvalidCidr::Grammar),
    }
}

/// All of IPv4 as IPv6 spells it: a connection to one of these goes over IPv4 (RFC 4291 §2.5.5.2).
const IPV4_MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
const ALL_OF_IPV4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);

/// Whether `networks` together are every address of IPv4, in whichever spelling, or of IPv6: allowed, they would switch
/// the guard off as a `/0` does.
#[must_use]
pub fn add_up_to_everything(networks: &[IpNet]) -> bool {
    let mapped = networks.iter().filter_map(mapped_ipv4).map(IpNet::V4);
    let all = networks.iter().copied().chain(mapped).collect();
    IpNet::aggregate(&all)
        .iter()
        .any(|network| network.prefix_len() == 0)
}

/// What of IPv4 an IPv6 network lets through.
fn mapped_ipv4(network: &IpNet) -> Option<Ipv4Net> {
    let IpNet::V6(network) = network else { return None };
    if network.contains(&IPV4_MAPPED) {
        return Some(ALL_OF_IPV4);
    }
    let address = network.network().to_ipv4_mapped()?;
    Ipv4Net::new(address, network.prefix_len().checked_sub(96)?).ok()
}

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCidr {
    /// Not an address, or a prefix length that the address cannot have.
    #[error("a network must be an address and a prefix length (10.1.0.0/16, fd00::/8) or one address")]
    Grammar,
    /// All addresses there are.
    #[error("a network of every address (/0) would switch the guard off; name the networks that are meant")]
    Everything,
}

/// A name of `HOOKLINE_ALLOW_HOSTS`, normalised as a URL's host is: this one name, not what ends in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AllowedHost(String);

impl AllowedHost {
    /// Checks and normalises a name.
    ///
    /// # Errors
    /// [`InvalidHost`]: an address, a pattern, a URL, or no name at all.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "%:/@".contains(c))
        {
            return Err(InvalidHost::Grammar);
        }
        let url::Host::Domain(name) = url::Host::parse(text).map_err(|_| InvalidHost::Grammar)? else {
            return Err(InvalidHost::Address);
        };
        let name = name.strip_suffix('.').unwrap_or(&name);
        if !is_dns_name(name) {
            Err(InvalidHost::Grammar)
        } else if is_never_looked_up(name) {
            Err(InvalidHost::NeverLookedUp)
        } else {
            Ok(Self(name.to_owned()))
        }
    }

    /// The normalised name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AllowedHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        Self::parse(text)
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why a text is not the name of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    /// Not a name.
    #[error("a host must be one name (receiver, hooks.example.com), without scheme, port or *")]
    Grammar,
    /// An address.
    #[error("a host must be a name; let addresses through with HOOKLINE_ALLOW_CIDRS")]
    Address,
    /// A name that no name server is asked about.
    #[error("names below .invalid and .onion are never looked up, so nothing could be delivered there")]
    NeverLookedUp,
}
