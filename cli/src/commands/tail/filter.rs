//! Attempts are meant by company, endpoint, event, type and how they ended. Pure.

use clap::Args;
use hookline_common::endpoint::EventPattern;
use hookline_common::ids::{CompanyId, EndpointId, EventId};
use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;

/// Flags that say which attempts are meant.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct FilterArgs {
    /// Only this company's.
    #[arg(long, value_name = "COMPANY")]
    company: Option<CompanyId>,
    /// Only those to this endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<EndpointId>,
    /// Only those of this event.
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Only of events of this type; `*` stands for one or more words (booking.*).
    #[arg(long = "type", value_name = "TYPE", value_parser = pattern)]
    pattern: Option<EventPattern>,
    /// Only those that were not answered with success.
    #[arg(long)]
    failed: bool,
}

fn pattern(text: &str) -> Result<EventPattern, String> {
    EventPattern::parse(text).map_err(|error| error.to_string())
}

impl FilterArgs {
    /// Whether the attempt passes every filter that was given.
    pub(super) fn matches(&self, record: &AttemptRecord) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        is(self.company.as_ref(), &record.company)
            && is(self.endpoint.as_ref(), &record.endpoint)
            && is(self.event.as_ref(), &record.event)
            && !(self.failed && record.outcome == Outcome::Delivered)
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.matches(record.event_type.as_str()))
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
    fn every_mark_that_is_asked_for_must_be_there() {
        let record = |outcome: &str| -> AttemptRecord {
            let value = serde_json::json!({
                "id": "i", "event": "evt_1", "type": "booking.created", "company": "acme", "endpoint": "ep_1",
                "url": "", "origin": "event", "attempt": 1, "started_at": "2030-01-15T14:30:00.120Z",
                "duration_ms": 1, "outcome": outcome, "final": true, "request_headers": {}, "response_headers": {}
            });
            serde_json::from_value(value).unwrap()
        };
        for (args, delivered, timed_out) in [
            (&[][..], true, true),
            (&["--failed"], false, true),
            (
                &["--event", "evt_1", "--company", "acme", "--endpoint", "ep_1"],
                true,
                true,
            ),
            (&["--event", "evt_2"], false, false),
            (&["--company", "acm"], false, false),
            (&["--endpoint", "ep_2"], false, false),
            (&["--type", "booking.*", "--failed"], false, true),
            (&["--type", "booking"], false, false),
        ] {
            let filter = Line::try_parse_from(["x"].iter().chain(args)).unwrap().filter;
            let matched = (
                filter.matches(&record("delivered")),
                filter.matches(&record("timeout")),
            );
            assert_eq!(matched, (delivered, timed_out), "{args:?}");
        }
    }
}
