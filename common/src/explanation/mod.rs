//! What an attempt's outcome means to the endpoint's owner, in words, and what to do about it. Pure; the texts are plain and
//! hold nothing that came from outside. None says whether another attempt comes: of a test event and of a certificate none does,
//! and of other deliveries the schedule says so.

mod words; // a sentence and a next step for each
mod statuses; // and for each HTTP status
mod short; // the same in a few words

use self::statuses::of_status;
use self::words::{
    ALL_FAILED, BLOCKED, CONNECT_ERRORS, DELIVERED, DELIVERED_CUT_OFF, DISABLED_MEANWHILE, DISCARDED, DNS,
    HEAD_TOO_LARGE, Known, NO_ANSWER, NO_CERTIFICATE_NAME, NO_CONNECTION, NO_HOST, NO_HTTP, NO_TLS, NOT_HTTP,
    PROXY, SILENT_ADDRESS, SILENT_PROXY, SWITCHED_PROTOCOLS, TLS_ERRORS, TLS_HUNG, TOO_MANY_INTERIM,
};
use crate::cause::{BODY_CUT_OFF, Cause};
use crate::delivery::DeadLetterReason;
use crate::outcome::Outcome;

pub use self::short::in_short;
pub use self::words::{ENDPOINT_DISABLED, Explanation};

/// What it means that an attempt ended in `outcome`, with this HTTP status if there was one, and with the record's `error`
/// if it is at hand. Without it, or with one that is not known, the words are more general.
#[must_use]
pub fn explain(outcome: Outcome, status: Option<u16>, error: Option<&str>) -> Explanation {
    let error = error.unwrap_or_default();
    let cause = Cause::of(error).filter(|(cause, _)| cause.outcome() == outcome);
    match (cause, outcome) {
        (Some((cause, detail)), _) => of_cause(cause, detail),
        (None, Outcome::Delivered) if error.starts_with(BODY_CUT_OFF) => DELIVERED_CUT_OFF,
        (None, Outcome::Delivered) => DELIVERED,
        (None, Outcome::HttpStatus) => of_status(status),
        (None, Outcome::Timeout) => NO_ANSWER,
        (None, Outcome::DnsError) => DNS,
        (None, Outcome::ConnectError) => NO_CONNECTION,
        (None, Outcome::TlsError) => NO_TLS,
        (None, Outcome::ProtocolError) => NO_HTTP,
        (None, Outcome::Blocked) => BLOCKED,
        (None, Outcome::Discarded) => DISCARDED,
    }
}

/// What it means that a delivery failed for good, for this reason, and with this outcome and HTTP status of its last attempt if
/// there was one.
#[must_use]
pub fn explain_dead_letter(
    reason: DeadLetterReason,
    outcome: Option<Outcome>,
    status: Option<u16>,
) -> Explanation {
    match (reason, outcome) {
        (DeadLetterReason::EndpointDisabled, None) => ENDPOINT_DISABLED,
        (DeadLetterReason::EndpointDisabled, Some(_)) => DISABLED_MEANWHILE,
        (DeadLetterReason::RetriesExhausted, Some(outcome)) => explain(outcome, status, None),
        (DeadLetterReason::RetriesExhausted, None) => ALL_FAILED,
    }
}

/// The same for why an attempt has no answer, and what was said of that besides.
fn of_cause(cause: Cause, detail: &str) -> Explanation {
    match cause {
        Cause::NoResponse => NO_ANSWER,
        Cause::NoConnectionInTime => SILENT_ADDRESS,
        Cause::ProxySilent => SILENT_PROXY,
        Cause::NoAddress => DNS,
        Cause::NoConnection => known(detail, &CONNECT_ERRORS, NO_CONNECTION),
        Cause::Proxy => PROXY,
        Cause::NoCertificateName => NO_CERTIFICATE_NAME,
        Cause::TlsFailed | Cause::TlsBrokenOff => known(detail, &TLS_ERRORS, NO_TLS),
        Cause::TlsHung => TLS_HUNG,
        Cause::HeadTooLarge => HEAD_TOO_LARGE,
        Cause::NotHttp => NOT_HTTP,
        Cause::Closed | Cause::Lost => NO_HTTP,
        Cause::SwitchedProtocols => SWITCHED_PROTOCOLS,
        Cause::TooManyInterim => TOO_MANY_INTERIM,
        Cause::NoHost => NO_HOST,
        Cause::NotAllowed => BLOCKED,
    }
}

fn known(detail: &str, known: &Known, else_: Explanation) -> Explanation {
    let found = known.iter().find(|(part, _)| detail.contains(part));
    found.map_or(else_, |(_, explanation)| explanation.clone())
}

#[cfg(test)]
mod tests;
