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
    all.extend(Cause::ALL.into_iter().map(|cause| of_cause(cause, "")));
    all.extend([
        ENDPOINT_DISABLED,
        DELIVERED_CUT_OFF,
        DISABLED_MEANWHILE,
        ALL_FAILED,
    ]);
    let tables = [&CONNECT_ERRORS[..], &TLS_ERRORS];
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

/// An attempt's words stand beside those of its delivery, which say what comes next; a test event is sent once.
#[test]
fn no_attempt_is_told_to_be_tried_again() {
    let mut all: Vec<Explanation> = (300..600)
        .map(|status| explain(Outcome::HttpStatus, Some(status), None))
        .collect();
    all.extend(
        Outcome::ALL
            .into_iter()
            .map(|outcome| explain(outcome, None, None)),
    );
    all.extend(Cause::ALL.into_iter().map(|cause| of_cause(cause, "")));
    all.extend(
        [&CONNECT_ERRORS[..], &TLS_ERRORS]
            .concat()
            .into_iter()
            .map(|(_, explanation)| explanation),
    );
    for Explanation { sentence, next_step } in all {
        for text in [sentence, next_step] {
            for word in ["retr", "tried", "sent again", "attempt", "meanwhile", "later"] {
                assert!(!text.to_lowercase().contains(word), "{word}: {text}");
            }
        }
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

/// The dispatcher writes the kind of the system's error behind the cause.
#[test]
fn what_the_system_says_of_a_connection_is_recognised() {
    for (kind, part) in [
        (ErrorKind::ConnectionRefused, "nothing listens"),
        (ErrorKind::HostUnreachable, "no way"),
        (ErrorKind::NetworkUnreachable, "no way"),
        (ErrorKind::ConnectionReset, "cut off"),
        (ErrorKind::ConnectionAborted, "cut off"),
        (ErrorKind::PermissionDenied, "cut off"),
        (ErrorKind::TimedOut, "nothing came back"),
        (ErrorKind::AddrNotAvailable, "No connection"),
    ] {
        let error = Cause::NoConnection.with(kind);
        let sentence = explain(Outcome::ConnectError, None, Some(&error)).sentence;
        assert!(sentence.contains(part), "{error}: {sentence}");
    }
}

/// The dispatcher writes the library's error behind the cause.
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
        let error = Cause::TlsFailed.with(error);
        let sentence = explain(Outcome::TlsError, None, Some(&error)).sentence;
        assert!(sentence.contains(part), "{error}: {sentence}");
    }
    let alert = Error::AlertReceived(AlertDescription::CertificateRequired);
    for (error, part) in [
        (Cause::TlsBrokenOff.with(alert), "broke the TLS handshake off"),
        (
            Cause::TlsFailed.with("tls handshake eof"),
            "hung up in the middle",
        ),
        (
            Cause::TlsFailed.with("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))"),
            "issues others",
        ),
        (Cause::TlsHung.with("30s"), "hung"),
    ] {
        let sentence = explain(Outcome::TlsError, None, Some(&error)).sentence;
        assert!(sentence.contains(part), "{error}: {sentence}");
    }
}

/// Whatever a dispatcher can write, and what its owner reads then. The compiler asks for words for a new cause; here they are
/// seen to be its own.
#[test]
fn every_cause_has_its_words() {
    for cause in Cause::ALL {
        let part = match cause {
            Cause::NoResponse => "did not answer in time",
            Cause::NoConnectionInTime => "nothing came back",
            Cause::ProxySilent => "proxy was not made in time",
            Cause::NoAddress => "could not be looked up",
            Cause::NoConnection => "No connection to the endpoint",
            Cause::Proxy => "proxy did not connect",
            Cause::NoCertificateName => "No certificate can be made out",
            Cause::TlsFailed | Cause::TlsBrokenOff => "No secure connection",
            Cause::TlsHung => "handshake hung",
            Cause::HeadTooLarge => "more headers",
            Cause::NotHttp => "does not speak HTTP",
            Cause::Closed | Cause::Lost => "broke before",
            Cause::SwitchedProtocols => "WebSocket",
            Cause::TooManyInterim => "1xx",
            Cause::NoHost => "names no host",
            Cause::NotAllowed => "Nothing was sent",
        };
        for error in [cause.to_string(), cause.with("30s")] {
            let sentence = explain(cause.outcome(), None, Some(&error)).sentence;
            assert!(sentence.contains(part), "{error}: {sentence}");
        }
    }
    let cut_off = explain(Outcome::Delivered, Some(200), Some(BODY_CUT_OFF)).sentence;
    assert!(
        cut_off.contains("took the event") && cut_off.contains("broke"),
        "{cut_off}"
    );
    let refused = explain(Outcome::HttpStatus, Some(500), Some(BODY_CUT_OFF));
    assert_eq!(
        refused,
        explain(Outcome::HttpStatus, Some(500), None),
        "the status says more"
    );
}

#[test]
fn every_reason_of_a_dead_letter_has_its_words() {
    let disabled = DeadLetterReason::EndpointDisabled;
    let exhausted = DeadLetterReason::RetriesExhausted;
    for (reason, outcome, status, part) in [
        (
            disabled,
            None,
            None,
            "Nothing was sent: the endpoint was paused or disabled",
        ),
        (
            disabled,
            Some(Outcome::HttpStatus),
            Some(500),
            "disabled before the next attempt",
        ),
        (exhausted, None, None, "Every attempt failed"),
        (exhausted, Some(Outcome::HttpStatus), Some(503), "(503)"),
        (exhausted, Some(Outcome::Timeout), None, "in time"),
    ] {
        let sentence = explain_dead_letter(reason, outcome, status).sentence;
        assert!(sentence.contains(part), "{sentence}");
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
