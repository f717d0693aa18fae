//! What policies do to our queues. Pure.
//!
//! A policy for all queues of a virtual host, written long before we came, can let our messages expire, drop them or delete
//! their queues. Of a number that both a policy and a queue's own argument set, the broker takes the smaller; how a full
//! queue behaves is the policy's word.

use hookline_common::topology::{Argument, QueueSpec};
use serde_json::Value;

use super::trouble::Trouble;
use hookline_common::management::QueueInfo;

/// What is wrong with the policies in force on one queue.
pub(super) fn troubles(spec: &QueueSpec, info: &QueueInfo) -> Vec<Trouble> {
    let looked = Looked { spec, info };
    if spec.is_stream() {
        return looked.bytes_of_a_stream().into_iter().collect();
    }
    [
        looked.ttl(),
        looked.expires(),
        looked.length("max-length", "messages"),
        looked.length("max-length-bytes", "bytes"),
        looked.overflow(),
        looked.strategy(),
        looked.delivery_limit(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

struct Looked<'a> {
    spec: &'a QueueSpec,
    info: &'a QueueInfo,
}

impl Looked<'_> {
    fn by_policy(&self, key: &str) -> Option<&Value> {
        self.info.effective_policy_definition.get(key)
    }

    fn number_by_policy(&self, key: &str) -> Option<i64> {
        self.by_policy(key)?.as_i64()
    }

    fn wanted_number(&self, argument: &str) -> Option<i64> {
        let found = self.spec.arguments.iter().find(|(name, _)| *name == argument)?;
        match found.1 {
            Argument::Number(number) => Some(number),
            Argument::Text(_) => None,
        }
    }

    fn wants(&self, argument: &'static str, value: &str) -> bool {
        let wanted = (argument, Argument::Text(value.to_owned()));
        self.spec.arguments.contains(&wanted)
    }

    /// How a full queue behaves.
    fn effective_overflow(&self) -> &str {
        let declared = || self.info.arguments.get("x-overflow");
        let overflow = self.by_policy("overflow").or_else(declared);
        overflow.and_then(Value::as_str).unwrap_or("drop-head")
    }

    fn trouble(&self, loses: bool, what: &str) -> Trouble {
        let names: Vec<String> = [
            ("policy", &self.info.policy),
            ("operator policy", &self.info.operator_policy),
        ]
        .into_iter()
        .filter_map(|(kind, name)| name.as_ref().map(|name| format!("the {kind} {name:?}")))
        .collect();
        let namespace = self.spec.name.split('.').next().unwrap_or_default();
        Trouble {
            queue: self.spec.name.clone(),
            problem: "policy",
            loses,
            detail: format!(
                "{} {what}; leave our queues out of it (a pattern like '^(?!{namespace}\\.)'), or give them a policy of a higher \
                 priority, for only one is in force",
                names.join(" with ")
            ),
        }
    }

    fn ttl(&self) -> Option<Trouble> {
        let ttl = self.number_by_policy("message-ttl")?;
        match self.wanted_number("x-message-ttl") {
            Some(wanted) if ttl >= wanted => None,
            Some(wanted) => Some(self.trouble(
                false,
                &format!("ends its delay after {ttl} ms instead of {wanted}"),
            )),
            None => Some(self.trouble(
                true,
                &format!("lets its messages expire after {ttl} ms (message-ttl)"),
            )),
        }
    }

    fn expires(&self) -> Option<Trouble> {
        let after = self.number_by_policy("expires")?;
        let what = format!("deletes it with all that it holds after {after} ms without a consumer (expires)");
        Some(self.trouble(true, &what))
    }

    fn length(&self, key: &str, unit: &str) -> Option<Trouble> {
        let bound = self.number_by_policy(key)?;
        if self
            .wanted_number(&format!("x-{key}"))
            .is_some_and(|wanted| bound >= wanted)
        {
            return None;
        }
        let drops = self.effective_overflow() != "reject-publish";
        let beyond = if drops {
            "its oldest messages are dropped"
        } else {
            "what is published to it is refused, so that events and deliveries wait"
        };
        Some(self.trouble(
            drops,
            &format!("bounds it at {bound} {unit} ({key}), and beyond that {beyond}"),
        ))
    }

    fn overflow(&self) -> Option<Trouble> {
        let overflow = self.by_policy("overflow")?.as_str().unwrap_or_default();
        if overflow == "reject-publish" {
            return None;
        }
        let what = format!(
            "sets overflow to {overflow} instead of reject-publish, with which dead-lettering out of it no longer waits for the \
             other queue's confirm"
        );
        Some(self.trouble(true, &what))
    }

    fn strategy(&self) -> Option<Trouble> {
        let strategy = self
            .by_policy("dead-letter-strategy")?
            .as_str()
            .unwrap_or_default();
        if !self.wants("x-dead-letter-strategy", "at-least-once") || strategy == "at-least-once" {
            return None;
        }
        let what = format!("sets dead-letter-strategy to {strategy} instead of at-least-once");
        Some(self.trouble(true, &what))
    }

    fn delivery_limit(&self) -> Option<Trouble> {
        let limit = self.number_by_policy("delivery-limit")?;
        let wanted = self.wanted_number("x-delivery-limit")?;
        if limit >= wanted {
            return None;
        }
        let what = format!(
            "sets delivery-limit to {limit} instead of {wanted}: restarts and looks into it use that up"
        );
        Some(self.trouble(!self.wants("x-dead-letter-strategy", "at-least-once"), &what))
    }

    fn bytes_of_a_stream(&self) -> Option<Trouble> {
        let wanted = self.wanted_number("x-max-length-bytes")?;
        let declared = self
            .info
            .arguments
            .get("x-max-length-bytes")
            .and_then(Value::as_i64);
        let by_policy = self.number_by_policy("max-length-bytes");
        let bound = declared.into_iter().chain(by_policy).min();
        if bound.is_some_and(|bound| bound <= wanted) {
            return None;
        }
        let bound = bound.map_or("by its age alone".to_owned(), |bound| format!("at {bound} bytes"));
        let name = &self.spec.name;
        Some(Trouble {
            queue: name.clone(),
            problem: "stream_bound",
            loses: false,
            detail: format!(
                "it is bounded {bound}, and not at {wanted} bytes, so that it can fill the disk; a stream's arguments stay, and a \
                 policy changes that: rabbitmqctl set_policy {name} '^{}$' '{{\"max-length-bytes\":{wanted}}}' --apply-to queues \
                 --priority 10",
                name.replace('.', "\\.")
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::schedule::RetrySchedule;
    use hookline_common::topology::{Namespace, Topology};
    use serde_json::json;

    use super::*;

    /// A queue of ours as it must be, under a policy.
    fn under(queue: &str, policy: &Value) -> Vec<Trouble> {
        let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default());
        let spec = topology.queues.iter().find(|spec| spec.name == queue).unwrap();
        let arguments: serde_json::Map<String, Value> = spec
            .arguments
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Argument::Text(text) => json!(text),
                    Argument::Number(number) => json!(number),
                };
                ((*name).to_owned(), value)
            })
            .collect();
        let info = json!({
            "name": queue, "policy": "all", "effective_policy_definition": policy, "arguments": arguments
        });
        troubles(spec, &serde_json::from_value(info).unwrap())
    }

    #[test]
    fn no_policy_and_a_harmless_one_are_no_trouble() {
        for queue in ["hookline.failed", "hookline.retry.60s", "hookline.attempts"] {
            for policy in [
                json!({}),
                json!([]),
                json!({"queue-leader-locator": "balanced", "message-ttl": 86_400_000}),
            ] {
                if queue == "hookline.failed" && policy.get("message-ttl").is_some() {
                    continue;
                }
                assert_eq!(under(queue, &policy), [], "{queue} {policy}");
            }
        }
    }

    #[test]
    fn each_policy_that_harms_is_named_with_what_it_does() {
        for (queue, policy, words, loses) in [
            (
                "hookline.failed",
                json!({"message-ttl": 1000}),
                "expire after 1000 ms",
                true,
            ),
            (
                "hookline.retry.60s",
                json!({"message-ttl": 1000}),
                "after 1000 ms instead of 60000",
                false,
            ),
            ("hookline.retry.60s", json!({"expires": 5000}), "deletes it", true),
            ("hookline.failed", json!({"max-length": 1}), "refused", false),
            (
                "hookline.failed",
                json!({"max-length": 1, "overflow": "drop-head"}),
                "oldest messages are dropped",
                true,
            ),
            (
                "hookline.events",
                json!({"max-length-bytes": 7}),
                "7 bytes",
                false,
            ),
            ("hookline.due", json!({"overflow": "drop-head"}), "overflow", true),
            (
                "hookline.due",
                json!({"dead-letter-strategy": "at-most-once"}),
                "at-most-once",
                true,
            ),
            (
                "hookline.events",
                json!({"delivery-limit": 5}),
                "5 instead of 1000",
                false,
            ),
            (
                "hookline.failed",
                json!({"delivery-limit": 5}),
                "5 instead of",
                true,
            ),
        ] {
            let found = under(queue, &policy);
            let told = found.iter().find(|trouble| trouble.detail.contains(words));
            let told = told.unwrap_or_else(|| panic!("{queue} {policy}: {found:?}"));
            assert_eq!(told.loses, loses, "{queue} {policy}");
            assert!(told.detail.contains("policy \"all\""), "{}", told.detail);
        }
    }

    #[test]
    fn a_queue_of_before_that_drops_its_oldest_is_told_apart() {
        let topology = Topology::whole(&Namespace::default(), &RetrySchedule::default());
        let spec = topology
            .queues
            .iter()
            .find(|spec| spec.name == "hookline.failed")
            .unwrap();
        let info = json!({
            "name": spec.name, "policy": "all", "effective_policy_definition": {"max-length": 1},
            "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 20}
        });
        let found = troubles(spec, &serde_json::from_value(info).unwrap());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].loses && found[0].detail.contains("dropped"));
    }
}
