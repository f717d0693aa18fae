//! The address rule: which addresses are not the public internet. The tables are IANA's special-purpose
//! registries (RFC 6890) as of 2025, and what clouds have put at public-looking addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// A network that is refused: the reason for logs, and what it is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub(super) reason: &'static str,
    pub(super) what: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(
        Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]),
        prefix,
    )
}

const fn network(reason: &'static str, what: &'static str) -> Network {
    Network { reason, what }
}

/// All of IPv4 is allowed but these.
const SPECIAL_V4: &[(Ipv4Net, Network)] = &[
    (
        v4(0, 0, 0, 0, 8),
        network(
            "address_unspecified",
            "this network, RFC 791; it connects to the machine itself",
        ),
    ),
    (
        v4(10, 0, 0, 0, 8),
        network("address_private", "a private network, RFC 1918"),
    ),
    (
        v4(100, 64, 0, 0, 10),
        network("address_shared", "carriers' shared address space, RFC 6598"),
    ),
    (
        v4(127, 0, 0, 0, 8),
        network("address_loopback", "loopback, RFC 1122"),
    ),
    (
        v4(169, 254, 0, 0, 16),
        network(
            "address_link_local",
            "link-local, RFC 3927; clouds' metadata services",
        ),
    ),
    (
        v4(172, 16, 0, 0, 12),
        network("address_private", "a private network, RFC 1918"),
    ),
    (
        v4(192, 0, 0, 0, 24),
        network("address_reserved", "protocol assignments, RFC 6890"),
    ),
    (
        v4(192, 0, 2, 0, 24),
        network("address_documentation", "documentation, RFC 5737"),
    ),
    (
        v4(192, 88, 99, 0, 24),
        network("address_reserved", "the former 6to4 relays, RFC 7526"),
    ),
    (
        v4(192, 168, 0, 0, 16),
        network("address_private", "a private network, RFC 1918"),
    ),
    (
        v4(198, 18, 0, 0, 15),
        network("address_benchmarking", "benchmarking, RFC 2544"),
    ),
    (
        v4(198, 51, 100, 0, 24),
        network("address_documentation", "documentation, RFC 5737"),
    ),
    (
        v4(203, 0, 113, 0, 24),
        network("address_documentation", "documentation, RFC 5737"),
    ),
    (
        v4(224, 0, 0, 0, 4),
        network("address_multicast", "multicast, RFC 5771"),
    ),
    (
        v4(240, 0, 0, 0, 4),
        network("address_reserved", "reserved and broadcast, RFC 1112 and RFC 919"),
    ),
    (
        v4(168, 63, 129, 16, 32),
        network(
            "address_cloud",
            "Azure's WireServer, which answers inside its machines",
        ),
    ),
];

/// The only part of IPv6 that is allowed (RFC 4291 §2.4) …
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// … but for these.
const SPECIAL_V6: &[(Ipv6Net, Network)] = &[
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        network(
            "address_reserved",
            "protocol assignments, RFC 2928, Teredo among them",
        ),
    ),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        network("address_documentation", "documentation, RFC 3849"),
    ),
    (
        v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
        network("address_embedded_v4", "6to4, RFC 3056"),
    ),
    (
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
        network("address_documentation", "documentation, RFC 9637"),
    ),
];

/// Names for what lies outside of global unicast. They only make the text clearer: all of it is refused.
const NOT_GLOBAL_V6: &[(Ipv6Net, Network)] = &[
    (
        v6([0, 0, 0, 0, 0, 0, 0, 0], 128),
        network("address_unspecified", "the unspecified address, RFC 4291"),
    ),
    (
        v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
        network("address_loopback", "loopback, RFC 4291"),
    ),
    (
        v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
        network("address_embedded_v4", "IPv4-mapped, RFC 4291"),
    ),
    (
        v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
        network("address_embedded_v4", "IPv4-compatible, RFC 4291"),
    ),
    (
        v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        network("address_private", "unique local, RFC 4193"),
    ),
    (
        v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
        network("address_link_local", "link-local, RFC 4291"),
    ),
    (
        v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
        network("address_multicast", "multicast, RFC 4291"),
    ),
];

const OUTSIDE_GLOBAL_UNICAST: Network = network(
    "address_not_global",
    "outside of IPv6's global unicast 2000::/3, RFC 4291",
);

/// A translator may stand behind these and reach any IPv4 address, so nothing lets them through (RFC 6052,
/// RFC 8215).
const NAT64: [Ipv6Net; 2] = [
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
];

pub(super) fn is_nat64(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => NAT64.iter().any(|network| network.contains(&address)),
    }
}

/// The network that `address` is refused for, or nothing if it is on the public internet.
pub(super) fn special(address: IpAddr) -> Option<Network> {
    match address {
        IpAddr::V4(address) => SPECIAL_V4
            .iter()
            .find(|(block, _)| block.contains(&address))
            .map(|(_, network)| *network),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v6(address: Ipv6Addr) -> Option<Network> {
    let find = |table: &[(Ipv6Net, Network)]| {
        table
            .iter()
            .find(|(block, _)| block.contains(&address))
            .map(|(_, network)| *network)
    };
    if GLOBAL_UNICAST.contains(&address) {
        find(SPECIAL_V6)
    } else {
        find(NOT_GLOBAL_V6).or(Some(OUTSIDE_GLOBAL_UNICAST))
    }
}

/// The IPv4 networks that the address rule refuses, for a firewall or network policy that is to agree with
/// it.
pub fn refused_v4_networks() -> impl Iterator<Item = Ipv4Net> {
    SPECIAL_V4.iter().map(|(block, _)| *block)
}

/// The part of IPv6 that the address rule lets through at all …
#[must_use]
pub fn allowed_v6_network() -> Ipv6Net {
    GLOBAL_UNICAST
}

/// … and the networks in it that it refuses.
pub fn refused_v6_networks() -> impl Iterator<Item = Ipv6Net> {
    SPECIAL_V6.iter().map(|(block, _)| *block)
}
