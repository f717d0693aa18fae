//! Queues that stand with another argument than ours, where that may be: a policy brings about the same, of which people are
//! told, or the argument says nothing of what is now. They are taken as they are. Pure, but for the telling.

use tracing::warn;

use super::discrepancy::DiscrepancyKind;
use crate::topology::{Argument, QueueSpec};

/// The queue as it stands on the broker, where it differs from `spec` only in what it may.
pub(super) fn as_it_stands(spec: &QueueSpec, kind: &DiscrepancyKind) -> Option<QueueSpec> {
    let DiscrepancyKind::Differs { argument, found, .. } = kind else {
        return None;
    };
    if !spec.may_differ.contains(&argument.as_str()) {
        return None;
    }
    let mut standing = spec.clone();
    standing.arguments.retain(|(name, _)| *name != argument);
    if let Some(found) = found {
        let name = spec.may_differ.iter().find(|name| *name == argument)?;
        standing
            .arguments
            .push((name, Argument::Number(found.parse().ok()?)));
    }
    // One that does not differ from what was asked for would be asked for again for ever.
    (standing != *spec).then_some(standing)
}

/// Warns of a queue that stands otherwise than `spec` says.
pub(super) fn tell(spec: &QueueSpec, standing: &QueueSpec, vhost: &str) {
    let Some(wanted) = spec.max_bytes() else { return };
    if standing.max_bytes() == Some(wanted) {
        return;
    }
    let found = standing.max_bytes().map_or_else(
        || "no bound in bytes".to_owned(),
        |bytes| format!("a bound of {bytes} bytes"),
    );
    warn!(
        "queue {:?} was made with {found}, and {wanted} are wanted; it is used as it stands. Unless a policy bounds it \
         already, this one does: {}",
        spec.name,
        policy_command(&spec.name, vhost, wanted)
    );
}

/// The command that bounds a stream that exists already.
#[must_use]
pub fn policy_command(stream: &str, vhost: &str, max_bytes: u64) -> String {
    let pattern = stream.replace('.', "\\.");
    format!(
        "rabbitmqctl set_policy --vhost {} --priority 10 --apply-to queues {stream} {} {}",
        quoted(vhost),
        quoted(&format!("^{pattern}$")),
        quoted(&format!("{{\"max-length-bytes\":{max_bytes}}}")),
    )
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::schedule::RetrySchedule;
    use crate::topology::{Namespace, Topology};

    fn specs() -> (QueueSpec, QueueSpec) {
        let whole = Topology::whole(&Namespace::default(), &RetrySchedule::default());
        let mut last = whole.queues.into_iter().rev();
        let (stream, spill) = (last.next().unwrap(), last.next().unwrap());
        assert!(stream.is_stream() && !spill.is_stream());
        (stream, spill)
    }

    fn differs(argument: &str, found: Option<&str>) -> DiscrepancyKind {
        DiscrepancyKind::Differs {
            argument: argument.into(),
            found: found.map(str::to_owned),
            wanted: None,
        }
    }

    #[test]
    fn a_stream_may_have_another_bound_or_none_and_any_queue_another_beginning() {
        let (stream, spill) = specs();
        let unbounded = as_it_stands(&stream, &differs("x-max-length-bytes", None)).unwrap();
        assert_eq!(
            (unbounded.max_bytes(), unbounded.arguments.len()),
            (None, stream.arguments.len() - 1)
        );
        let other = as_it_stands(&stream, &differs("x-max-length-bytes", Some("500"))).unwrap();
        assert_eq!(other.max_bytes(), Some(500));
        assert_eq!(as_it_stands(&stream, &differs("x-max-age", None)), None);
        assert_eq!(
            as_it_stands(&stream, &differs("x-max-length-bytes", Some("many"))),
            None
        );
        assert_eq!(as_it_stands(&spill, &differs("x-max-length-bytes", None)), None);
        // With how many replicas one began is nobody's business.
        let replicas = as_it_stands(&spill, &differs("x-quorum-initial-group-size", Some("1"))).unwrap();
        assert_eq!(replicas.arguments.len(), spill.arguments.len() + 1);
        assert!(as_it_stands(&stream, &differs("x-initial-cluster-size", Some("1"))).is_some());
        assert_eq!(
            as_it_stands(&stream, &differs("x-quorum-initial-group-size", Some("1"))),
            None
        );
        // Whatever the broker says, nothing is asked for twice.
        assert_eq!(
            as_it_stands(&unbounded, &differs("x-max-length-bytes", None)),
            None
        );
    }

    #[test]
    fn the_policy_can_be_pasted() {
        assert_eq!(
            policy_command("a.b.attempts", "it's", 7),
            r#"rabbitmqctl set_policy --vhost 'it'\''s' --priority 10 --apply-to queues a.b.attempts '^a\.b\.attempts$' '{"max-length-bytes":7}'"#
        );
    }
}
