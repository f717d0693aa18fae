//! What the API answers, as far as commands print it for people. With `--json` the answer itself is printed.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An endpoint.
#[derive(Debug, Deserialize)]
pub(crate) struct EndpointView {
    pub(crate) id: String,
    pub(crate) company: String,
    pub(crate) url: String,
    pub(crate) format: String,
    #[serde(default)]
    pub(crate) events: Vec<String>,
    /// With masked values.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) description: Option<String>,
    pub(crate) rate: Option<String>,
    #[serde(default)]
    pub(crate) disabled: bool,
    pub(crate) disabled_reason: Option<String>,
    pub(crate) overlap_until: Option<String>,
    #[serde(default)]
    pub(crate) health: HealthView,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl EndpointView {
    /// The events that it gets.
    pub(crate) fn events_in_words(&self) -> String {
        if self.events.is_empty() {
            "all".to_owned()
        } else {
            self.events.join(",")
        }
    }
}

/// How an endpoint fares.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct HealthView {
    pub(crate) consecutive_failures: u64,
    pub(crate) failing_since: Option<String>,
    pub(crate) last_success_at: Option<String>,
    pub(crate) last_failure_at: Option<String>,
}

impl HealthView {
    /// The whole of it for people; nothing where no attempt is known.
    pub(crate) fn in_words(&self) -> Option<String> {
        let now = match (&self.failing_since, &self.last_success_at) {
            (Some(since), _) => {
                let s = if self.consecutive_failures == 1 { "" } else { "s" };
                format!(
                    "failing since {since}, {} attempt{s} in a row",
                    self.consecutive_failures
                )
            }
            (None, Some(_)) => "good".to_owned(),
            (None, None) => return None,
        };
        let time = |what: &str, at: &Option<String>| {
            at.as_ref()
                .map_or_else(String::new, |at| format!("; last {what} {at}"))
        };
        Some(format!(
            "{now}{}{}",
            time("success", &self.last_success_at),
            time("failure", &self.last_failure_at)
        ))
    }
}

/// An endpoint's secret, shown on request or when the endpoint is new.
#[derive(Deserialize)]
pub(crate) struct SecretView {
    pub(crate) secret: String,
}

/// A new secret, and until when the one before counts as well.
#[derive(Deserialize)]
pub(crate) struct RotatedSecret {
    pub(crate) secret: String,
    pub(crate) overlap_until: String,
}

/// A company's token, without itself.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenView {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) created_at: String,
    pub(crate) expires_at: Option<String>,
    pub(crate) revoked_at: Option<String>,
    pub(crate) last_used_at: Option<String>,
}

/// A new token, in clear for this once.
#[derive(Deserialize)]
pub(crate) struct CreatedToken {
    pub(crate) id: String,
    pub(crate) token: String,
}
