//! The name rule: names that only mean something inside a network are refused before anyone resolves them.

use super::Refusal;

/// Names that stand for something internal, alone and with anything before them.
const INTERNAL: &[(&str, &str)] = &[
    ("localhost", "the machine itself, RFC 6761"),
    ("localdomain", "the machine itself"),
    (
        "internal",
        "private use, as ICANN reserved it, and clouds' metadata services",
    ),
    ("local", "multicast DNS, RFC 6762, and Kubernetes clusters"),
    ("home.arpa", "home networks, RFC 8375"),
    ("svc", "services of a Kubernetes cluster"),
    ("lan", "private networks"),
    ("corp", "private networks"),
    ("home", "private networks"),
    ("intranet", "private networks"),
    ("private", "private networks"),
    ("onion", "Tor, RFC 7686"),
    ("test", "reserved for tests, RFC 6761"),
    ("invalid", "reserved, RFC 6761"),
    ("alt", "reserved for names outside of DNS, RFC 9476"),
    ("in-addr.arpa", "names of addresses, RFC 1035"),
    ("ip6.arpa", "names of addresses, RFC 3596"),
    ("metadata.goog", "a cloud's metadata service"),
    ("metadata.tencentyun.com", "a cloud's metadata service"),
    ("metadata.packet.net", "a cloud's metadata service"),
    ("metadata.platformequinix.com", "a cloud's metadata service"),
];

/// Checks a name that is already in lower-case ASCII and without the dot of the root. One that `is_allowed` by the policy
/// may be internal, and must be a name all the same.
pub(super) fn check(name: &str, is_allowed: bool) -> Result<(), Refusal> {
    if !is_dns_name(name) {
        return Err(Refusal::NameMalformed);
    }
    if is_allowed {
        return Ok(());
    }
    match internal(name) {
        Some(what) => Err(Refusal::NameInternal {
            name: name.to_owned(),
            what,
        }),
        None => Ok(()),
    }
}

/// Lengths as RFC 1035 §2.3.4 has them. The URL parser lets any length and many further characters through.
/// Underscores are no part of host names there, but stand in many. A hyphen stands between others (RFC 1123 §2.1): no
/// certificate can be for a name in which it does not, so that TLS could never be spoken there.
pub(super) fn is_dns_name(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether nobody is ever asked about the name: what serves as an answer is fixed, and it is "no" (RFC 6761 §6.4,
/// RFC 7686 §2). A name below `localhost` has one that is "yes".
pub(super) fn is_never_looked_up(name: &str) -> bool {
    ["invalid", "onion"].iter().any(|suffix| is_below(name, suffix))
}

/// Whether `name` is `suffix` or ends in it, after a dot.
fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn internal(name: &str) -> Option<&'static str> {
    INTERNAL
        .iter()
        .find(|(suffix, _)| is_below(name, suffix))
        .map(|(_, what)| *what)
        .or_else(|| (!name.contains('.')).then_some("a single word means something only inside a network"))
}
