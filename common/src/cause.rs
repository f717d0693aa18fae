//! Why an attempt has no usable answer, more closely than its outcome says: the only texts that a record's `error` begins
//! with. Whoever writes one takes it from here, and whoever explains one to people is told by the compiler of a new one.

use std::fmt::{self, Display};

use crate::outcome::Outcome;

/// What a record's `error` says of an answer whose body was cut off, whatever its status.
pub const BODY_CUT_OFF: &str = "body_incomplete: the response's body was cut off";

/// The enum and the list of it, from one table: what stands in one stands in the other.
macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Why there is no answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause {
            $($(#[$doc])* $name,)+
        }

        impl Cause {
            /// All of them, in the order of the enum.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];
        }
    };
}

causes! {
    /// A connection was there, and no response came in time.
    NoResponse,
    /// No connection was made in time.
    NoConnectionInTime,
    /// The egress proxy did not say in time whether it can connect.
    ProxySilent,
    /// The name has no address, or nobody could be asked for it.
    NoAddress,
    /// The system made no connection.
    NoConnection,
    /// The egress proxy made none.
    Proxy,
    /// The host cannot stand in a certificate.
    NoCertificateName,
    /// The TLS handshake failed.
    TlsFailed,
    /// It did not end.
    TlsHung,
    /// It was over for us, and then the server broke it off.
    TlsBrokenOff,
    /// The response's head is longer than is read.
    HeadTooLarge,
    /// What came is no HTTP/1.1.
    NotHttp,
    /// The connection was closed before a response.
    Closed,
    /// The connection was lost before a response.
    Lost,
    /// A 101 to a request that asked for none.
    SwitchedProtocols,
    /// Interim responses without an end.
    TooManyInterim,
    /// The URL has no host.
    NoHost,
    /// The guard refused the URL or an address of its name.
    NotAllowed,
}

impl Cause {
    /// What the attempt ends in.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NoResponse | Self::NoConnectionInTime | Self::ProxySilent => Outcome::Timeout,
            Self::NoAddress => Outcome::DnsError,
            Self::NoConnection | Self::Proxy => Outcome::ConnectError,
            Self::NoCertificateName | Self::TlsFailed | Self::TlsHung | Self::TlsBrokenOff => {
                Outcome::TlsError
            }
            Self::HeadTooLarge
            | Self::NotHttp
            | Self::Closed
            | Self::Lost
            | Self::SwitchedProtocols
            | Self::TooManyInterim
            | Self::NoHost => Outcome::ProtocolError,
            Self::NotAllowed => Outcome::Blocked,
        }
    }

    /// What the record's `error` begins with. No text begins with another.
    fn text(self) -> &'static str {
        match self {
            Self::NoResponse => "no response within",
            Self::NoConnectionInTime => "no connection within",
            Self::ProxySilent => "no answer from the egress proxy within",
            Self::NoAddress => "no usable answer from the name servers",
            Self::NoConnection => "no connection:",
            Self::Proxy => "the egress proxy",
            Self::NoCertificateName => "the host is no name that a certificate can have",
            Self::TlsFailed => "TLS handshake failed:",
            Self::TlsHung => "TLS handshake did not finish within",
            Self::TlsBrokenOff => "TLS failed before a response:",
            Self::HeadTooLarge => "the response's head is too large",
            Self::NotHttp => "the response is not HTTP/1.1",
            Self::Closed => "the connection was closed before a response",
            Self::Lost => "the connection was lost before a response",
            Self::SwitchedProtocols => "101 Switching Protocols to a request that asked for none",
            Self::TooManyInterim => "too many interim responses (1xx) before a response",
            Self::NoHost => "the URL names no host to send to",
            Self::NotAllowed => "the URL or its address is not allowed",
        }
    }

    /// The `error` of a record, with what there is to say besides.
    #[must_use]
    pub fn with(self, detail: impl Display) -> String {
        format!("{self} {detail}")
    }

    /// The cause that an `error` tells, and what it says besides.
    #[must_use]
    pub fn of(error: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|cause| {
            let detail = error.strip_prefix(cause.text())?;
            Some((cause, detail.trim_start()))
        })
    }
}

impl Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_found_again_by_its_text_alone_and_with_more() {
        for cause in Cause::ALL {
            assert_eq!(Cause::of(&cause.to_string()), Some((cause, "")));
            let more = cause.with("connection reset");
            assert_eq!(Cause::of(&more), Some((cause, "connection reset")), "{more}");
        }
        for none in ["", "no", "body_incomplete", BODY_CUT_OFF] {
            assert_eq!(Cause::of(none), None, "{none}");
        }
    }

    #[test]
    fn every_outcome_without_an_answer_has_a_cause() {
        for outcome in Outcome::ALL {
            let has_cause = Cause::ALL.into_iter().any(|cause| cause.outcome() == outcome);
            let has_none = matches!(
                outcome,
                Outcome::Delivered | Outcome::HttpStatus | Outcome::Discarded
            );
            assert_eq!(has_cause, !has_none, "{outcome}");
        }
    }
}
