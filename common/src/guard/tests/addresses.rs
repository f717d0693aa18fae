//! The catalogue's rows about addresses. Rows about sockets and redirects are the dispatcher's.

use super::*;

/// Case, refused addresses, allowed addresses next to them.
const ADDRESSES: &[(&str, &str, &str)] = &[
    ("B1", "0.0.0.0 0.1.2.3 0.255.255.255", "1.0.0.0"),
    ("B2", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0"),
    (
        "B3",
        "100.64.0.0 100.100.100.200 100.127.255.255",
        "100.63.255.255 100.128.0.0",
    ),
    (
        "B4",
        "127.0.0.0 127.0.0.1 127.127.127.127 127.255.255.255",
        "126.255.255.255 128.0.0.0",
    ),
    (
        "B5",
        "169.254.169.254 169.254.170.2 169.254.170.23",
        "169.253.255.255 169.255.0.0",
    ),
    ("B5", "169.254.0.0 169.254.255.255", ""),
    ("B6", "172.16.0.0 172.31.255.255", "172.15.255.255 172.32.0.0"),
    (
        "B7",
        "192.0.0.0 192.0.0.192 192.0.0.9 192.0.0.255",
        "191.255.255.255 192.0.1.0",
    ),
    ("B8", "192.0.2.0 192.0.2.1 192.0.2.255", "192.0.1.255 192.0.3.0"),
    (
        "B8",
        "198.51.100.0 198.51.100.1 198.51.100.255",
        "198.51.99.255 198.51.101.0",
    ),
    (
        "B8",
        "203.0.113.0 203.0.113.1 203.0.113.255",
        "203.0.112.255 203.0.114.0",
    ),
    (
        "B9",
        "192.88.99.0 192.88.99.1 192.88.99.255",
        "192.88.98.255 192.88.100.0",
    ),
    (
        "B10",
        "192.168.0.0 192.168.255.255",
        "192.167.255.255 192.169.0.0",
    ),
    ("B11", "198.18.0.0 198.19.255.255", "198.17.255.255 198.20.0.0"),
    (
        "B12",
        "224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255",
        "223.255.255.255",
    ),
    (
        "B13",
        "",
        "192.31.196.1 192.52.193.1 192.175.48.1 2620:4f:8000::6",
    ),
    ("B14", "168.63.129.16", "168.63.129.15 168.63.129.17"),
    ("B16", ":: ::1 0000::1", ""),
    (
        "B17",
        "::ffff:127.0.0.1 ::ffff:7f00:1 0:0:0:0:0:ffff:169.254.169.254",
        "",
    ),
    ("B18", "::ffff:8.8.8.8", ""),
    ("B19", "::127.0.0.1 ::7f00:1 ::a9fe:a9fe", ""),
    (
        "B21",
        "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::808:808 64:ff9b:1::1",
        "",
    ),
    (
        "B25",
        "2002:7f00:1::1 2002:a9fe:a9fe::1 2002:808:808::1",
        "2003::1",
    ),
    (
        "B26",
        "2001:db8::1 3fff::1",
        "2001:db7:ffff::1 2001:db9::1 3fff:1000::1",
    ),
    (
        "B28",
        "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd7a:115c:a1e0::1 fc00::1",
        "",
    ),
    ("B29", "fe80::1 febf::1 fec0::1 ff02::1 ff0e::1", ""),
    ("B30", "", "2606:4700:4700::1111 1.1.1.1 8.8.8.8"),
    (
        "R2",
        "2001::1 2001:1ff:ffff::1 100::1 5f00::1 4000::1 1fff::1",
        "2001:200::1 2000::1",
    ),
];

#[test]
fn addresses_are_judged_alike_from_dns_and_as_literals() {
    let literal = |text: &str| {
        if text.contains(':') {
            format!("https://[{text}]/")
        } else {
            format!("https://{text}/")
        }
    };
    for (case, refused, allowed) in ADDRESSES {
        for text in refused.split_whitespace() {
            let refusal = strict().check_address(address(text)).unwrap_err();
            assert!(
                refusal.reason().starts_with("address_"),
                "{case} {text}: {refusal}"
            );
            assert_eq!(
                verdict(&strict(), &literal(text)),
                Err(refusal.reason()),
                "{case} {text}"
            );
        }
        for text in allowed.split_whitespace() {
            assert_eq!(strict().check_address(address(text)), Ok(()), "{case} {text}");
            let target = strict().check_url(&literal(text)).unwrap();
            assert_eq!(target.host(), &Host::Address(address(text)), "{case} {text}");
        }
    }
}

/// Case, the addresses of one answer, whether it may be used.
const ANSWERS: &[(&str, &str, bool)] = &[
    ("B54", "127.0.0.1", false),
    ("B54", "169.254.169.254", false),
    ("B54", "0.0.0.0", false),
    ("B54", "::1", false),
    ("B54", "::ffff:127.0.0.1", false),
    ("B54", "64:ff9b::7f00:1", false),
    ("B55", "1.1.1.1 10.0.0.1", false),
    ("B55", "10.0.0.1 1.1.1.1", false),
    ("B55", "1.1.1.1 fd00::1", false),
    ("B59", "1.1.1.1 8.8.8.8 2606:4700:4700::1111", true),
    ("B61", "", true),
];

#[test]
fn dns_answers_are_refused_whole() {
    for (case, texts, expected) in ANSWERS {
        let addresses: Vec<IpAddr> = texts.split_whitespace().map(address).collect();
        assert_eq!(
            strict().check_answer(&addresses).is_ok(),
            *expected,
            "{case} {texts}"
        );
    }
}
