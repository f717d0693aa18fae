//! What the installation's own lists change, and what they cannot.

use super::*;

fn denying(mut policy: Policy, cidrs: &[&str]) -> Policy {
    policy.deny_cidrs = cidrs.iter().map(|text| parse_cidr(text).unwrap()).collect();
    policy
}

fn reason(policy: &Policy, text: &str) -> Option<&'static str> {
    policy
        .check_address(address(text))
        .err()
        .map(|refusal| refusal.reason())
}

#[test]
fn allowed_networks_let_through_what_they_cover_and_no_more() {
    let policy = allowing(&["127.0.0.0/8", "fd00::/8", "10.1.2.3"], &[]);
    for good in ["127.0.0.1", "127.255.255.255", "fd00::1", "10.1.2.3", "1.1.1.1"] {
        assert_eq!(reason(&policy, good), None, "{good}");
    }
    for bad in [
        "10.1.2.4",
        "fc00::1",
        "::1",
        "169.254.169.254",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::1",
    ] {
        assert!(reason(&policy, bad).is_some(), "{bad}");
    }
    assert!(policy.check_url("http://127.0.0.1:8080/").is_ok());
    assert_eq!(verdict(&policy, "http://localhost:8080/"), Err("name_internal"));
    assert_eq!(
        verdict(&policy, "http://[::ffff:127.0.0.1]:8080/"),
        Err("address_embedded_v4")
    );
}

#[test]
fn an_ipv4_mapped_address_is_let_through_by_its_ipv6_network_alone() {
    let policy = allowing(&["::ffff:127.0.0.0/104"], &[]);
    assert_eq!(reason(&policy, "::ffff:127.0.0.1"), None);
    assert_eq!(reason(&policy, "::ffff:10.0.0.1"), Some("address_embedded_v4"));
    assert_eq!(reason(&policy, "127.0.0.1"), Some("address_loopback"));
}

#[test]
fn nat64_is_never_let_through() {
    let policy = allowing(&["64:ff9b::/96", "64:ff9b:1::/48", "::/1"], &[]);
    for bad in [
        "64:ff9b::808:808",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    ] {
        assert_eq!(reason(&policy, bad), Some("address_nat64"), "{bad}");
    }
    assert_eq!(reason(&policy, "64:ff9b:2::1"), None);
}

#[test]
fn refused_networks_win() {
    let policy = denying(
        allowing(&["10.0.0.0/8", "::ffff:0:0/96", "fd00::/8"], &[]),
        &["10.9.0.0/16", "fd01::/16", "93.184.0.0/16"],
    );
    for bad in [
        "10.9.0.1",
        "fd01::1",
        "93.184.215.14",
        "::ffff:10.9.0.1",
        "::ffff:93.184.215.14",
    ] {
        assert_eq!(reason(&policy, bad), Some("address_denied"), "{bad}");
    }
    for good in ["10.8.0.1", "fd00::1", "93.185.0.0", "::ffff:10.8.0.1"] {
        assert_eq!(reason(&policy, good), None, "{good}");
    }
    assert_eq!(verdict(&policy, "https://93.184.215.14/"), Err("address_denied"));
}

#[test]
fn allowed_hosts_are_single_names_and_free_no_address() {
    let policy = allowing(&[], &["receiver", "LocalHost.", "hooks.corp"]);
    for good in ["receiver", "RECEIVER.", "localhost", "hooks.corp"] {
        assert!(
            policy.check_url(&format!("http://{good}:8080/")).is_ok(),
            "{good}"
        );
    }
    for bad in ["a.localhost", "corp", "other.corp", "receiver2"] {
        assert_eq!(
            verdict(&policy, &format!("http://{bad}/")),
            Err("name_internal"),
            "{bad}"
        );
    }
    assert_eq!(reason(&policy, "127.0.0.1"), Some("address_loopback"));
    assert_eq!(verdict(&policy, "http://receiver:6379/"), Err("url_port"));
}

#[test]
fn networks_are_read_strictly() {
    for (text, network) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("::1", "::1/128"),
        ("fd00::1/8", "fd00::/8"),
        ("1.2.3.4/32", "1.2.3.4/32"),
        ("::/1", "::/1"),
    ] {
        assert_eq!(
            parse_cidr(text).map(|network| network.to_string()).as_deref(),
            Ok(network),
            "{text}"
        );
    }
    for text in ["0.0.0.0/0", "127.0.0.1/0", "::/0", "::1/00"] {
        assert_eq!(parse_cidr(text), Err(InvalidCidr::Everything), "{text}");
    }
    for text in [
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "::/129",
        "10.0.0/8",
        "010.0.0.0/8",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        " 10.0.0.0/8",
        "10.0.0.0/8/8",
        "10.0.0.0/256",
        "localhost",
        "*",
        "[::1]",
        "fe80::1%eth0",
        "10.0.0.0-10.0.0.9",
    ] {
        assert_eq!(parse_cidr(text), Err(InvalidCidr::Grammar), "{text}");
    }
}

#[test]
fn networks_that_add_up_to_every_address_are_told_from_those_that_do_not() {
    let networks = |text: &str| -> Vec<_> {
        text.split_whitespace()
            .map(|text| parse_cidr(text).unwrap())
            .collect()
    };
    // Every /8 there is, the last one as two halves, in no order.
    let pieces = (0..255).rev().map(|first| format!("{first}.0.0.0/8"));
    let in_pieces: Vec<_> = pieces
        .chain(["255.128.0.0/9".to_owned(), "255.0.0.0/9".to_owned()])
        .collect();
    for all in [
        "0.0.0.0/1 128.0.0.0/1",
        "128.0.0.0/1 10.0.0.0/8 0.0.0.0/2 64.0.0.0/2",
        "::/1 8000::/1",
        "8000::/2 c000::/2 ::/1 127.0.0.0/8",
        "::ffff:0:0/96",
        "::ffff:0.0.0.0/97 ::ffff:128.0.0.0/97",
        "::ffff:0.0.0.0/97 128.0.0.0/1",
        "::/1",
        &in_pieces.join(" "),
    ] {
        assert!(add_up_to_everything(&networks(all)), "{all}");
    }
    for some in [
        "",
        "0.0.0.0/1",
        "0.0.0.0/1 128.0.0.0/2",
        "0.0.0.0/1 8000::/1",
        "8000::/1 4000::/2",
        "::ffff:127.0.0.0/104 127.0.0.0/8 ::1",
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
        &in_pieces[1..].join(" "),
    ] {
        assert!(!add_up_to_everything(&networks(some)), "{some}");
    }
}

#[test]
fn hosts_in_settings_are_read_strictly() {
    for (text, name) in [
        ("receiver", "receiver"),
        ("Hooks.Example.COM.", "hooks.example.com"),
        ("bücher.de", "xn--bcher-kva.de"),
    ] {
        assert_eq!(
            AllowedHost::parse(text).map(|host| host.to_string()).as_deref(),
            Ok(name)
        );
    }
    for text in ["127.0.0.1", "2130706433", "0x7f.1", "127.1."] {
        assert_eq!(AllowedHost::parse(text), Err(InvalidHost::Address), "{text}");
    }
    for text in [
        "", ".", "*", "*.corp", "a b", " a", "a:80", "http://a", "a/b", "u@a", "a..b", "[::1]", "%61", "-a",
        "a-.corp",
    ] {
        assert_eq!(AllowedHost::parse(text), Err(InvalidHost::Grammar), "{text}");
    }
    for text in ["a.invalid", "invalid", "Shop.Onion."] {
        assert_eq!(
            AllowedHost::parse(text),
            Err(InvalidHost::NeverLookedUp),
            "{text}"
        );
    }
    assert!(AllowedHost::parse("notonion").is_ok());
}

#[test]
fn refusals_and_targets_show_neither_userinfo_nor_path_nor_query() {
    for url in [
        "https://MARKER:MARKER@example.com/",
        "https://MARKER@localhost/MARKER?MARKER",
        "https://localhost/MARKER?MARKER",
        "https://10.0.0.1/MARKER?MARKER",
        "https://example.com:22/MARKER?MARKER",
        "https://exa mple.com/MARKER",
        "https://example.com/MARKER#MARKER",
        "MARKER:MARKER@example.com",
        "MARKER",
        "http://example.com/?MARKER",
        "https://[MARKER]/",
        "https://example.com/MARKER?MARKER",
    ] {
        let printed = match strict().check_url(url) {
            Ok(target) => format!("{target:?}"),
            Err(refusal) => format!("{refusal} {refusal:?} {}", refusal.reason()),
        };
        assert!(!printed.contains("MARKER"), "{url}: {printed}");
    }
}

#[test]
fn texts_name_the_way_out() {
    let text = |url: &str| strict().check_url(url).unwrap_err().to_string();
    assert_eq!(
        text("https://10.0.0.1/"),
        "the address 10.0.0.1 is not allowed (a private network, RFC 1918); use a public one, or let it through with \
         HOOKLINE_ALLOW_CIDRS"
    );
    assert!(text("https://receiver/").contains("HOOKLINE_ALLOW_HOSTS"));
    assert!(text("http://example.com/").contains("HOOKLINE_ALLOW_HTTP"));
}
