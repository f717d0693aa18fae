//! Which deliveries are asked for, as a query says it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hookline_catalogue::Catalogue;
use hookline_common::ids::{EndpointId, EventId, EventType};
use hookline_common::outcome::Outcome;
use hookline_store::{DeliveryCursor, DeliveryFilter, DeliveryStatus};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::filters::{field, span, type_name};
use crate::extract::{page_limit, place, query};
use crate::problem::Problem;

/// What a list of deliveries can be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// Only to this endpoint.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_.-]{1,64}$",
        example = "ep_crm"
    )]
    endpoint: Option<String>,
    /// Only of this type, by its own name or by that of a format (`booking.created` or `booking_created`).
    #[serde(rename = "type")]
    #[param(example = "booking.created", max_length = 128)]
    event_type: Option<String>,
    /// Only what has come so far: `delivered`, `retrying`, `failed` or `discarded`.
    #[param(pattern = "^(delivered|retrying|failed|discarded)$")]
    status: Option<String>,
    /// Only what ended like this at the last attempt: `http_status`, `timeout` …
    #[param(max_length = 32, example = "timeout")]
    outcome: Option<String>,
    /// Only of this event.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    event: Option<String>,
    /// Only what was begun at this time or later.
    #[param(format = DateTime, example = "2026-01-05T09:30:00Z")]
    since: Option<String>,
    /// Only what was begun before this time.
    #[param(format = DateTime, example = "2026-01-06T09:30:00Z")]
    until: Option<String>,
    /// What the page before gave as `next`; with the same filter as there.
    #[param(pattern = "^d[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Rows at most: 1 to 200, 50 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A checked [`DeliveryQuery`].
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) filter: DeliveryFilter,
    pub(crate) cursor: Option<DeliveryCursor>,
    pub(super) limit: u32,
}

impl<S: Send + Sync> FromRequestParts<S> for DeliveryQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query(&parts.uri)
    }
}

impl DeliveryQuery {
    /// The same question as a page asks it: each member that has a value of its name.
    pub(crate) fn named(value: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            endpoint: value("endpoint"),
            event_type: value("type"),
            status: value("status"),
            outcome: value("outcome"),
            event: value("event"),
            since: value("since"),
            until: value("until"),
            cursor: value("cursor"),
            limit: None,
        }
    }

    pub(crate) fn checked(self, catalogue: &Catalogue) -> Result<Asked, Problem> {
        let endpoint = self.endpoint.map(|text| EndpointId::parse(&text));
        let event = self.event.map(|text| EventId::parse(&text));
        let status = self.status.map(|text| {
            DeliveryStatus::parse(&text)
                .ok_or_else(|| field("status", "must be delivered, retrying, failed or discarded"))
        });
        let outcome = self.outcome.map(|text| {
            let wanted = "must be one of an attempt's, like timeout or http_status";
            Outcome::parse(&text).ok_or_else(|| field("outcome", wanted))
        });
        let event_type = self
            .event_type
            .map(|text| EventType::parse(type_name(catalogue, &text)));
        let (since, until) = span(self.since, self.until)?;
        let filter = DeliveryFilter {
            endpoint: endpoint.transpose().map_err(|error| field("endpoint", error))?,
            event_type: event_type.transpose().map_err(|error| field("type", error))?,
            status: status.transpose()?,
            outcome: outcome.transpose()?,
            event: event.transpose().map_err(|error| field("event", error))?,
            since,
            until,
        };
        Ok(Asked {
            filter,
            cursor: place("cursor", self.cursor, DeliveryCursor::parse)?,
            limit: page_limit(self.limit)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Asked, String> {
        let uri: axum::http::Uri = format!("/?{text}").parse().unwrap();
        let asked = query::<DeliveryQuery>(&uri).and_then(|query| query.checked(&Catalogue::built_in()));
        asked.map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn a_type_has_several_names() {
        for name in ["booking.created", "booking_created"] {
            let asked = checked(&format!("type={name}")).unwrap();
            assert_eq!(asked.filter.event_type.unwrap().as_str(), "booking.created");
        }
        // Nobody knows it, and somebody may publish it all the same.
        let own = checked("type=room_cleaned").unwrap().filter.event_type.unwrap();
        assert_eq!(own.as_str(), "room_cleaned");
    }

    #[test]
    fn what_cannot_be_is_told_by_its_name() {
        for (query, name) in [
            ("endpoint=%20", "endpoint"),
            ("type=Booking", "type"),
            ("status=lost", "status"),
            ("outcome=lost", "outcome"),
            ("event=a.b", "event"),
            ("since=yesterday", "since"),
            ("until=2030-01-01", "until"),
            ("since=2030-01-02T00:00:00Z&until=2030-01-01T00:00:00Z", "until"),
            ("cursor=c1f", "cursor"),
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("page=2", "page"),
            ("status=failed&status=retrying", "status"),
        ] {
            let told = checked(query).unwrap_err();
            assert!(told.contains(name), "{query}: {told}");
        }
        let empty = checked("endpoint=&type=&status=&outcome=&event=&since=&until=&cursor=&limit=").unwrap();
        let all = format!("{:?}", DeliveryFilter::default());
        assert_eq!((format!("{:?}", empty.filter), empty.limit), (all, 50));
        let asked = checked("since=2030-01-01T00:00:00%2B01:00&limit=7").unwrap();
        assert_eq!(
            (asked.filter.since.unwrap().to_string().as_str(), asked.limit),
            ("2029-12-31T23:00:00Z", 7)
        );
    }
}
