//! Which dead letters of a company are meant.

use hookline_common::delivery::DeadLetterReason;
use hookline_common::endpoint::EventPattern;
use hookline_common::ids::{CompanyId, EndpointId, EventId};
use hookline_common::outcome::Outcome;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Postgres, QueryBuilder};

use crate::error::StoreError;
use crate::moment::Moment;

/// What dead letters must be like; a part that is `None` lets all through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeadLetterFilter {
    /// Of which event.
    pub event: Option<EventId>,
    /// These alone, by event and endpoint; all where it is empty.
    pub picked: Vec<(EventId, EndpointId)>,
    /// Whose.
    pub endpoint: Option<EndpointId>,
    /// Of which types.
    pub event_type: Option<EventPattern>,
    /// Failed at this time or later.
    pub since: Option<Timestamp>,
    /// Failed before this time.
    pub until: Option<Timestamp>,
    /// How the last attempt ended.
    pub outcome: Option<Outcome>,
    /// The HTTP status of the last attempt.
    pub last_status: Option<u16>,
    /// Why.
    pub reason: Option<DeadLetterReason>,
    /// Whether those are left out that were retried and have not come back.
    pub only_open: bool,
}

/// Of those that were picked one by one, so many are named in the audit: it is kept for ever, and a page has 200.
const NAMED: usize = 10;

impl DeadLetterFilter {
    /// What was asked for, for the audit: the first of those that were picked, and how many they are.
    pub(super) fn to_audit(&self) -> Value {
        let mut told = self.to_json();
        if let Some(picked) = told.get_mut("picked").and_then(Value::as_array_mut)
            && picked.len() > NAMED
        {
            picked.truncate(NAMED);
            told["picked_count"] = json!(self.picked.len());
        }
        told
    }

    /// What was asked for, for people and for the job that does it.
    pub(super) fn to_json(&self) -> Value {
        let picked = self
            .picked
            .iter()
            .map(|(event, endpoint)| json!([event.as_str(), endpoint.as_str()]));
        let parts = [
            ("event", self.event.as_ref().map(|event| json!(event.as_str()))),
            ("picked", (!self.picked.is_empty()).then(|| picked.collect())),
            (
                "endpoint",
                self.endpoint.as_ref().map(|endpoint| json!(endpoint.as_str())),
            ),
            (
                "type",
                self.event_type.as_ref().map(|pattern| json!(pattern.as_str())),
            ),
            ("since", self.since.map(|at| json!(at.to_string()))),
            ("until", self.until.map(|at| json!(at.to_string()))),
            ("outcome", self.outcome.map(|outcome| json!(outcome.as_str()))),
            ("last_status", self.last_status.map(|status| json!(status))),
            ("reason", self.reason.map(|reason| json!(reason.as_str()))),
            ("again", Some(json!(!self.only_open))),
        ];
        let given = parts
            .into_iter()
            .filter_map(|(name, part)| Some((name.to_owned(), part?)));
        Value::Object(given.collect())
    }

    /// Reads what [`Self::to_json`] made.
    pub(super) fn from_json(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::Corrupt("filter of a retry");
        let value: Value = serde_json::from_str(text).map_err(|_| bad())?;
        let part = |name: &str| value[name].as_str();
        let time = |name: &str| part(name).map(|text| text.parse().map_err(|_| bad())).transpose();
        let picked = value["picked"].as_array().into_iter().flatten().map(|pair| {
            let event = EventId::parse(pair[0].as_str().unwrap_or_default());
            let endpoint = EndpointId::parse(pair[1].as_str().unwrap_or_default());
            Ok((event.map_err(|_| bad())?, endpoint.map_err(|_| bad())?))
        });
        Ok(Self {
            event: part("event").map(EventId::parse).transpose().map_err(|_| bad())?,
            picked: picked.collect::<Result<_, StoreError>>()?,
            endpoint: part("endpoint")
                .map(EndpointId::parse)
                .transpose()
                .map_err(|_| bad())?,
            event_type: part("type")
                .map(EventPattern::parse)
                .transpose()
                .map_err(|_| bad())?,
            since: time("since")?,
            until: time("until")?,
            outcome: part("outcome")
                .map(|name| Outcome::parse(name).ok_or_else(bad))
                .transpose()?,
            last_status: value["last_status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok()),
            reason: part("reason")
                .map(|name| DeadLetterReason::parse(name).ok_or_else(bad))
                .transpose()?,
            only_open: value["again"] == json!(false),
        })
    }

    /// Adds what the filter asks for to a query of `dead_letters`, of this company alone. Only what is asked for is said, so
    /// that each question has a plan of its own.
    pub(super) fn push(&self, query: &mut QueryBuilder<Postgres>, company: &CompanyId) {
        query
            .push(" WHERE company = ")
            .push_bind(company.as_str().to_owned());
        if let Some(event) = &self.event {
            query.push(" AND event = ").push_bind(event.as_str().to_owned());
        }
        if !self.picked.is_empty() {
            let (events, endpoints): (Vec<String>, Vec<String>) = self
                .picked
                .iter()
                .map(|(event, endpoint)| (event.to_string(), endpoint.to_string()))
                .unzip();
            query
                .push(" AND (event, endpoint) IN (SELECT * FROM unnest(")
                .push_bind(events)
                .push("::text[], ")
                .push_bind(endpoints)
                .push("::text[]))");
        }
        if let Some(endpoint) = &self.endpoint {
            query
                .push(" AND endpoint = ")
                .push_bind(endpoint.as_str().to_owned());
        }
        if let Some(pattern) = &self.event_type {
            // A pattern that ends in its only star is a beginning, which is found several times as fast.
            let beginning = pattern.as_str().strip_suffix('*');
            if let Some(beginning) = beginning.filter(|beginning| !beginning.contains('*')) {
                query
                    .push(" AND starts_with(type, ")
                    .push_bind(beginning.to_owned());
                query.push(")");
            } else if pattern.as_str().contains('*') {
                query.push(" AND type ~ ").push_bind(expression(pattern));
            } else {
                query.push(" AND type = ").push_bind(pattern.as_str().to_owned());
            }
        }
        if let Some(since) = self.since {
            query.push(" AND failed_at >= ").push_bind(Moment(since));
        }
        if let Some(until) = self.until {
            query.push(" AND failed_at < ").push_bind(Moment(until));
        }
        if let Some(outcome) = self.outcome {
            query.push(" AND last_outcome = ").push_bind(outcome.as_str());
        }
        if let Some(status) = self.last_status {
            query.push(" AND last_status = ").push_bind(i32::from(status));
        }
        if let Some(reason) = self.reason {
            query.push(" AND reason = ").push_bind(reason.as_str());
        }
        if self.only_open {
            query.push(" AND retried_at IS NULL");
        }
    }
}

/// The pattern as a regular expression: `*` is one or more whole words.
fn expression(pattern: &EventPattern) -> String {
    let words = pattern.as_str().split('.').map(|word| match word {
        "*" => r"[a-z0-9_]+(\.[a-z0-9_]+)*",
        word => word,
    });
    format!("^{}$", words.collect::<Vec<_>>().join(r"\."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_as_it_was_written() {
        let all = DeadLetterFilter {
            event: EventId::parse("evt_1").ok(),
            picked: vec![(
                EventId::parse("evt_2").unwrap(),
                EndpointId::parse("ep_2").unwrap(),
            )],
            endpoint: EndpointId::parse("ep_1").ok(),
            event_type: EventPattern::parse("booking.*").ok(),
            since: "2030-01-15T14:30:00Z".parse().ok(),
            until: "2030-01-16T14:30:00.5Z".parse().ok(),
            outcome: Some(Outcome::HttpStatus),
            last_status: Some(503),
            reason: Some(DeadLetterReason::RetriesExhausted),
            only_open: true,
        };
        for filter in [all, DeadLetterFilter::default()] {
            let text = filter.to_json().to_string();
            assert_eq!(DeadLetterFilter::from_json(&text).unwrap(), filter);
        }
        for bad in [
            "",
            "{\"since\":\"x\"}",
            "{\"reason\":\"x\"}",
            "{\"picked\":[[\"evt_1\"]]}",
        ] {
            assert!(DeadLetterFilter::from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_audit_names_ten_of_those_that_were_picked_and_the_retry_all() {
        let pair = |number: usize| {
            (
                EventId::parse(&format!("evt_{number}")).unwrap(),
                EndpointId::parse("ep_1").unwrap(),
            )
        };
        for (count, told) in [(200, json!(200)), (10, Value::Null)] {
            let filter = DeadLetterFilter {
                picked: (0..count).map(pair).collect(),
                ..DeadLetterFilter::default()
            };
            let audit = filter.to_audit();
            assert_eq!(audit["picked"].as_array().unwrap().len(), 10);
            assert_eq!(audit["picked"][9], json!(["evt_9", "ep_1"]));
            assert_eq!(audit["picked_count"], told);
            assert_eq!(filter.to_json()["picked"].as_array().unwrap().len(), count);
        }
    }

    #[test]
    fn a_star_is_whole_words() {
        let expression = |text: &str| expression(&EventPattern::parse(text).unwrap());
        assert_eq!(expression("booking.*"), r"^booking\.[a-z0-9_]+(\.[a-z0-9_]+)*$");
        assert_eq!(expression("*"), r"^[a-z0-9_]+(\.[a-z0-9_]+)*$");
    }
}
