//! The broker's own words when it closes a channel or a connection: a code, a sentence, and what to do about it.

use lapin::ErrorKind;

/// AMQP's code for a connection that an operator, or a broker that stops, has closed.
pub(super) const CONNECTION_FORCED: u16 = 320;
/// AMQP's code for what the account may not do.
pub(super) const ACCESS_REFUSED: u16 = 403;
/// AMQP's code for an object that is not there.
pub(super) const NOT_FOUND: u16 = 404;
/// AMQP's code for what another connection has for itself.
pub(super) const RESOURCE_LOCKED: u16 = 405;
/// AMQP's code for an object that differs, or a message that is too large.
pub(super) const PRECONDITION_FAILED: u16 = 406;
/// AMQP's code for a vhost that is not there, or that the account may not use.
pub(super) const NOT_ALLOWED: u16 = 530;
/// AMQP's codes for what is wrong with a message itself, so that sending it again changes nothing: its content is too
/// large (311) or breaks a rule (406), or its frames cannot be read (501, 502).
const OF_THE_MESSAGE: [u16; 4] = [311, PRECONDITION_FAILED, 501, 502];
/// AMQP's codes that close a channel and leave its connection.
const OF_THE_CHANNEL: [u16; 6] = [
    311,
    313,
    ACCESS_REFUSED,
    NOT_FOUND,
    RESOURCE_LOCKED,
    PRECONDITION_FAILED,
];
/// AMQP's codes for a broker that cannot do now what it is there for: an internal error (541), or a lack of resources (506).
const OF_THE_BROKER: [u16; 2] = [506, 541];

/// Why the broker closed a channel or a connection, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {text}")]
pub struct Refusal {
    /// AMQP's reply code, like 403.
    pub code: u16,
    /// The sentence that came with it: `ACCESS_REFUSED - access to exchange 'hookline.events' in vhost '/' refused for user
    /// 'shop'`.
    pub text: String,
}

impl Refusal {
    /// The broker's words in an error of the client library, if there are any.
    pub(super) fn of(error: &lapin::Error) -> Option<Self> {
        match error.kind() {
            ErrorKind::ProtocolError(error) => Some(Self {
                code: error.get_id(),
                text: error.get_message().to_string(),
            }),
            _ => None,
        }
    }

    /// Whether something is wrong with a message itself, however often it is sent.
    #[must_use]
    pub fn is_of_the_message(&self) -> bool {
        OF_THE_MESSAGE.contains(&self.code)
    }

    /// Whether it is about an acknowledgement: of what was published on the channel it says nothing, and some of that may be stored.
    pub(super) fn is_of_an_acknowledgement(&self) -> bool {
        let says = |part: &str| self.text.contains(part);
        self.code == PRECONDITION_FAILED && (says("delivery tag") || says("delivery acknowledgement"))
    }

    /// Whether a queue is there and cannot be reached, as its node is down, or came up without it. The broker has the same code
    /// for that as for one that nobody declared.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.code == NOT_FOUND && self.text.contains("is down or inaccessible")
    }

    /// Whether it closed no more than a channel.
    pub(super) fn is_of_the_channel(&self) -> bool {
        OF_THE_CHANNEL.contains(&self.code)
    }

    /// The largest message in bytes that the broker takes, if it said so: `message size 3000000 is larger than configured
    /// max size 1000000`.
    pub(super) fn max_message_bytes(&self) -> Option<u64> {
        if self.code != PRECONDITION_FAILED {
            return None;
        }
        let rest = self.text.split_once("larger than")?.1;
        let from = rest.find(|c: char| c.is_ascii_digit())?;
        let digits = rest.get(from..)?;
        let end = digits.find(|c: char| !c.is_ascii_digit());
        digits.get(..end.unwrap_or(digits.len()))?.parse().ok()
    }

    /// What a person can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        let says = |part: &str| self.text.contains(part);
        match self.code {
            ACCESS_REFUSED
                if says("can only connect via localhost") || says("user 'guest'") && says("Login") =>
            {
                "the user guest may connect from the broker's own machine only: make an account of your own \
                 (rabbitmqctl add_user, set_permissions)"
            }
            ACCESS_REFUSED if says("Login was refused") || says("LOGIN") => {
                "check user and password in HOOKLINE_AMQP_URL (a special character in either is written as %XX)"
            }
            ACCESS_REFUSED if says("amq.default") => {
                "queues are published to by the default exchange: the account needs the right to write to amq.default \
                 (rabbitmqctl set_permissions; a write pattern like '^(amq\\.default|hookline\\..*)$')"
            }
            ACCESS_REFUSED => {
                "the account lacks a right on it: rabbitmqctl list_permissions shows what it has, set_permissions \
                 gives more"
            }
            PRECONDITION_FAILED if self.max_message_bytes().is_some() => {
                "send less data, or raise the broker's max_message_size"
            }
            PRECONDITION_FAILED if says("delivery acknowledgement") => {
                "a message was held for longer than the broker's consumer_timeout (30 minutes by default): raise that, or \
                 shorten what holds it"
            }
            NOT_FOUND if self.is_out_of_reach() => {
                "it is there, and the node that has it is down or could not bring it back when it started: see rabbitmqctl \
                 cluster_status and that node's log, and start that node again"
            }
            NOT_FOUND => "`hookline topology apply` creates what is missing",
            NOT_ALLOWED => {
                "the vhost in HOOKLINE_AMQP_URL is not there or not for this account: rabbitmqctl list_vhosts and \
                 list_permissions tell; the default vhost is written /%2f, or left out"
            }
            CONNECTION_FORCED => {
                "an operator closed it, or the broker stops; it is connected to again by itself"
            }
            code if OF_THE_BROKER.contains(&code) => {
                "the broker cannot do it now: most of its cluster may be away, or a queue's leader; see rabbitmqctl \
                 cluster_status and the broker's log"
            }
            _ => "the broker's log tells more",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, text: &str) -> Refusal {
        Refusal {
            code,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_brokers_limit_is_read_from_its_sentence() {
        let limit = |text| refusal(PRECONDITION_FAILED, text).max_message_bytes();
        let reply = "PRECONDITION_FAILED - message size 3000000 is larger than configured max size 1000000";
        assert_eq!(limit(reply), Some(1_000_000));
        assert_eq!(
            limit("message size 7 is larger than max size 5 (see docs)"),
            Some(5)
        );
        assert_eq!(limit("inequivalent arg 'x' for queue"), None);
        assert_eq!(limit("larger than expected"), None);
    }

    #[test]
    fn a_queue_whose_node_is_down_is_not_one_that_nobody_declared() {
        let down = "NOT_FOUND - home node 'hookline@localhost' of durable queue 'hookline.attempts' in vhost '/' is down or \
                    inaccessible";
        assert!(refusal(NOT_FOUND, down).is_out_of_reach());
        assert!(refusal(NOT_FOUND, down).advice().contains("cluster_status"));
        let missing = "NOT_FOUND - no queue 'hookline.attempts' in vhost '/'";
        assert!(!refusal(NOT_FOUND, missing).is_out_of_reach());
        assert!(refusal(NOT_FOUND, missing).advice().contains("topology apply"));
    }

    #[test]
    fn what_is_said_of_an_acknowledgement_is_not_said_of_a_message() {
        for (text, is_of_an_acknowledgement) in [
            ("PRECONDITION_FAILED - unknown delivery tag 99999999", true),
            (
                "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out",
                true,
            ),
            (
                "PRECONDITION_FAILED - message size 7 is larger than max size 5",
                false,
            ),
            ("PRECONDITION_FAILED - invalid expiration 'soon'", false),
        ] {
            let refusal = refusal(PRECONDITION_FAILED, text);
            assert_eq!(
                refusal.is_of_an_acknowledgement(),
                is_of_an_acknowledgement,
                "{text}"
            );
        }
    }

    #[test]
    fn what_to_do_fits_what_the_broker_said() {
        for (code, text, advice) in [
            (
                403,
                "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.",
                "password",
            ),
            (
                403,
                "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused",
                "write to amq.default",
            ),
            (
                403,
                "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'",
                "set_permissions",
            ),
            (
                406,
                "message size 7 is larger than max size 5",
                "max_message_size",
            ),
            (
                406,
                "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out",
                "consumer_timeout",
            ),
            (530, "NOT_ALLOWED - vhost nowhere not found", "%2f"),
            (
                320,
                "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
                "operator",
            ),
            (541, "INTERNAL_ERROR - nodedown", "cluster"),
        ] {
            let found = refusal(code, text).advice();
            assert!(found.contains(advice), "{code} {text}: {found}");
        }
    }

    #[test]
    fn a_right_that_is_missing_is_no_fault_of_the_message() {
        assert!(!refusal(ACCESS_REFUSED, "").is_of_the_message());
        assert!(refusal(ACCESS_REFUSED, "").is_of_the_channel());
        assert!(refusal(PRECONDITION_FAILED, "").is_of_the_message());
        assert!(refusal(501, "").is_of_the_message() && !refusal(501, "").is_of_the_channel());
    }
}
