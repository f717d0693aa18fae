//! In which way an object on the broker is not as it must be, in words that say what to do about it.

use std::fmt;

/// An object on the broker that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// What it is called: `queue "hookline.retry.60s"`.
    pub object: String,
    /// In which way it differs.
    pub kind: DiscrepancyKind,
}

/// In which way an object differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscrepancyKind {
    /// It is not there.
    Missing,
    /// It is there, with another value of one argument.
    Differs {
        /// The argument's name.
        argument: String,
        /// What stands on the broker, if it stands there.
        found: Option<String>,
        /// What this program wants, if it wants any.
        wanted: Option<String>,
    },
    /// It was being migrated when that was ended.
    Unfinished {
        /// The queue that keeps its messages meanwhile.
        temporary: String,
        /// How many.
        messages: u32,
    },
    /// It is there, and its node is not, in the broker's own words.
    OutOfReach(String),
    /// It is there and differs in a way that only the broker's own words tell.
    Other(String),
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match &self.kind {
            DiscrepancyKind::Missing => {
                return write!(f, "{object} is missing; `hookline topology apply` creates it");
            }
            DiscrepancyKind::OutOfReach(text) => {
                return write!(
                    f,
                    "{object} is there and cannot be reached: {text}; start its node again, which `rabbitmqctl cluster_status` shows"
                );
            }
            DiscrepancyKind::Unfinished { temporary, messages } => {
                return write!(
                    f,
                    "{object} was being migrated when that was ended, and {messages} messages of it wait in {temporary:?}; `hookline \
                     topology apply --migrate` goes on with it"
                );
            }
            DiscrepancyKind::Differs {
                argument,
                found,
                wanted,
            } => {
                write!(
                    f,
                    "{object} exists with {argument} = {}, but this program wants {}",
                    value(found.as_deref()),
                    value(wanted.as_deref())
                )?;
            }
            DiscrepancyKind::Other(text) => {
                write!(f, "{object} exists but is not as this program wants it: {text}")?
            }
        }
        f.write_str(self.remedy())
    }
}

impl Discrepancy {
    /// What to do where something else stands in its place.
    fn remedy(&self) -> &'static str {
        if !self.object.starts_with("queue ") {
            "; delete it on the management page (what is published meanwhile is returned to its publisher) and run `hookline \
             topology apply`, or keep it and set another HOOKLINE_NAMESPACE"
        } else if self.kind.is_of_a_stream() {
            "; the messages of a stream cannot be moved: set its bounds by a policy (docs/CLUSTER.md has the line), or delete it \
             (rabbitmqctl delete_queue NAME), with which the log of attempts is gone, and run `hookline topology apply`; or keep it \
             and set another HOOKLINE_NAMESPACE"
        } else {
            "; to migrate stop the dispatchers (producers may go on) and run `hookline topology apply --migrate`, which moves its \
             messages into a new one; or keep it and set another HOOKLINE_NAMESPACE"
        }
    }
}

impl DiscrepancyKind {
    /// Whether what stands there is a stream, or what is wanted.
    fn is_of_a_stream(&self) -> bool {
        let Self::Differs {
            argument,
            found,
            wanted,
        } = self
        else {
            return false;
        };
        let is_stream = |value: &Option<String>| value.as_deref() == Some("stream");
        match argument.as_str() {
            "x-queue-type" => is_stream(found) || is_stream(wanted),
            "x-max-age" | "x-stream-max-segment-size-bytes" => true,
            _ => false,
        }
    }
}

/// Reads RabbitMQ's sentence: `inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2000' but
/// current is '1000'`, or `received none but current is the value '1000' of type 'signedint'`, or the reverse.
pub(super) fn explain(text: &str) -> DiscrepancyKind {
    let quoted_after = |text: &str, start: &str| {
        let rest = text.split_once(start)?.1;
        if rest.trim_start().starts_with("none") {
            return Some(None);
        }
        Some(Some(rest.split_once('\'')?.1.split_once('\'')?.0.to_owned()))
    };
    let parts = (
        quoted_after(text, "inequivalent arg"),
        quoted_after(text, "current is"),
        quoted_after(text, "received"),
    );
    match parts {
        (Some(Some(argument)), Some(found), Some(wanted)) => DiscrepancyKind::Differs {
            argument,
            found,
            wanted,
        },
        _ => DiscrepancyKind::Other(text.to_owned()),
    }
}

/// A value as people read it, the empty one included.
fn value(value: Option<&str>) -> &str {
    match value {
        None => "nothing",
        Some("") => "\"\"",
        Some(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_fits_what_stands_there() {
        let told = |object: &str, argument: &str, found: &str| {
            let kind = DiscrepancyKind::Differs {
                argument: argument.into(),
                found: Some(found.into()),
                wanted: Some("ours".into()),
            };
            let object = object.to_owned();
            Discrepancy { object, kind }.to_string()
        };
        let migrates = |text: &str| text.contains("hookline topology apply --migrate");
        assert!(migrates(&told("queue \"q\"", "x-overflow", "drop-head")));
        assert!(migrates(&told("queue \"q\"", "x-queue-type", "classic")));
        assert!(!migrates(&told("queue \"q\"", "x-queue-type", "stream")));
        assert!(!migrates(&told("queue \"q\"", "x-max-age", "1D")));
        assert!(!migrates(&told("exchange \"e\"", "type", "fanout")));
    }

    #[test]
    fn the_brokers_sentence_becomes_argument_and_both_values() {
        let explained = |received: &str, current: &str| {
            explain(&format!(
                "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received {received} but current is {current}"
            ))
        };
        let differs = |found: Option<&str>, wanted: Option<&str>| DiscrepancyKind::Differs {
            argument: "x-message-ttl".into(),
            found: found.map(str::to_owned),
            wanted: wanted.map(str::to_owned),
        };
        assert_eq!(explained("'2000'", "'1000'"), differs(Some("1000"), Some("2000")));
        assert_eq!(
            explained("none", "the value '1000' of type 'signedint'"),
            differs(Some("1000"), None)
        );
        assert_eq!(
            explained("the value '2000' of type 'signedint'", "none"),
            differs(None, Some("2000"))
        );
        assert_eq!(
            explain("something else"),
            DiscrepancyKind::Other("something else".into())
        );
    }
}
