//! Every outcome has words, and what the dispatcher says of its failures is recognised.

#![allow(clippy::unwrap_used)]
use std::collections::HashSet;
use std::io::ErrorKind;
use std::time::Duration;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::*;

/// All explanations that there are, each once for every way to it.
fn every_one() -> Vec<Explanation> {
    let mut all: Vec<Explanation> = Outcome::ALL
        .into_iter()
        .map(|outcome| explain(outcome, None, None))
        .collect();
    all.extend((300..600).map(|status| explain(Outcome::HttpStatus, Some(status), None)));
    let tables = [&TIMEOUTS[..], &CONNECT_ERRORS, &TLS_ERRORS, &PROTOCOL_ERRORS];
    all.extend(
        tables
            .into_iter()
            .flatten()
            .map(|(_, explanation)| explanation.clone()),
    );
    all
}

#[test]
fn every_outcome_is_told_in_a_sentence_with_a_next_step() {
    for Explanation { sentence, next_step } in every_one() {
        for text in [&sentence, &next_step] {
            assert!(
                text.ends_with('.') && text.starts_with(char::is_uppercase),
                "{text}"
            );
            assert!((20..=160).contains(&text.len()), "{text}");
            assert!(
                !text.contains('_') && !text.contains("  "),
                "no word of the code: {text}"
            );
        }
        assert_eq!(sentence.matches(". ").count(), 0, "{sentence}");
    }
}

#[test]
fn no_two_outcomes_are_told_alike() {
    let general: HashSet<_> = Outcome::ALL
        .into_iter()
        .map(|outcome| explain(outcome, None, None).sentence)
        .collect();
    assert_eq!(general.len(), Outcome::ALL.len());
    let statuses: HashSet<_> = (300..600)
        .map(|status| explain(Outcome::HttpStatus, Some(status), None).sentence)
        .collect();
    assert_eq!(statuses.len(), 300);
}

#[test]
fn a_status_is_named_with_its_number_and_what_is_often_behind_it() {
    for (status, part) in [
        (301, "never followed"),
        (308, "never followed"),
        (401, "who asks"),
        (403, "does not allow"),
        (404, "nothing at the URL's path"),
        (405, "no POST"),
        (410, "gone for good"),
        (413, "larger"),
        (415, "application/json"),
        (418, "refused the request"),
        (422, "refused what is in it"),
        (429, "fewer requests"),
        (500, "failed while it handled"),
        (502, "before the endpoint"),
        (503, "not available"),
        (504, "before the endpoint"),
        (999, "no success"),
    ] {
        let sentence = explain(Outcome::HttpStatus, Some(status), None).sentence;
        assert!(
            sentence.contains(part) && sentence.contains(&format!("({status})")),
            "{sentence}"
        );
    }
}

/// The dispatcher writes `no connection: ` and the kind of the system's error.
#[test]
fn what_the_system_says_of_a_connection_is_recognised() {
    for (kind, part) in [
        (ErrorKind::ConnectionRefused, "nothing listens"),
        (ErrorKind::HostUnreachable, "no way"),
        (ErrorKind::NetworkUnreachable, "no way"),
        (ErrorKind::ConnectionReset, "cut off"),
        (ErrorKind::AddrNotAvailable, "No connection"),
    ] {
        let error = format!("no connection: {kind}");
        let sentence = explain(Outcome::ConnectError, None, Some(&error)).sentence;
        assert!(sentence.contains(part), "{error}: {sentence}");
    }
}

/// The dispatcher writes `TLS handshake failed: ` and the library's error.
#[test]
fn what_the_library_says_of_tls_is_recognised() {
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let expired = CertificateError::ExpiredContext {
        time: at(2),
        not_after: at(1),
    };
    let not_yet = CertificateError::NotValidYetContext {
        time: at(1),
        not_before: at(2),
    };
    let other_name = CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("a.example").unwrap(),
        presented: vec!["b.example".to_owned()],
    };
    for (error, part) in [
        (Error::InvalidCertificate(expired), "has expired"),
        (Error::InvalidCertificate(not_yet), "not valid yet"),
        (Error::InvalidCertificate(other_name), "another name"),
        (
            Error::InvalidCertificate(CertificateError::UnknownIssuer),
            "nobody whom we know",
        ),
        (
            Error::InvalidMessage(InvalidMessage::InvalidContentType),
            "does not speak TLS",
        ),
        (
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            "broke the TLS handshake off",
        ),
        (
            Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            "none of the TLS versions",
        ),
        (
            Error::InvalidCertificate(CertificateError::BadEncoding),
            "No secure connection",
        ),
    ] {
        let error = format!("TLS handshake failed: {error}");
        let sentence = explain(Outcome::TlsError, None, Some(&error)).sentence;
        assert!(sentence.contains(part), "{error}: {sentence}");
    }
    for (error, part) in [
        ("TLS handshake did not finish within 30s", "hung"),
        (
            "TLS failed before a response: received fatal alert: CertificateRequired",
            "broke the TLS handshake off",
        ),
    ] {
        let sentence = explain(Outcome::TlsError, None, Some(error)).sentence;
        assert!(sentence.contains(part), "{error}: {sentence}");
    }
}

#[test]
fn what_the_dispatcher_says_of_time_and_protocol_is_recognised() {
    for (outcome, error, part) in [
        (
            Outcome::Timeout,
            "no response within 30s",
            "did not answer in time",
        ),
        (Outcome::Timeout, "no connection within 30s", "nothing came back"),
        (
            Outcome::Timeout,
            "no answer from the egress proxy within 30s",
            "proxy",
        ),
        (
            Outcome::ConnectError,
            "the egress proxy refused to connect there: it answered 502",
            "proxy",
        ),
        (
            Outcome::ProtocolError,
            "the response's head is too large",
            "more headers",
        ),
        (
            Outcome::ProtocolError,
            "the response is not HTTP/1.1",
            "does not speak HTTP",
        ),
        (
            Outcome::ProtocolError,
            "the connection was closed before a response",
            "broke before",
        ),
        (
            Outcome::ProtocolError,
            "the connection was lost before a response: connection reset",
            "broke before",
        ),
        (
            Outcome::ProtocolError,
            "101 Switching Protocols to a request that asked for none",
            "WebSocket",
        ),
        (
            Outcome::ProtocolError,
            "more than 8 interim responses (1xx), or more than 32 KiB of them, before a response",
            "1xx",
        ),
        (
            Outcome::Blocked,
            "the URL or its address is not allowed",
            "Nothing was sent",
        ),
        (
            Outcome::DnsError,
            "no usable answer from the name servers",
            "could not be looked up",
        ),
    ] {
        let sentence = explain(outcome, None, Some(error)).sentence;
        assert!(sentence.contains(part), "{error}: {sentence}");
    }
}

/// An owner must not learn from the words what stands in our network; see the guard.
#[test]
fn a_refusal_is_told_without_its_reason() {
    let told = explain(
        Outcome::Blocked,
        None,
        Some("the address 10.0.0.1 is not allowed (private)"),
    );
    assert_eq!(told, explain(Outcome::Blocked, None, None));
}
