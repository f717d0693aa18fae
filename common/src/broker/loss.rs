//! Why a connection's life ended, in words.

use lapin::ErrorKind;

use super::refusal::{CONNECTION_FORCED, Refusal};

/// What is said of bytes that are no AMQP.
const UNREADABLE: &str = "what the other side sent cannot be read as AMQP 0-9-1";

/// What is said of a broker that says nothing.
pub(super) const SILENT: &str = "no heartbeat from the broker: it hangs, or the network drops what it sends";

/// What ended a connection's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    /// Why, with the broker's code and sentence where it said some.
    pub(super) why: String,
    /// Whether it ended with bytes that the client library cannot read.
    pub(super) is_unreadable: bool,
}

impl Loss {
    /// One that we know of ourselves.
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_unreadable: false,
        }
    }

    /// One that the client library tells of.
    pub(super) fn of(error: &lapin::Error) -> Self {
        Self {
            why: words(error),
            is_unreadable: matches!(error.kind(), ErrorKind::ParsingError(_)),
        }
    }

    /// The same, of what was being done.
    pub(super) fn during(self, what: &str) -> Self {
        Self {
            why: format!("{what}: {}", self.why),
            ..self
        }
    }
}

fn words(error: &lapin::Error) -> String {
    if let Some(refusal) = Refusal::of(error) {
        return if refusal.code == CONNECTION_FORCED {
            format!("closed by an operator or by a broker that stops: {refusal}")
        } else {
            format!("closed by the broker: {refusal}; {}", refusal.advice())
        };
    }
    match error.kind() {
        ErrorKind::MissingHeartbeatError => SILENT.to_owned(),
        ErrorKind::IOError(error) => format!("the connection broke: {error}"),
        // The parser's own words name its rules, and nothing that a person could look for.
        ErrorKind::ParsingError(_) => UNREADABLE.to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};

    use super::*;

    fn told(kind: AMQPErrorKind, text: &str) -> String {
        Loss::of(&ErrorKind::ProtocolError(AMQPError::new(kind, text.into())).into()).why
    }

    #[test]
    fn the_brokers_code_and_sentence_are_told() {
        let forced = told(
            AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED),
            "CONNECTION_FORCED - Closed via management plugin",
        );
        assert!(
            forced.contains("operator") && forced.contains("320 CONNECTION_FORCED - Closed via"),
            "{forced}"
        );
        let timeout = told(
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED),
            "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out",
        );
        for part in ["406 PRECONDITION_FAILED - delivery", "consumer_timeout"] {
            assert!(timeout.contains(part), "{timeout}");
        }
    }

    #[test]
    fn what_the_broker_did_not_say_is_told_in_words_of_ours() {
        let heartbeat = Loss::of(&ErrorKind::MissingHeartbeatError.into());
        assert!(heartbeat.why.contains("no heartbeat") && !heartbeat.is_unreadable);
        let broken =
            Loss::of(&io::Error::from(io::ErrorKind::ConnectionReset).into()).during("consuming \"q\"");
        assert!(
            broken.why.starts_with("consuming \"q\": the connection broke"),
            "{broken:?}"
        );
    }
}
