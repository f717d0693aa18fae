#![allow(clippy::unwrap_used)]
use axum::http::HeaderValue;
use hookline_common::ids::EventId;
use hookline_common::signature::SigningKeys;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str =
    r#"{"id":"evt_1","type":"booking.created","createdAt":"2030-01-01T00:00:00Z","data":{"a":1}}"#;
const PLAIN: Terminal = Terminal {
    width: None,
    has_colour: false,
};

fn report(headers: &HeaderMap, body: &[u8], secrets: &[Secret], now: i64) -> String {
    let (method, uri) = (Method::POST, Uri::from_static("/hooks"));
    let at = Timestamp::from_second(now).unwrap();
    text(
        &Received {
            at,
            method: &method,
            uri: &uri,
            headers,
            body,
        },
        secrets,
        Shown {
            headers: true,
            max_lines: 40,
        },
        PLAIN,
    )
}

fn signed() -> (HeaderMap, Vec<Secret>) {
    let secret = Secret::parse(SECRET).unwrap();
    let keys = SigningKeys::new(&secret, None);
    let id = EventId::parse("evt_1").unwrap();
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| headers.insert(name, HeaderValue::from_str(value).unwrap());
    set("webhook-id", "evt_1");
    set("webhook-timestamp", "1700000000");
    set("webhook-attempt", "2");
    set(
        "webhook-signature",
        &keys.standard(&id, 1_700_000_000, BODY.as_bytes()).unwrap(),
    );
    set("meeva-signature", &keys.meeva(BODY.as_bytes()));
    (headers, vec![secret])
}

#[test]
fn a_signed_request_is_told_in_full() {
    let (headers, secrets) = signed();
    let text = report(&headers, BODY.as_bytes(), &secrets, 1_700_000_000);
    for part in [
        "POST /hooks  booking.created  evt_1",
        "attempt 2, 89 bytes",
        "Meeva-Signature    valid",
        "webhook-signature  valid",
        "    \"data\": {",
        "  webhook-attempt: 2",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn each_scheme_has_a_verdict_of_its_own() {
    let (mut headers, secrets) = signed();
    let late = report(&headers, BODY.as_bytes(), &secrets, 1_700_000_301);
    assert!(
        late.contains("webhook-signature  INVALID: the timestamp is 301 s old"),
        "{late}"
    );
    assert!(late.contains("Meeva-Signature    valid"), "{late}");
    headers.remove("meeva-signature");
    let other = report(&headers, b"{}", &secrets, 1_700_000_000);
    assert!(
        other.contains("Meeva-Signature    absent") && other.contains("webhook-signature  INVALID"),
        "{other}"
    );
    let unchecked = report(&headers, b"{}", &[], 1_700_000_000);
    assert!(
        unchecked.contains("webhook-signature  not checked: give --secret"),
        "{unchecked}"
    );
}

#[test]
fn no_stranger_moves_the_cursor() {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_bytes(b"\x9b31m\xffx").unwrap());
    headers.insert(
        "user-agent",
        HeaderValue::from_bytes("a\u{9b}b".as_bytes()).unwrap(),
    );
    for body in [
        &b"{\"type\":\"\\u001b[2J\"}"[..],
        b"\x1b[2J\r\nx",
        "\u{202e}".as_bytes(),
        b"\xff\x00",
    ] {
        let text = report(&headers, body, &[], 0);
        assert!(
            !text.contains(['\x1b', '\r', '\u{9b}', '\u{202e}', '\0']),
            "{text:?}"
        );
    }
}

#[test]
fn long_bodies_are_cut() {
    let text = report(&HeaderMap::new(), "x\n".repeat(1000).as_bytes(), &[], 0);
    assert!(text.lines().count() < 50 && text.ends_with('…'), "{text}");
    let text = report(&HeaderMap::new(), "x".repeat(100_000).as_bytes(), &[], 0);
    assert!(text.len() < 1000);
}
