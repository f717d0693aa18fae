//! The header rule.

use proptest::prelude::*;

use super::*;

fn reason(name: &str, value: &str) -> Option<&'static str> {
    check_header(name, value).err().map(|refusal| refusal.reason())
}

#[test]
fn harmless_headers_are_allowed() {
    for name in [
        "x-team",
        "X-Team",
        "Authorization",
        "x-api-key",
        "a",
        "!#$%&'*+-.^_`|~",
        "x-content",
        "x-webhook",
        "x-client-id",
        "x-original",
        "x-hostname",
        "x-request-id",
        "CF-Access-Client-Id",
        "Fastly-Key",
        &"x".repeat(128),
    ] {
        assert_eq!(reason(name, "crm"), None, "{name}");
    }
    for value in ["", "a b\tc", " ~!", "Bearer abc==", &"v".repeat(4096)] {
        assert_eq!(reason("x-team", value), None, "{value:?}");
    }
}

/// Names that are refused.
const KEPT: &str = "
    Host HOST Content-Length content-type Content-Encoding Transfer-Encoding Connection Keep-Alive
    Cookie Expect Upgrade TE Trailer Proxy-Authorization Proxy-Connection X-Forwarded-For
    x-forwarded-host Forwarded Metadata Metadata-Flavor Metadata-Token X-aws-ec2-metadata-token
    X-aws-ec2-metadata-token-ttl-seconds X-Google-Metadata-Request X-IDENTITY-HEADER webhook-id
    Webhook-Signature webhook-anything Meeva-Signature svix-signature Signature User-Agent
    X-HTTP-Method-Override content_length X_Forwarded_For Meeva_Signature Transfer_Encoding
    X-Original-URL X-Rewrite-URL X-Host Client-IP True-Client-IP CF-Connecting-IP CF-Connecting-IPv6
    X-Client-IP X-Real-IP X-Cluster-Client-IP Fastly-Client-IP X-Original-Host X-Original-Method X-Forwarded
    X-Original-Forwarded-For X-Envoy-External-Address X-Envoy-Original-Path X-AppEngine-User-IP
    X-Azure-ClientIP WL-Proxy-Client-IP X-Remote-Addr X-Remote-User Remote-User X-SSL-Client-Verify
    X-Client-Cert X-MS-CLIENT-PRINCIPAL-NAME X-Amzn-Oidc-Identity X-Goog-Authenticated-User-Email
    X-Middleware-Subrequest Front-End-Https client_ip TRUE_CLIENT_IP x_original_url
";

#[test]
fn b68_headers_of_the_request_of_proxies_and_of_clouds_are_refused() {
    for name in KEPT.split_whitespace() {
        assert_eq!(reason(name, "x"), Some("header_forbidden"), "{name}");
    }
}

#[test]
fn b68_names_are_tokens() {
    for name in [
        "",
        "a b",
        "a:",
        "a\r\n",
        "é",
        "a\0",
        "a\tb",
        "(a)",
        "\"a\"",
        "a,b",
        "a/b",
        "{a}",
        "x-team ",
        &"x".repeat(129),
    ] {
        assert_eq!(reason(name, "x"), Some("header_name"), "{name:?}");
    }
}

#[test]
fn b68_values_are_visible_and_short() {
    for value in [
        "a\r\nX: y",
        "a\nb",
        "a\rb",
        "a\0b",
        "é",
        "\u{7f}",
        "\u{1b}[31m",
        "\u{85}",
    ] {
        assert_eq!(reason("x-team", value), Some("header_value"), "{value:?}");
    }
    assert_eq!(reason("x-team", &"v".repeat(4097)), Some("header_length"));
    assert_eq!(reason("x-team", &"v".repeat(8192)), Some("header_length"));
}

#[test]
fn texts_do_not_show_the_value() {
    for (name, value) in [
        ("x-team", "MARKER\n"),
        ("cookie", "MARKER"),
        ("a b", "MARKER"),
        ("x-team", &"MARKER".repeat(999)),
    ] {
        let refusal = check_header(name, value).unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains("MARKER"), "{name}");
    }
}

proptest! {
    #[test]
    fn what_passes_cannot_split_a_request(name in ".{0,12}", value in ".{0,40}") {
        let line = format!("{name}: {value}");
        if check_header(&name, &value).is_ok() {
            prop_assert!(!name.is_empty() && !name.contains([':', ' ', '\t']));
            prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b) || b == b'\t'));
        }
    }
}
