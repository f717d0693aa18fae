//! Which dead letters are meant.

use clap::Args;
use hookline_common::endpoint::EventPattern;
use hookline_common::ids::EndpointId;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::api::Pages;
use crate::commands::times::since;

/// Flags that say which dead letters are meant: those that are like all of this.
#[derive(Debug, Clone, Args)]
pub(super) struct FilterArgs {
    /// Only those for this endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    pub(super) endpoint: Option<EndpointId>,
    /// Only events of this type; `*` stands for one or more words (booking.*).
    #[arg(long = "type", value_name = "TYPE", value_parser = pattern)]
    event_type: Option<EventPattern>,
    /// Only what failed since: a duration until now (30m, 2h, 7d) or a time (2030-01-15T14:30:00Z).
    #[arg(long, value_name = "SINCE", value_parser = since)]
    since: Option<Timestamp>,
    /// Only what failed before this time, or so long ago.
    #[arg(long, value_name = "UNTIL", value_parser = since)]
    until: Option<Timestamp>,
    /// Only what ended like this: `http_status`, `timeout`, `connect_error` …
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Only for this reason: `retries_exhausted` or `endpoint_disabled`.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
}

fn pattern(text: &str) -> Result<EventPattern, String> {
    EventPattern::parse(text).map_err(|error| error.to_string())
}

impl FilterArgs {
    fn parts(&self) -> [(&'static str, Option<String>); 6] {
        [
            ("endpoint", self.endpoint.as_ref().map(ToString::to_string)),
            (
                "type",
                self.event_type
                    .as_ref()
                    .map(|pattern| pattern.as_str().to_owned()),
            ),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("outcome", self.outcome.clone()),
            ("reason", self.reason.clone()),
        ]
    }

    /// Those of them that failed before `at`.
    pub(super) fn before(&self, at: Timestamp) -> Self {
        Self {
            until: Some(self.until.map_or(at, |until| until.min(at))),
            ..self.clone()
        }
    }

    /// The list of those.
    pub(super) fn pages<'a>(&self, pages: Pages<'a>) -> Pages<'a> {
        self.parts()
            .iter()
            .fold(pages, |pages, (name, value)| pages.with(name, value.as_ref()))
    }

    /// The body of a question about those.
    pub(super) fn body(&self) -> Map<String, Value> {
        let given = self.parts().into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filter: FilterArgs,
    }

    #[test]
    fn what_fails_at_a_time_or_later_is_left_out_and_all_else_stays_as_it_was_said() {
        let at: Timestamp = "2030-01-15T14:30:00Z".parse().unwrap();
        for (given, until) in [
            (&[][..], "2030-01-15T14:30:00Z"),
            (&["--until", "2030-01-15T14:30:01Z"], "2030-01-15T14:30:00Z"),
            (&["--until", "2030-01-15T14:29:59Z"], "2030-01-15T14:29:59Z"),
        ] {
            let line = Line::try_parse_from(["x", "--endpoint", "ep_1"].iter().chain(given));
            let mut body = line.unwrap().filter.before(at).body();
            assert_eq!(body.remove("until"), Some(until.into()));
            assert_eq!(Value::from(body), serde_json::json!({"endpoint": "ep_1"}));
        }
    }
}
