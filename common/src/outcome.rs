//! What an attempt can end in. Where a new outcome is added, the compiler names the places that must know it, and a test
//! below names [`Outcome::ALL`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// How one attempt ended. Only [`Outcome::Delivered`] is a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A 2xx status line with complete headers within the request timeout.
    Delivered,
    /// Any other status, redirects included: they are never followed.
    HttpStatus,
    /// The request timeout passed.
    Timeout,
    /// No usable answer from the name servers.
    DnsError,
    /// No connection could be made.
    ConnectError,
    /// The TLS handshake failed or never finished; nothing of the request was sent.
    TlsError,
    /// Reset or closed before a status, or a head that is not HTTP/1.1 or too large.
    ProtocolError,
    /// The guard against server-side request forgery refused the URL or an address; no connection was made.
    Blocked,
    /// The endpoint is gone; nothing was sent and nothing will be.
    Discarded,
}

impl Outcome {
    /// Every outcome, in the order of the documents.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::HttpStatus,
        Self::Timeout,
        Self::DnsError,
        Self::ConnectError,
        Self::TlsError,
        Self::ProtocolError,
        Self::Blocked,
        Self::Discarded,
    ];

    /// The name in records, message headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::HttpStatus => "http_status",
            Self::Timeout => "timeout",
            Self::DnsError => "dns_error",
            Self::ConnectError => "connect_error",
            Self::TlsError => "tls_error",
            Self::ProtocolError => "protocol_error",
            Self::Blocked => "blocked",
            Self::Discarded => "discarded",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_everywhere() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
            assert_eq!(
                serde_json::to_string(&outcome).ok(),
                Some(format!("\"{outcome}\""))
            );
        }
        assert_eq!(Outcome::parse("lost"), None);
    }

    #[test]
    fn the_list_holds_every_outcome_in_the_order_of_the_enum() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            // Metrics find their labels by this number.
            assert_eq!(outcome as usize, index, "{outcome}");
        }
        // The derived reader knows all variants, and lists them where it is given none of them.
        let refusal = serde_json::from_str::<Outcome>("\"lost\"").map_err(|error| error.to_string());
        let known = refusal.map_or_else(|text| text.matches('`').count() / 2 - 1, |_| 0);
        assert_eq!(known, Outcome::ALL.len());
    }
}
