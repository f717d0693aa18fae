//! Which messages are meant: by company, endpoint, type and age, and by event id. Pure.

use std::collections::BTreeMap;

use clap::Args;
use hookline_common::endpoint::EventPattern;
use hookline_common::ids::EndpointId;
use hookline_producer::{CompanyId, EventId, EventType};
use jiff::Timestamp;

use super::dead_letter::DeadLetter;
use super::kind::Kind;
use crate::commands::times::since;

/// Flags that say which messages are meant, and how they are printed.
#[derive(Debug, Clone, Args)]
pub(crate) struct FilterArgs {
    /// Only this company's.
    #[arg(long, value_name = "COMPANY")]
    company: Option<CompanyId>,
    /// Only those for this endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<EndpointId>,
    /// Only events of this type; `*` stands for one or more words (booking.*).
    #[arg(long = "type", value_name = "TYPE", value_parser = pattern)]
    pattern: Option<EventPattern>,
    /// Only what failed since: a duration until now (30m, 2h, 7d) or a time (2030-01-15T14:30:00Z).
    #[arg(long, value_name = "SINCE", value_parser = since)]
    since: Option<Timestamp>,
    /// Which queue to look after.
    #[arg(long, value_enum, value_name = "QUEUE", default_value = "failed")]
    pub(crate) queue: Kind,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

fn pattern(text: &str) -> Result<EventPattern, String> {
    EventPattern::parse(text).map_err(|error| error.to_string())
}

impl FilterArgs {
    /// Whether the message passes every filter that was given. One that cannot be read passes by what can be read of it.
    pub(crate) fn matches(&self, letter: &DeadLetter) -> bool {
        let is =
            |wanted: Option<&str>, found: &Option<String>| wanted.is_none() || wanted == found.as_deref();
        is(self.company.as_ref().map(CompanyId::as_str), &letter.company)
            && is(self.endpoint.as_ref().map(EndpointId::as_str), &letter.endpoint)
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| has_type(letter, pattern))
            && self
                .since
                .is_none_or(|since| letter.at.is_some_and(|at| at >= since))
    }

    /// Whether all that match are of one company.
    pub(crate) fn has_company(&self) -> bool {
        self.company.is_some()
    }
}

fn has_type(letter: &DeadLetter, pattern: &EventPattern) -> bool {
    let Some(found) = &letter.event_type else {
        return false;
    };
    let matches = |found: EventType| pattern.matches(found.as_str());
    EventType::parse(found).map_or_else(|_| found == pattern.as_str(), matches)
}

/// Ids that were asked for, and which of them were found. Without any, every message is meant.
#[derive(Debug)]
pub(crate) struct IdFilter(BTreeMap<EventId, bool>);

impl IdFilter {
    pub(crate) fn new(ids: Vec<EventId>) -> Self {
        Self(ids.into_iter().map(|id| (id, false)).collect())
    }

    /// Whether the message is of one of these events; remembers that this one was found.
    pub(crate) fn accepts(&mut self, letter: &DeadLetter) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let id = letter.event.as_deref().and_then(|id| EventId::parse(id).ok());
        let found = id.and_then(|id| self.0.get_mut(&id));
        found.is_some_and(|found| {
            *found = true;
            true
        })
    }

    /// The ids that no message had.
    pub(crate) fn missing(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(_, found)| !**found)
            .map(|(id, _)| id.as_str())
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

    fn filter(args: &[&str]) -> FilterArgs {
        Line::try_parse_from(["x"].iter().chain(args)).unwrap().filter
    }

    fn letter() -> DeadLetter {
        DeadLetter {
            event: Some("evt_1".into()),
            company: Some("acme".into()),
            event_type: Some("booking.created".into()),
            endpoint: Some("ep_1".into()),
            at: Some("2030-01-15T14:30:00Z".parse().unwrap()),
            ..DeadLetter::default()
        }
    }

    #[test]
    fn every_mark_that_is_asked_for_must_be_there() {
        for (args, expected) in [
            (&[][..], true),
            (
                &[
                    "--company",
                    "acme",
                    "--endpoint",
                    "ep_1",
                    "--type",
                    "booking.created",
                ],
                true,
            ),
            (&["--type", "booking.*"], true),
            (&["--type", "*"], true),
            (&["--since", "2030-01-15T14:30:00Z"], true),
            (&["--since", "2030-01-15T16:30:01+02:00"], false),
            (&["--type", "booking"], false),
            (&["--company", "acme", "--endpoint", "ep_2"], false),
            (&["--company", "acm"], false),
        ] {
            assert_eq!(filter(args).matches(&letter()), expected, "{args:?}");
        }
    }

    #[test]
    fn what_a_message_does_not_tell_does_not_match() {
        let bare = DeadLetter {
            event_type: Some("Not A Type".into()),
            ..DeadLetter::default()
        };
        assert!(filter(&[]).matches(&bare));
        for args in [
            ["--company", "acme"],
            ["--endpoint", "ep_1"],
            ["--type", "*"],
            ["--since", "7d"],
        ] {
            assert!(!filter(&args).matches(&bare), "{args:?}");
        }
    }

    #[test]
    fn ids_that_were_not_found_are_known() {
        let ids = ["evt_1", "evt_2"].map(|id| EventId::parse(id).unwrap());
        let mut filter = IdFilter::new(ids.to_vec());
        assert!(filter.accepts(&letter()));
        assert!(!filter.accepts(&DeadLetter {
            event: Some("evt_3".into()),
            ..DeadLetter::default()
        }));
        assert!(!filter.accepts(&DeadLetter::default()));
        assert_eq!(filter.missing(), ["evt_2"]);
        assert!(IdFilter::new(Vec::new()).accepts(&DeadLetter::default()));
    }
}
