//! The catalogue's rows about URLs, and the cases next to them.

use super::*;

/// Case, hosts (and what follows them) as they stand in a URL, the reason that refuses them.
const HOSTS: &[(&str, &str, &str)] = &[
    (
        "B32",
        "2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 127.1 127.0.1",
        "address_loopback",
    ),
    ("B32", "127.0.0.1. 0x7F.1 0x7f.0x0.0x0.0x1", "address_loopback"),
    (
        "B34",
        "2852039166 169.254.43518 169.16689662 0251.0376.0251.0376",
        "address_link_local",
    ),
    (
        "B34",
        "0251.00376.000251.0000376 0251.254.169.254",
        "address_link_local",
    ),
    (
        "B35",
        "425.510.425.510 7147006462 0x41414141A9FEA9FE 256.1.1.1 1.2.3.4.5",
        "url_malformed",
    ),
    ("B35", "09.0.0.1 0o177.0.0.1 foo.0x4", "url_malformed"),
    (
        "B36",
        "①②⑦.⓪.⓪.① 127。0。0。1 １２７.0.0.1 %31%32%37.0.0.1",
        "address_loopback",
    ),
    (
        "B38",
        "[fe80::1%25eth0] [fe80::1%eth0] [127.0.0.1] [::1]. [[::1]] [::1 ::1] [] ::1",
        "url_malformed",
    ),
    (
        "B42",
        "u:p@h example.com@127.0.0.1 127.0.0.1@example.com 127.0.0.1%2f@example.com",
        "url_userinfo",
    ),
    (
        "B42",
        "@example.com :@example.com @ a@b@c.com example.com\\@127.0.0.1",
        "url_userinfo",
    ),
    ("B44", ":80 127.0.0.1:80:80 /example.com", "url_malformed"),
    (
        "B45",
        "example.com#@127.0.0.1 example.com/# example.com/a?b#c",
        "url_fragment",
    ),
    (
        "B48",
        "a234567890b234567890c234567890d234567890e234567890f234567890g234.com",
        "name_malformed",
    ),
    (
        "B49",
        "h.com:0 h.com:22 h.com:25 h.com:81 h.com:444 h.com:1023",
        "url_port",
    ),
    (
        "B49",
        "h.com:2375 h.com:2379 h.com:3306 h.com:5432 h.com:5672 h.com:6379 h.com:6443",
        "url_port",
    ),
    (
        "B49",
        "h.com:9200 h.com:9300 h.com:10250 h.com:11211 h.com:15672 h.com:27017",
        "url_port",
    ),
    (
        "B49",
        "h.com:65536 h.com:99999999999 h.com:-1 h.com:+443 h.com:0x1bb h.com:a",
        "url_malformed",
    ),
    (
        "B51",
        "localhost LOCALHOST localhost. foo.localhost ⓛⓞⓒⓐⓛⓗⓞⓢⓣ l%6fcalhost",
        "name_internal",
    ),
    ("B51", "localhost.localdomain ip6-loopback", "name_internal"),
    (
        "B52",
        "metadata metadata.google.internal METADATA.GOOGLE.INTERNAL. metadata.goog",
        "name_internal",
    ),
    (
        "B52",
        "instance-data kubernetes.default.svc host.docker.internal rancher-metadata",
        "name_internal",
    ),
    (
        "B52",
        "a.internal a.local a.localhost a.home.arpa a.svc a.cluster.local a.lan a.corp",
        "name_internal",
    ),
    (
        "B52",
        "a.onion a.test a.invalid home.arpa cluster.local",
        "name_internal",
    ),
    (
        "B53",
        "kubernetes rabbitmq postgres backend com receiver. bücher",
        "name_internal",
    ),
    (
        "names",
        "a..com a.com.. .a.com a*b.com a,b.com $.com a!.com \"a\".com",
        "name_malformed",
    ),
    (
        "names",
        "-a.com a-.com a.-b.com a.b-.com a.-.com a.com- -.com",
        "name_malformed",
    ),
    (
        "names",
        "1.0.0.127.in-addr.arpa 1.ip6.arpa in-addr.arpa",
        "name_internal",
    ),
    (
        "parser",
        "a%00.com a%2f.com a%40b.com a＠b.com a／b.com a%20b.com a|b.com a<b.com",
        "url_malformed",
    ),
    (
        "parser",
        "example.com\\.evil.com \\example.com example.com\\",
        "url_malformed",
    ),
];

/// The same for hosts that hold the whitespace which separates the others.
const HOSTS_WITH_BLANKS: &[&str] = &[
    "1.1.1.1 &@2.2.2.2# @3.3.3.3",
    "ex\tample.com",
    "example.com/a\r\nHost: evil",
    "example.com\n",
    "exam\0ple.com",
    "example.com/a b",
    "example.com\u{a0}",
    "example.com\u{85}",
    "example.com/\u{2028}",
    "example.com/\u{7f}",
];

#[test]
fn hosts_are_refused_for_their_reasons() {
    let listed = HOSTS
        .iter()
        .flat_map(|(case, hosts, reason)| hosts.split_whitespace().map(move |host| (*case, host, *reason)));
    let blanks = HOSTS_WITH_BLANKS
        .iter()
        .map(|host| ("B46", *host, "url_characters"));
    for (case, host, reason) in listed.chain(blanks) {
        for url in [format!("https://{host}/hook"), format!("https://{host}/hook?x=1")] {
            assert_eq!(verdict(&strict(), &url), Err(reason), "{case} {url:?}");
        }
        let url = format!("http://{host}");
        assert_eq!(verdict(&allowing(&[], &[]), &url), Err(reason), "{case} {url:?}");
    }
}

/// Case, whole URLs, the reason.
const URLS: &[(&str, &str, &str)] = &[
    (
        "B39",
        "gopher://127.0.0.1:70/_x unknown://example.com/",
        "url_scheme",
    ),
    (
        "B40",
        "ftp://example.com/ file:///etc/passwd dict://example.com:11211/",
        "url_scheme",
    ),
    (
        "B40",
        "ldap://example.com/ tftp://example.com/ jar:http://example.com!/",
        "url_scheme",
    ),
    (
        "B40",
        "ws://example.com/ wss://example.com/ unix:/var/run/docker.sock",
        "url_scheme",
    ),
    (
        "B40",
        "data:text/html,x javascript:alert(1) blob:https://example.com/x",
        "url_scheme",
    ),
    (
        "B40",
        "httpss://example.com/ view-source:https://example.com/ localhost:8080/x",
        "url_scheme",
    ),
    ("B41", "http://example.com/ HTTP://EXAMPLE.COM", "url_http"),
    (
        "B44",
        "//127.0.0.1/ 127.0.0.1 127.0.0.1:80 : ://example.com/ /hooks example",
        "url_malformed",
    ),
    (
        "B44",
        "https: https:/ https:// https:/// https://? https://?a",
        "url_malformed",
    ),
    (
        "B44",
        "https:example.com https:/example.com/ https:///example.com/",
        "url_malformed",
    ),
    (
        "B44",
        "https:\\\\example.com/ https:/\\example.com/",
        "url_malformed",
    ),
];

#[test]
fn urls_are_refused_for_their_reasons() {
    for (case, urls, reason) in URLS {
        for url in urls.split_whitespace() {
            assert_eq!(verdict(&strict(), url), Err(*reason), "{case} {url:?}");
        }
    }
    assert_eq!(verdict(&strict(), ""), Err("url_malformed"));
    for url in [
        " https://example.com/",
        "https://example.com/ ",
        "ht\ntps://example.com/",
        "\u{1}https://a.com/",
    ] {
        assert_eq!(verdict(&strict(), url), Err("url_characters"), "{url:?}");
    }
}

/// Case, URL, what it becomes.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "B30",
        "https://[2606:4700:4700:0:0:0:0:1111]/",
        "https://[2606:4700:4700::1111]/",
    ),
    ("B40", "HTTPS://EXAMPLE.COM", "https://example.com/"),
    (
        "B45",
        "https://example.com?@127.0.0.1/",
        "https://example.com/?@127.0.0.1/",
    ),
    (
        "B45",
        "https://example.com/@127.0.0.1",
        "https://example.com/@127.0.0.1",
    ),
    (
        "B47",
        "https://example.com/%0d%0aHost:%20evil",
        "https://example.com/%0d%0aHost:%20evil",
    ),
    ("B49", "https://example.com:443/", "https://example.com/"),
    ("B49", "https://example.com:00443/", "https://example.com/"),
    ("B49", "https://example.com:/", "https://example.com/"),
    ("B49", "https://example.com:80/", "https://example.com:80/"),
    ("B49", "https://example.com:1024/", "https://example.com:1024/"),
    ("B49", "https://example.com:8443/", "https://example.com:8443/"),
    ("B49", "https://example.com:65535/", "https://example.com:65535/"),
    ("names", "https://Example.COM./a", "https://example.com/a"),
    (
        "names",
        "https://bücher.example/ü?ü",
        "https://xn--bcher-kva.example/%C3%BC?%C3%BC",
    ),
    ("names", "https://my_hooks.a-b.co/", "https://my_hooks.a-b.co/"),
    (
        "names",
        "https://a_b.c_d.example.com/",
        "https://a_b.c_d.example.com/",
    ),
    (
        "names",
        "https://_a.b_.example.com/",
        "https://_a.b_.example.com/",
    ),
    (
        "names",
        "https://a--b.3-4.example.com/",
        "https://a--b.3-4.example.com/",
    ),
    ("names", "https://notlocalhost.com/", "https://notlocalhost.com/"),
    (
        "names",
        "https://internal.example.com/",
        "https://internal.example.com/",
    ),
    ("names", "https://hooks.mylocal/", "https://hooks.mylocal/"),
    (
        "path",
        "https://example.com/a/../b/./c",
        "https://example.com/b/c",
    ),
    (
        "path",
        "https://example.com/a\\b?c\\d",
        "https://example.com/a/b?c\\d",
    ),
];

#[test]
fn allowed_urls_get_one_normal_form() {
    for (case, url, normal) in ALLOWED {
        assert_eq!(verdict(&strict(), url).as_deref(), Ok(*normal), "{case} {url}");
    }
}

#[test]
fn plain_http_is_allowed_by_the_flag_alone() {
    let policy = allowing(&[], &[]);
    let target = policy.check_url("HTTP://EXAMPLE.COM").unwrap();
    assert_eq!(target.url().as_str(), "http://example.com/");
    assert_eq!((target.port(), target.is_https()), (80, false));
    let target = strict().check_url("https://example.com/").unwrap();
    assert_eq!((target.port(), target.is_https()), (443, true));
    assert_eq!(target.host(), &Host::Name("example.com".to_owned()));
}

#[test]
fn lengths_are_held_to_the_byte() {
    let of_length = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
    assert!(strict().check_url(&of_length(2048)).is_ok());
    assert_eq!(verdict(&strict(), &of_length(2049)), Err("url_length"));
    assert_eq!(
        verdict(&strict(), &format!("https://example.com/?{}", "a".repeat(8192))),
        Err("url_length")
    );
    // Short enough as given, too long once its letters are escaped.
    assert_eq!(
        verdict(&strict(), &format!("https://example.com/{}", "é".repeat(1000))),
        Err("url_length")
    );

    let labels = |last: usize| format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(last));
    assert!(strict().check_url(&format!("https://{}/", labels(61))).is_ok());
    assert!(strict().check_url(&format!("https://{}./", labels(61))).is_ok());
    assert_eq!(
        verdict(&strict(), &format!("https://{}/", labels(62))),
        Err("name_malformed")
    );
}
