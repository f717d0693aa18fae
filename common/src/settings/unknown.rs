//! Variables that are set, begin with our prefix, and mean nothing: most are misspelt, so the nearest right one is named.

use std::fmt;

use super::source::{SettingSource, holds_a_secret};
use super::variable::Variable;
use super::{otel, variables};

/// What the names of our settings begin with.
const PREFIX: &str = "HOOKLINE_";
/// What those begin with that only tests set.
const OF_TESTS: &str = "HOOKLINE_TEST_";
/// Names that are no program's setting, and yet right: those of the scripts, what they print for others, and what stands
/// beside a setting.
const OF_OTHERS: &[&str] = &[
    "HOOKLINE_AMQP_PORT",
    "HOOKLINE_BROKER_CONF",
    "HOOKLINE_BROKER_DIR",
    "HOOKLINE_BROKER_EPMD",
    "HOOKLINE_BROKER_NAME",
    "HOOKLINE_BROKER_PLUGINS",
    "HOOKLINE_CLUSTER_DIR",
    "HOOKLINE_MANAGEMENT_PORT",
    "HOOKLINE_POSTGRES_PORT",
    "HOOKLINE_PROMETHEUS_PORT",
    "HOOKLINE_RABBITMQ",
    "HOOKLINE_RABBITMQ_SBIN",
    "HOOKLINE_RABBITMQ_SUITE",
    "HOOKLINE_NEWCOMER_DIR",
    "HOOKLINE_NEWCOMER_TOOLCHAIN",
    "HOOKLINE_SERVICES",
];
/// How many letters may be wrong, missing, too many or swapped in a name that is still taken for another: these at most,
/// and fewer in a short name.
const MAX_MISTAKES: usize = 3;
const LETTERS_PER_MISTAKE: usize = 6;
/// Fewer with OpenTelemetry's names, which differ from each other by little more.
const MAX_MISTAKES_OF_OPENTELEMETRY: usize = 2;
/// What is about logs, which are not sent, is one letter away from what is about spans.
const OF_LOGS: &str = "OTEL_BLRP_";

/// A variable that is set and that no program of ours reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name. Its value may be a secret, and is left alone.
    pub name: String,
    /// The setting that was probably meant.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no setting and changes nothing", self.name)?;
        match self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

/// What is set and means nothing, by name. A variable that an endpoints file named for a secret, and that was asked for by
/// now, means something.
#[must_use]
pub fn unknown_variables(source: &dyn SettingSource) -> Vec<UnknownVariable> {
    let mut names = source.names();
    names.sort();
    let known = known();
    names
        .into_iter()
        .filter(|name| !holds_a_secret(name) && !is_of_a_container(name, source))
        .filter_map(|name| judge(name, &known))
        .collect()
}

/// The variable of OpenTelemetry that was probably meant.
#[must_use]
pub fn nearest_of_opentelemetry(name: &str) -> Option<&'static str> {
    if name.starts_with(OF_LOGS) {
        return None;
    }
    let known = otel::ALL.iter().chain([&variables::OTLP_ENDPOINT]);
    nearest(
        name,
        known.map(|variable| variable.name),
        MAX_MISTAKES_OF_OPENTELEMETRY,
    )
}

fn known() -> Vec<&'static str> {
    variables::ALL
        .iter()
        .map(|variable| variable.name)
        .filter(|name| name.starts_with(PREFIX))
        .collect()
}

fn judge(name: String, known: &[&'static str]) -> Option<UnknownVariable> {
    let has_prefix = name.to_ascii_uppercase().starts_with(PREFIX);
    if is_known(&name) || name.starts_with(OF_TESTS) {
        return None;
    }
    if !name.to_ascii_uppercase().starts_with("HOOK") {
        return None;
    }
    let nearest = nearest(&name, known.iter().copied(), MAX_MISTAKES);
    // Another program's variable, unless the prefix itself is what is misspelt.
    let is_ours = has_prefix || nearest.is_some();
    is_ours.then_some(UnknownVariable { name, nearest })
}

/// Whether any program or script of ours reads a variable of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    let is_it = |variable: &Variable| {
        let file = || name.strip_suffix("_FILE") == Some(variable.name);
        variable.name == name || (variable.is_secret && file())
    };
    variables::ALL.iter().any(is_it) || OF_OTHERS.contains(&name)
}

/// Kubernetes, and Docker before it, tell every container of the services around it in variables that are called after
/// these (`…_SERVICE_HOST`, `…_PORT`). Of a service called hookline nobody wrote them.
fn is_of_a_container(name: &str, source: &dyn SettingSource) -> bool {
    let of_service = name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT");
    let of_port = ["_TCP", "_UDP", "_SCTP"]
        .iter()
        .filter_map(|protocol| name.split_once(protocol))
        .filter_map(|(before, _)| before.rsplit_once("_PORT_"))
        .any(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_url = || {
        let value = source.variable(name).ok().flatten();
        value.is_some_and(|value| {
            ["tcp://", "udp://", "sctp://"]
                .iter()
                .any(|scheme| value.starts_with(scheme))
        })
    };
    of_service || of_port || (name.ends_with("_PORT") && is_url())
}

/// The nearest of the names, if it is near enough.
fn nearest(
    name: &str,
    known: impl Iterator<Item = &'static str>,
    max_mistakes: usize,
) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    known
        // So many letters too few or too many are as many mistakes. An environment may hold hundreds of names, and of any length.
        .filter(|known| known.len().abs_diff(name.len()) <= max_mistakes)
        .map(|known| (mistakes(&name, known), known))
        .min()
        .filter(|(mistakes, known)| *mistakes <= max_mistakes.min(known.len() / LETTERS_PER_MISTAKE))
        .map(|(_, known)| known)
}

/// How many letters must be changed, added, left out or swapped with the next one to make one name of the other.
fn mistakes(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(letter != wanted);
            let mut best = replaced
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let is_swap = row > 0
                && column > 0
                && one.get(row - 1) == Some(wanted)
                && other.get(column - 1) == Some(letter);
            if is_swap {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints_file::SecretSource as _;
    use crate::settings::{Environment, NotText};

    struct Given(&'static [(&'static str, &'static str)]);

    impl SettingSource for Given {
        fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        }
        fn names(&self) -> Vec<String> {
            self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
        }
    }

    fn found(given: &'static [(&'static str, &'static str)]) -> Vec<String> {
        let unknown = unknown_variables(&Given(given));
        unknown.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_are_counted_as_a_typist_makes_them() {
        for (one, other, count) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("PREFETCH", "PREFETCH", 0),
            ("PREFTECH", "PREFETCH", 1),
            ("PREFECH", "PREFETCH", 1),
            ("PREFETCHH", "PREFETCH", 1),
            ("PREFATCH", "PREFETCH", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(mistakes(one, other), count, "{one} {other}");
            assert_eq!(mistakes(other, one), count, "{other} {one}");
        }
    }

    #[test]
    fn a_misspelt_variable_is_named_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("HOOKLINE_NAMESPCE", "HOOKLINE_NAMESPACE"),
            ("HOOKLINE_ENDPOINT_FILE", "HOOKLINE_ENDPOINTS_FILE"),
            ("HOOKLINE_ALLOW_CIDR", "HOOKLINE_ALLOW_CIDRS"),
            ("HOOKLINE_RETRIES_SCHEDULE", "HOOKLINE_RETRY_SCHEDULE"),
            ("HOOKLINE_AMQP_URI", "HOOKLINE_AMQP_URL"),
            ("hookline_namespace", "HOOKLINE_NAMESPACE"),
            ("HOOKLNE_PREFETCH", "HOOKLINE_PREFETCH"),
            ("HOOK_LINE_HTTP_ADDR", "HOOKLINE_HTTP_ADDR"),
        ] {
            let unknown = judge(name.to_owned(), &known());
            assert_eq!(unknown.and_then(|unknown| unknown.nearest), Some(meant), "{name}");
        }
        assert_eq!(
            found(&[
                ("HOOKLINE_NAMESPCE", "x"),
                ("PATH", "x"),
                ("HOOKLINE_TEAPOT", "s3cret")
            ]),
            [
                "HOOKLINE_NAMESPCE is no setting and changes nothing; did you mean HOOKLINE_NAMESPACE?",
                "HOOKLINE_TEAPOT is no setting and changes nothing",
            ]
        );
    }

    #[test]
    fn opentelemetrys_names_are_taken_for_each_other_only_where_they_are_nearly_the_same() {
        for (name, meant) in [
            ("OTEL_EXPORTER_OTLP_ENDPIONT", Some("OTEL_EXPORTER_OTLP_ENDPOINT")),
            ("OTEL_TRACE_SAMPLER", Some("OTEL_TRACES_SAMPLER")),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", None),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", None),
            ("OTEL_BLRP_SCHEDULE_DELAY", None),
            ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", None),
        ] {
            assert_eq!(nearest_of_opentelemetry(name), meant, "{name}");
        }
    }

    #[test]
    fn what_is_right_or_somebody_elses_is_left_alone() {
        assert_eq!(found(&[("HOOKLINE_CRM_KEY", "x")]).len(), 1);
        assert_eq!(Environment.env("HOOKLINE_CRM_KEY"), None);
        assert_eq!(
            found(&[
                ("HOOKLINE_NAMESPACE", "x"),
                ("HOOKLINE_AMQP_URL_FILE", "x"),
                ("HOOKLINE_DATABASE_URL", "x"),
                ("HOOKLINE_TEST_BIN_DIR", "x"),
                ("HOOKLINE_CRM_KEY", "named by the endpoints file"),
                ("HOOKLINE_SERVICE_HOST", "10.0.0.1"),
                ("HOOKLINE_DISPATCHER_SERVICE_PORT_METRICS", "9464"),
                ("HOOKLINE_DISPATCHER_PORT", "tcp://10.0.0.1:9464"),
                ("HOOKLINE_DISPATCHER_PORT_9464_TCP_ADDR", "10.0.0.1"),
                ("HOOKS_URL", "another program's"),
                ("NAMESPACE", "another program's"),
            ]),
            Vec::<String>::new()
        );
        // A plain setting has no file beside it; and a port that is none of a container's is somebody's mistake.
        assert_eq!(
            found(&[("HOOKLINE_NAMESPACE_FILE", "x"), ("HOOKLINE_PORT", "9464")]).len(),
            2
        );
    }
}
