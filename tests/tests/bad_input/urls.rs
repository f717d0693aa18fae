//! URLs of endpoints, as companies and attackers write them: what passes the guard keeps every rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookline_cases::{Mutations, Random, lines, mutated, run};
use hookline_common::guard::{AllowedHost, Host, Policy, parse_cidr};
use rustls::pki_types::ServerName;

const CORPUS: &str = include_str!("corpus/urls.txt");
const WORDS: [&str; 40] = [
    "https://",
    "http://",
    "HTTPS:",
    "ftp://",
    "//",
    "/",
    "\\",
    "@",
    ":",
    ":443",
    ":22",
    ":8443",
    ":0443",
    ":65536",
    "?",
    "#",
    ".",
    "..",
    "%2e",
    "%40",
    "%00",
    "。",
    "．",
    "①",
    "ⓔ",
    "[",
    "]",
    "[::1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::7f00:1]",
    "127.0.0.1",
    "0x7f.1",
    "2130706433",
    "localhost",
    ".internal",
    ".local",
    "xn--",
    "user:pw@",
    "example.com",
    "\u{ad}",
];
/// The longest URL that is taken, in bytes.
const MOST_BYTES: usize = 2048;

#[test]
fn fuzz_no_url_gets_past_the_rules_of_the_guard() {
    let corpus = lines(CORPUS);
    let strict = Policy::default();
    let lax = Policy {
        allow_http: true,
        allow_cidrs: vec![parse_cidr("10.0.0.0/8").unwrap(), parse_cidr("fd00::/8").unwrap()],
        deny_cidrs: vec![
            parse_cidr("10.1.0.0/16").unwrap(),
            parse_cidr("203.0.112.0/24").unwrap(),
        ],
        allow_hosts: vec![
            AllowedHost::parse("receiver").unwrap(),
            AllowedHost::parse("hooks.internal").unwrap(),
        ],
    };
    run("URLs", 5_000, &["passed", "refused"], |random| {
        let raw = match random.below(8) {
            0 => format!("https://{}/hooks", spelt_address(random)),
            1 => format!(
                "https://[{}]/",
                Ipv6Addr::from(u128::from(random.next()) << random.below(65))
            ),
            _ => mutated(
                random,
                &corpus,
                Mutations {
                    words: &WORDS,
                    max_bytes: 1_500,
                },
            ),
        };
        let policy = if random.one_in(2) { &strict } else { &lax };
        match policy.check_url(&raw) {
            Ok(_) => {
                check(policy, &raw);
                "passed"
            }
            Err(refusal) => {
                // What is said of it is short and of our own words, whatever the URL holds.
                let (reason, told) = (refusal.reason(), refusal.to_string());
                assert!(
                    reason
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                    "{reason}"
                );
                assert!(
                    told.len() < 600 && !told.chars().any(char::is_control),
                    "{raw:?}: {told}"
                );
                "refused"
            }
        }
    });
}

fn check(policy: &Policy, raw: &str) {
    let target = policy.check_url(raw).unwrap();
    let url = target.url().as_str();
    assert_eq!(
        policy.check_url(url).as_ref(),
        Ok(&target),
        "{raw:?} is another one when it is looked at again"
    );
    assert!(
        url.len() <= MOST_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic()),
        "{raw:?}: {url}"
    );
    assert!(
        target.is_https() && url.starts_with("https://") || policy.allow_http && url.starts_with("http://"),
        "{raw:?}"
    );
    assert!(
        !url.contains('#') && target.url().username().is_empty() && target.url().password().is_none(),
        "{raw:?}: {url}"
    );
    // The text as it was written says so as well: no reader of it, however lenient, finds userinfo or another host.
    let authority = raw.split_once("//").unwrap().1.split(['/', '?']).next().unwrap();
    assert!(
        !authority.contains(['@', '\\']) && !raw.chars().any(char::is_control),
        "{raw:?}"
    );
    assert!(
        matches!(target.port(), 80 | 443 | 1024..),
        "{raw:?}: {}",
        target.port()
    );
    match target.host() {
        Host::Address(address) => {
            assert_eq!(policy.check_address(*address), Ok(()), "{raw:?}");
            let (allowed, denied) = (&policy.allow_cidrs, &policy.deny_cidrs);
            assert!(!denied.iter().any(|network| network.contains(address)), "{raw:?}");
            let is_allowed = allowed.iter().any(|network| network.contains(address));
            assert!(is_allowed || !is_private(*address), "{raw:?} is {address}");
        }
        Host::Name(name) => {
            let is_allowed = policy.allow_hosts.iter().any(|allowed| allowed.as_str() == name);
            assert!(
                is_allowed || name.contains('.') && !name.ends_with(".internal"),
                "{raw:?}: {name}"
            );
            assert!(
                !name.ends_with('.') && name.parse::<IpAddr>().is_err(),
                "{raw:?}: {name}"
            );
            assert_eq!(target.url().host_str(), Some(name.as_str()), "{raw:?}");
            assert!(
                ServerName::try_from(name.as_str()).is_ok(),
                "TLS cannot be spoken to {name}"
            );
        }
    }
}

/// Inside a network or a machine, as the standard library knows it: none of these may be connected to unasked.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || is_shared
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
        }
    }
}

/// An IPv4 address in one of the ways in which parsers read one, mostly of a network that must not be reached.
fn spelt_address(random: &mut Random) -> String {
    let number = if random.one_in(3) {
        u32::try_from(random.next() >> 32).unwrap()
    } else {
        let first = random.pick(&[
            0x7f00_0000_u32,
            0x0a00_0000,
            0x0a01_0000,
            0xa9fe_0000,
            0xc0a8_0000,
            0xac10_0000,
            0x6440_0000,
            0,
        ]);
        first | u32::try_from(random.below(0x1_0000)).unwrap()
    };
    let [a, b, c, d] = number.to_be_bytes();
    match random.below(8) {
        0 => Ipv4Addr::from(number).to_string(),
        1 => number.to_string(),
        2 => format!("{number:#x}"),
        3 => format!("0{a:o}.0{b:o}.{c:#x}.{d}."),
        4 => format!("{a}.{}", number & 0xff_ffff),
        5 => format!("{a}.{b}.{}", number & 0xffff),
        6 => format!("{a}。{b}．{c}.{d}"),
        _ => format!("{a}.{b}.{c}.%3{}", d % 10),
    }
}
