//! Which headers are the broker's: those that it writes on messages, and those that it acts on. RabbitMQ tells upper from lower
//! case in them, so `X-Death` is somebody's own, and whatever else begins with `x-` is as well.

use super::Headers;

/// Where the broker counts how often it has handed a message over.
const COUNTS: [&str; 2] = ["x-delivery-count", "x-acquired-count"];
/// What it writes on messages that a queue has given up: expired, rejected, or handed over too often.
const DEATHS: [&str; 7] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
];
/// What it writes on messages that come by way of another broker (federation, shovel) or of another protocol, and, where it is
/// told to, on all: through which node they came.
const WAYS: [&str; 6] = [
    "x-received-from",
    "x-shovelled",
    "x-shovelled-timestamp",
    "x-exchange",
    "x-routing-key",
    "x-routed-by",
];
/// How all that begins which it keeps for itself: of streams, of AMQP 1.0 and of MQTT.
const RESERVED: [&str; 3] = ["x-stream-", "x-opt-", "x-mqtt-"];
/// By what it routes copies of a message (`x-cc` in AMQP 1.0), or holds it back.
const ACTED_ON: [&str; 4] = ["CC", "BCC", "x-cc", "x-delay"];

impl Headers {
    /// Whether the broker writes a header of this very name on messages that pass through it: nothing that a sender could have
    /// left out.
    #[must_use]
    pub fn is_written_by_broker(name: &str) -> bool {
        // Few headers begin like this, so that the lists need not be looked through.
        name.starts_with("x-") && (COUNTS.contains(&name) || DEATHS.contains(&name) || WAYS.contains(&name))
    }

    /// Whether a header is the broker's, whoever wrote it.
    pub(super) fn is_of_broker(name: &str) -> bool {
        let is_reserved = || RESERVED.iter().any(|start| name.starts_with(start));
        Self::is_written_by_broker(name) || is_reserved()
    }

    /// Whether a header must never be published again by us on a message's way: the broker's own (a message that carries what
    /// it wrote into a delay queue can be taken for a cycle and stay there), and what it acts on, by which a publisher could
    /// have us route copies into any queue. Others' that begin with `x-` are carried along like any other.
    #[must_use]
    pub fn is_steering(name: &str) -> bool {
        ACTED_ON.contains(&name) || Self::is_of_broker(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_brokers_own_and_what_it_acts_on_is_kept_from_being_published_again() {
        for name in [COUNTS.as_slice(), &DEATHS, &WAYS].concat() {
            assert!(
                Headers::is_written_by_broker(name) && Headers::is_steering(name),
                "{name}"
            );
        }
        for name in [
            "x-opt-enqueued-time",
            "x-stream-offset",
            "x-stream-filter-value",
            "x-mqtt-publish-qos",
        ] {
            assert!(
                !Headers::is_written_by_broker(name) && Headers::is_steering(name),
                "{name}"
            );
        }
        for name in ACTED_ON {
            assert!(
                !Headers::is_of_broker(name) && Headers::is_steering(name),
                "{name}"
            );
        }
        for name in [
            "x-request-id",
            "x-tenant",
            "x-",
            "x-deaths",
            "x-option",
            "x-streaming",
            "X-Death",
            "cc",
            "Bcc",
            "ordering-key",
        ] {
            assert!(!Headers::is_steering(name), "{name}");
        }
    }
}
