//! Why no connection to the broker could be made, node by node, and what to do about it.

use std::fmt;

use super::peer::Peer;
use super::refusal::{NOT_ALLOWED, Refusal};

/// So many nodes are told of by name; a list of more would hide what they say.
const NAMED: usize = 4;

/// Why one address let us not in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConnectFault {
    /// Its name leads to no address.
    NoAddress(String),
    /// Nothing takes connections there, or no way leads there.
    Unreachable(String),
    /// It took the connection, or perhaps not even that, and said nothing.
    Silent { seconds: u64 },
    /// It ended the connection before the handshake was over.
    Closed(String),
    /// It does not speak what the URL says.
    Foreign { peer: Peer, is_tls: bool },
    /// The TLS handshake failed.
    Tls(String),
    /// The broker said no.
    Refused { refusal: Refusal, vhost: String },
}

impl ConnectFault {
    /// How much it tells: an answer of the broker more than a port where nothing answers.
    fn weight(&self) -> u8 {
        match self {
            Self::Refused { .. } => 6,
            Self::Foreign { .. } => 5,
            Self::Tls(_) => 4,
            Self::Closed(_) => 3,
            Self::Silent { .. } => 2,
            Self::Unreachable(_) => 1,
            Self::NoAddress(_) => 0,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::NoAddress(_) => "check the host name in HOOKLINE_AMQP_URL",
            Self::Unreachable(_) => {
                "check that it runs and takes AMQP connections there (a node of a cluster that has lost its majority may \
                 take none), and host and port in HOOKLINE_AMQP_URL"
            }
            Self::Silent { .. } => {
                "the node hangs, or a firewall drops what is sent there; several nodes of a cluster can be given in \
                 HOOKLINE_AMQP_URL, separated by commas"
            }
            Self::Closed(_) => "see the broker's log: it names why it closed the connection",
            Self::Foreign { peer, is_tls } => match (peer, is_tls) {
                (Peer::Http, _) => {
                    "that is a port for HTTP, like the management page's; AMQP is at 5672, with TLS at 5671"
                }
                (Peer::Tls, _) => "that port wants TLS: write amqps://, or take the plain port (5672)",
                (Peer::Amqp, true) => "that port speaks no TLS: write amqp://, or take the TLS port (5671)",
                _ => "only AMQP 0-9-1 is spoken here, as RabbitMQ does at port 5672",
            },
            Self::Tls(_) => {
                "HOOKLINE_AMQP_CA_FILE names the roots to trust, and the host in HOOKLINE_AMQP_URL must stand in the \
                 broker's certificate"
            }
            Self::Refused { refusal, vhost } if refusal.code == NOT_ALLOWED && vhost.is_empty() => {
                "the URL ends with a /, which names the vhost with the empty name: leave the / out, or write /%2f for the \
                 default vhost"
            }
            Self::Refused { refusal, vhost }
                if refusal.code == NOT_ALLOWED && vhost.len() > 1 && vhost.ends_with('/') =>
            {
                "the vhost in HOOKLINE_AMQP_URL ends with a /, which belongs to its name: leave it out; the default vhost \
                 alone is written /%2f"
            }
            Self::Refused { refusal, .. } => refusal.advice(),
        }
    }
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress(why) => write!(f, "the name leads to no address: {why}"),
            Self::Unreachable(why) => write!(f, "no connection: {why}"),
            Self::Silent { seconds } => write!(f, "no answer within {seconds} s"),
            Self::Closed(why) => write!(f, "it ended the connection: {why}"),
            Self::Foreign { peer, .. } => write!(f, "what answers there speaks {peer}"),
            Self::Tls(why) => write!(f, "TLS failed: {why}"),
            Self::Refused { refusal, .. } => refusal.fmt(f),
        }
    }
}

/// Why no node of the broker let us in: what each said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectFailure(Vec<(String, ConnectFault)>);

impl ConnectFailure {
    /// `tries`: where, and why not.
    pub(super) fn new(tries: Vec<(String, ConnectFault)>) -> Self {
        Self(tries)
    }

    /// The broker's own words, where a node said some.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.iter().find_map(|(_, fault)| match fault {
            ConnectFault::Refused { refusal, .. } => Some(refusal),
            _ => None,
        })
    }

    /// What a person can do about it: about what tells most.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        let telling = self.0.iter().max_by_key(|(_, fault)| fault.weight());
        telling.map_or("check HOOKLINE_AMQP_URL", |(_, fault)| fault.advice())
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (place, fault)) in self.0.iter().take(NAMED).enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{place}: {fault}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, text: &str, vhost: &str) -> ConnectFault {
        ConnectFault::Refused {
            refusal: Refusal {
                code,
                text: text.to_owned(),
            },
            vhost: vhost.to_owned(),
        }
    }

    fn failure(faults: Vec<ConnectFault>) -> ConnectFailure {
        let places = (1..).map(|number| format!("rabbit-{number}:5672"));
        ConnectFailure::new(places.zip(faults).collect())
    }

    #[test]
    fn every_node_is_told_of_and_the_advice_is_about_what_tells_most() {
        let failure = failure(vec![
            ConnectFault::Unreachable("Connection refused".into()),
            refused(403, "ACCESS_REFUSED - Login was refused", "/"),
            ConnectFault::Silent { seconds: 2 },
        ]);
        let text = failure.to_string();
        for part in [
            "rabbit-1:5672",
            "Connection refused",
            "403 ACCESS_REFUSED",
            "within 2 s",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(failure.advice().contains("password"), "{}", failure.advice());
    }

    #[test]
    fn a_long_list_is_told_of_in_part() {
        let text = failure(vec![ConnectFault::Silent { seconds: 2 }; 6]).to_string();
        assert!(
            text.contains("rabbit-4") && text.ends_with("; and 2 more"),
            "{text}"
        );
    }

    #[test]
    fn the_advice_fits_the_fault() {
        let foreign = |peer, is_tls| ConnectFault::Foreign { peer, is_tls };
        for (fault, advice) in [
            (
                refused(530, "NOT_ALLOWED - vhost  not found", ""),
                "ends with a /",
            ),
            (
                refused(530, "NOT_ALLOWED - vhost // not found", "//"),
                "leave it out",
            ),
            (
                refused(530, "NOT_ALLOWED - vhost shop not found", "shop"),
                "list_vhosts",
            ),
            (foreign(Peer::Http, false), "management"),
            (foreign(Peer::Tls, false), "amqps://"),
            (foreign(Peer::Amqp, true), "write amqp://"),
            (foreign(Peer::OtherAmqp, false), "0-9-1"),
            (ConnectFault::NoAddress("unknown".into()), "host name"),
        ] {
            let found = failure(vec![fault.clone()]).advice();
            assert!(found.contains(advice), "{fault:?}: {found}");
        }
    }
}
