//! Every address against a table of its own: typed from IANA's registries of special-purpose addresses as
//! first and last address, so that a slip in the code's prefixes cannot hide.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

/// The IPv4 special-purpose registry and the multicast block, with whether we let it through.
const V4: &[(&str, &str, bool)] = &[
    ("0.0.0.0", "0.255.255.255", false),
    ("10.0.0.0", "10.255.255.255", false),
    ("100.64.0.0", "100.127.255.255", false),
    ("127.0.0.0", "127.255.255.255", false),
    ("168.63.129.16", "168.63.129.16", false),
    ("169.254.0.0", "169.254.255.255", false),
    ("172.16.0.0", "172.31.255.255", false),
    ("192.0.0.0", "192.0.0.255", false),
    ("192.0.2.0", "192.0.2.255", false),
    ("192.31.196.0", "192.31.196.255", true),
    ("192.52.193.0", "192.52.193.255", true),
    ("192.88.99.0", "192.88.99.255", false),
    ("192.168.0.0", "192.168.255.255", false),
    ("192.175.48.0", "192.175.48.255", true),
    ("198.18.0.0", "198.19.255.255", false),
    ("198.51.100.0", "198.51.100.255", false),
    ("203.0.113.0", "203.0.113.255", false),
    ("224.0.0.0", "239.255.255.255", false),
    ("240.0.0.0", "255.255.255.254", false),
    ("255.255.255.255", "255.255.255.255", false),
];

/// The IPv6 special-purpose registry, with whether we let it through. What is in no row follows 2000::/3.
const V6: &[(&str, &str, bool)] = &[
    ("::", "::", false),
    ("::1", "::1", false),
    ("::ffff:0.0.0.0", "::ffff:255.255.255.255", false),
    ("64:ff9b::", "64:ff9b::ffff:ffff", false),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", false),
    ("100::", "100::ffff:ffff:ffff:ffff", false),
    ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", false),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", true),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
];

const GLOBAL_FIRST: u128 = 0x2 << 124;
const GLOBAL_LAST: u128 = (0x4 << 124) - 1;

struct Table {
    v4: Vec<(u32, u32, bool)>,
    v6: Vec<(u128, u128, bool)>,
}

impl Table {
    fn new() -> Self {
        let v4 = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
        let v6 = |text: &str| u128::from(text.parse::<Ipv6Addr>().unwrap());
        Self {
            v4: V4
                .iter()
                .map(|(first, last, allowed)| (v4(first), v4(last), *allowed))
                .collect(),
            v6: V6
                .iter()
                .map(|(first, last, allowed)| (v6(first), v6(last), *allowed))
                .collect(),
        }
    }

    fn allows_v4(&self, number: u32) -> bool {
        let row = self
            .v4
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&number));
        row.is_none_or(|(_, _, allowed)| *allowed)
    }

    fn allows_v6(&self, number: u128) -> bool {
        let row = self
            .v6
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&number));
        row.map_or(
            (GLOBAL_FIRST..=GLOBAL_LAST).contains(&number),
            |(_, _, allowed)| *allowed,
        )
    }

    fn check_v4(&self, number: u32) {
        let address = Ipv4Addr::from(number);
        assert_eq!(
            strict().check_address(address.into()).is_ok(),
            self.allows_v4(number),
            "{address}"
        );
    }

    fn check_v6(&self, number: u128) {
        let address = Ipv6Addr::from(number);
        assert_eq!(
            strict().check_address(address.into()).is_ok(),
            self.allows_v6(number),
            "{address}"
        );
    }
}

/// Numbers that look random and are the same on every run (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn u32(&mut self) -> u32 {
        u32::try_from(self.u64() >> 32).unwrap()
    }

    fn u128(&mut self) -> u128 {
        u128::from(self.u64()) << 64 | u128::from(self.u64())
    }
}

#[test]
fn all_edges_of_all_blocks() {
    let table = Table::new();
    for (first, last, _) in &table.v4 {
        for number in [first.wrapping_sub(1), *first, *last, last.wrapping_add(1)] {
            table.check_v4(number);
        }
    }
    let whole = [(GLOBAL_FIRST, GLOBAL_LAST, true)];
    for (first, last, _) in table.v6.iter().chain(&whole) {
        for number in [first.wrapping_sub(1), *first, *last, last.wrapping_add(1)] {
            table.check_v6(number);
        }
    }
}

#[test]
fn random_ipv4_addresses() {
    let (table, mut numbers) = (Table::new(), Numbers(4));
    for _ in 0..1_000_000 {
        table.check_v4(numbers.u32());
    }
    for (first, last, _) in &table.v4 {
        for _ in 0..1000 {
            let within = u64::from(numbers.u32()) % (u64::from(last - first) + 1);
            table.check_v4(first + u32::try_from(within).unwrap());
        }
    }
}

#[test]
fn random_ipv6_addresses() {
    let (table, mut numbers) = (Table::new(), Numbers(6));
    for _ in 0..200_000 {
        let number = numbers.u128();
        table.check_v6(number);
        table.check_v6(GLOBAL_FIRST | number >> 3);
        // Sparse ones, as addresses are in practice, and close to the blocks that begin with zeros.
        table.check_v6(number & numbers.u128() & numbers.u128());
        table.check_v6(number >> (numbers.u64() % 128));
    }
    for (first, last, _) in &table.v6 {
        for _ in 0..1000 {
            let within = numbers.u128() % (last - first + 1);
            table.check_v6(first + within);
        }
    }
}

#[test]
fn nothing_outside_of_global_unicast_is_let_through() {
    let mut numbers = Numbers(128);
    for _ in 0..200_000 {
        let number = numbers.u128();
        if !(GLOBAL_FIRST..=GLOBAL_LAST).contains(&number) {
            assert!(
                strict().check_address(Ipv6Addr::from(number).into()).is_err(),
                "{}",
                Ipv6Addr::from(number)
            );
        }
    }
}

#[test]
fn ipv4_inside_of_ipv6_is_refused_in_every_format_even_where_it_is_public() {
    let mut numbers = Numbers(46);
    let inside = (0..50_000)
        .map(|_| numbers.u32())
        .chain([0x0101_0101, 0x7f00_0001, 0xa9fe_a9fe, 0]);
    for v4 in inside.map(u128::from).collect::<Vec<_>>() {
        let formats = [
            ("mapped", 0xffff << 32 | v4),
            ("compatible", v4),
            ("translated", 0xffff << 48 | v4),
            ("NAT64", 0x64_ff9b << 96 | v4),
            ("local NAT64", 0x64_ff9b_0001 << 80 | v4),
            (
                "local NAT64 /48",
                0x64_ff9b_0001 << 80 | (v4 >> 16) << 64 | (v4 & 0xffff) << 40,
            ),
            ("6to4", 0x2002 << 112 | v4 << 80),
            ("Teredo server", 0x2001_0000 << 96 | v4 << 64),
            ("Teredo client", 0x2001_0000 << 96 | (v4 ^ 0xffff_ffff)),
            ("link-local ISATAP", 0xfe80 << 112 | 0x5efe << 32 | v4),
        ];
        for (format, number) in formats {
            let address = Ipv6Addr::from(number);
            assert!(
                strict().check_address(address.into()).is_err(),
                "{format} {address}"
            );
        }
    }
}

#[test]
fn the_list_for_firewalls_is_the_rule() {
    let (table, mut numbers) = (Table::new(), Numbers(22));
    let networks: Vec<_> = refused_v4_networks().collect();
    for (first, last, _) in &table.v4 {
        for number in [
            first.wrapping_sub(1),
            *first,
            *last,
            last.wrapping_add(1),
            numbers.u32(),
        ] {
            let is_listed = networks
                .iter()
                .any(|network| network.contains(&Ipv4Addr::from(number)));
            assert_eq!(!is_listed, table.allows_v4(number), "{}", Ipv4Addr::from(number));
        }
    }
}
