//! What can go wrong between us and the broker.

use std::error::Error;
use std::sync::Arc;

use lapin::ErrorKind;

use super::discrepancy::Discrepancy;

/// AMQP's code for what the account may not do.
pub(super) const ACCESS_REFUSED: u16 = 403;
/// AMQP's code for an object that is not there.
pub(super) const NOT_FOUND: u16 = 404;
/// AMQP's code for what another connection has for itself.
pub(super) const RESOURCE_LOCKED: u16 = 405;
/// AMQP's code for an object that differs, or a message that is too large.
pub(super) const PRECONDITION_FAILED: u16 = 406;
/// AMQP's codes for what is wrong with a message itself, so that sending it again changes nothing: its content is too
/// large (311) or breaks a rule (406), or its frames cannot be read (501, 502).
const REFUSALS_FOR_GOOD: [u16; 4] = [311, PRECONDITION_FAILED, 501, 502];

/// A failure at the broker. [`BrokerError::is_final`] tells the one kind that trying again does not mend.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A call failed; the connection or the channel may be gone.
    #[error("{what} failed: {source}")]
    Call {
        /// What was being done.
        what: &'static str,
        /// The client library's own error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The broker did not answer in time.
    #[error("{what}: no answer from the broker within {seconds} s")]
    NoAnswer {
        /// What was being done.
        what: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The connection went while something was under way on it.
    #[error("{what}: the connection to the broker was lost")]
    Lost {
        /// What was being done.
        what: &'static str,
    },
    /// There is no connection, and this is why.
    #[error("no connection to the broker: {0}")]
    Unreachable(Arc<BrokerError>),
    /// An object stands on the broker with other arguments than ours.
    #[error("{0}")]
    Mismatch(Discrepancy),
}

impl BrokerError {
    pub(super) fn call(what: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |source| Self::Call {
            what,
            source: Box::new(source),
        }
    }

    /// Whether only a person can mend it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Mismatch(_) => true,
            Self::Unreachable(error) => error.is_final(),
            Self::Call { .. } | Self::NoAnswer { .. } | Self::Lost { .. } => false,
        }
    }

    /// Whether the exchange or queue that was asked for is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.reply_code() == Some(NOT_FOUND)
    }

    /// Whether the broker says that something is wrong with a message itself, however often it is sent. All that was in
    /// flight beside that message gets this error, too.
    pub(super) fn is_refusal_for_good(&self) -> bool {
        self.reply_code()
            .is_some_and(|code| REFUSALS_FOR_GOOD.contains(&code))
    }

    /// The largest message in bytes that the broker takes, if it said so: `message size 3000000 is larger than configured
    /// max size 1000000`.
    pub(super) fn max_message_bytes(&self) -> Option<u64> {
        if self.reply_code() != Some(PRECONDITION_FAILED) {
            return None;
        }
        size_limit(&self.to_string())
    }

    /// The broker's own code for its refusal, if it answered with one.
    pub(super) fn reply_code(&self) -> Option<u16> {
        let Self::Call { source, .. } = self else {
            return None;
        };
        match source.downcast_ref::<lapin::Error>()?.kind() {
            ErrorKind::ProtocolError(error) => Some(error.get_id()),
            _ => None,
        }
    }
}

fn size_limit(reply: &str) -> Option<u64> {
    let rest = reply.split_once("larger than")?.1;
    let from = rest.find(|c: char| c.is_ascii_digit())?;
    let digits = rest.get(from..)?;
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits.get(..end.unwrap_or(digits.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::size_limit;

    #[test]
    fn the_brokers_limit_is_read_from_its_sentence() {
        let reply = "PRECONDITION_FAILED - message size 3000000 is larger than configured max size 1000000";
        assert_eq!(size_limit(reply), Some(1_000_000));
        assert_eq!(
            size_limit("message size 7 is larger than max size 5 (see docs)"),
            Some(5)
        );
        assert_eq!(size_limit("inequivalent arg 'x' for queue"), None);
        assert_eq!(size_limit("larger than expected"), None);
    }
}
