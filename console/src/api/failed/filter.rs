//! Which dead letters are meant, as a query or a body says it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hookline_catalogue::Catalogue;
use hookline_common::delivery::DeadLetterReason;
use hookline_common::endpoint::EventPattern;
use hookline_common::ids::{EndpointId, EventId};
use hookline_common::outcome::Outcome;
use hookline_store::{Cursor, DeadLetterFilter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::filters::{field, span, type_name};
use crate::app::App;
use crate::extract::{page_limit, place, query};
use crate::problem::Problem;

/// What a list of dead letters can be asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FailedQuery {
    /// Only of this event.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    event: Option<String>,
    /// Only of this endpoint.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_.-]{1,64}$",
        example = "ep_crm"
    )]
    endpoint: Option<String>,
    /// Only of this type, or of those that a pattern means: `booking.created`, `booking_created`, `booking.*`.
    #[serde(rename = "type")]
    #[param(example = "booking.*", max_length = 128)]
    event_type: Option<String>,
    /// Only what failed at this time or later.
    #[param(format = DateTime, example = "2026-01-05T09:30:00Z")]
    since: Option<String>,
    /// Only what failed before this time.
    #[param(format = DateTime, example = "2026-01-06T09:30:00Z")]
    until: Option<String>,
    /// Only what ended like this: `http_status`, `timeout` …
    #[param(max_length = 32, example = "timeout")]
    outcome: Option<String>,
    /// Only where the last attempt was answered with this HTTP status.
    #[param(value_type = Option<u16>, minimum = 100, maximum = 999, example = 503)]
    last_status: Option<String>,
    /// Only for this reason: `retries_exhausted` or `endpoint_disabled`.
    #[param(pattern = "^(retries_exhausted|endpoint_disabled)$")]
    reason: Option<String>,
    /// Only what nobody has retried, or what has failed again since.
    #[param(value_type = Option<bool>)]
    open: Option<String>,
    /// What the page before gave as `next`; with the same filter as there.
    #[param(min_length = 2, max_length = 17, pattern = "^c[0-9a-f]{1,16}$")]
    cursor: Option<String>,
    /// Rows at most: 1 to 200, 50 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A checked [`FailedQuery`].
#[derive(Debug)]
pub(crate) struct FailedAsked {
    pub(super) filter: DeadLetterFilter,
    pub(super) cursor: Option<Cursor>,
    pub(super) limit: u32,
}

impl FromRequestParts<App> for FailedAsked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let asked: FailedQuery = query(&parts.uri)?;
        let only_open = match asked.open.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::invalid("open: must be true or false")),
        };
        let event = asked.event.map(|text| EventId::parse(&text)).transpose();
        let event = event.map_err(|error| field("event", error))?;
        let filter = FailedFilter {
            endpoint: asked.endpoint,
            event_type: asked.event_type,
            since: asked.since,
            until: asked.until,
            outcome: asked.outcome,
            last_status: asked.last_status.map(|text| status(&text)).transpose()?,
            reason: asked.reason,
        };
        Ok(Self {
            filter: DeadLetterFilter {
                event,
                ..filter.checked(&app.settings().catalogue, only_open)?
            },
            cursor: place("cursor", asked.cursor, Cursor::parse)?,
            limit: page_limit(asked.limit)?,
        })
    }
}

/// Which dead letters are meant: those that are like all of this.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailedFilter {
    /// Of this endpoint.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_.-]{1,64}$",
        example = "ep_crm"
    )]
    pub(crate) endpoint: Option<String>,
    /// Of this type, or of those that a pattern means: `booking.created`, `booking_created`, `booking.*`.
    #[serde(rename = "type")]
    #[schema(example = "booking.*", max_length = 128)]
    pub(crate) event_type: Option<String>,
    /// Failed at this time or later.
    #[schema(format = DateTime)]
    pub(crate) since: Option<String>,
    /// Failed before this time.
    #[schema(format = DateTime)]
    pub(crate) until: Option<String>,
    /// Ended like this: `http_status`, `timeout` …
    #[schema(max_length = 32, example = "timeout")]
    pub(crate) outcome: Option<String>,
    /// Answered with this HTTP status at last.
    #[schema(minimum = 100, maximum = 999, example = 503)]
    pub(crate) last_status: Option<u16>,
    /// For this reason: `retries_exhausted` or `endpoint_disabled`.
    #[schema(pattern = "^(retries_exhausted|endpoint_disabled)$")]
    pub(crate) reason: Option<String>,
}

/// A retry of many. Without a filter it means all of the company's dead letters.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryFailed {
    /// Of this endpoint.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_.-]{1,64}$",
        example = "ep_crm"
    )]
    endpoint: Option<String>,
    /// Of this type, or of those that a pattern means: `booking.created`, `booking_created`, `booking.*`.
    #[serde(rename = "type")]
    #[schema(example = "booking.*", max_length = 128)]
    event_type: Option<String>,
    /// Failed at this time or later.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Failed before this time.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Ended like this: `http_status`, `timeout` …
    #[schema(max_length = 32, example = "timeout")]
    outcome: Option<String>,
    /// Answered with this HTTP status at last.
    #[schema(minimum = 100, maximum = 999, example = 503)]
    last_status: Option<u16>,
    /// For this reason: `retries_exhausted` or `endpoint_disabled`.
    #[schema(pattern = "^(retries_exhausted|endpoint_disabled)$")]
    reason: Option<String>,
    /// Only count them.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// Also those that were retried already and have not come back: they may be delivered twice.
    #[serde(default)]
    again: bool,
}

impl RetryFailed {
    pub(super) fn checked(self, catalogue: &Catalogue) -> Result<DeadLetterFilter, Problem> {
        let filter = FailedFilter {
            endpoint: self.endpoint,
            event_type: self.event_type,
            since: self.since,
            until: self.until,
            outcome: self.outcome,
            last_status: self.last_status,
            reason: self.reason,
        };
        filter.checked(catalogue, !self.again)
    }
}

/// A status as a query has it.
pub(crate) fn status(text: &str) -> Result<u16, Problem> {
    let number = text.parse().ok().filter(|number| (100..=999).contains(number));
    number.ok_or_else(|| field("last_status", "must be an HTTP status, like 503"))
}

impl FailedFilter {
    /// Checks everything.
    pub(crate) fn checked(self, catalogue: &Catalogue, only_open: bool) -> Result<DeadLetterFilter, Problem> {
        let endpoint = self.endpoint.map(|text| EndpointId::parse(&text));
        let event_type = self
            .event_type
            .map(|text| EventPattern::parse(type_name(catalogue, &text)));
        let (since, until) = span(self.since, self.until)?;
        let outcome = self.outcome.map(|text| {
            Outcome::parse(&text).ok_or_else(|| {
                field(
                    "outcome",
                    "must be one of an attempt's, like timeout or http_status",
                )
            })
        });
        let reason = self.reason.map(|text| {
            let wanted = "must be retries_exhausted or endpoint_disabled";
            DeadLetterReason::parse(&text).ok_or_else(|| field("reason", wanted))
        });
        Ok(DeadLetterFilter {
            endpoint: endpoint.transpose().map_err(|error| field("endpoint", error))?,
            event_type: event_type.transpose().map_err(|error| field("type", error))?,
            since,
            until,
            outcome: outcome.transpose()?,
            last_status: self.last_status,
            reason: reason.transpose()?,
            event: None,
            picked: Vec::new(),
            only_open,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told_by_its_name() {
        for (body, name) in [
            (r#"{"endpoint": " "}"#, "endpoint"),
            (r#"{"type": "Booking"}"#, "type"),
            (r#"{"since": "yesterday"}"#, "since"),
            (
                r#"{"since": "2030-01-02T00:00:00Z", "until": "2030-01-02T00:00:00Z"}"#,
                "until",
            ),
            (r#"{"outcome": "lost"}"#, "outcome"),
            (r#"{"reason": "lost"}"#, "reason"),
        ] {
            let filter: RetryFailed = serde_json::from_str(body).unwrap();
            let told = filter.checked(&Catalogue::built_in()).unwrap_err().body();
            assert!(
                format!("{told:?}").contains(&format!("{name}:")),
                "{body}: {told:?}"
            );
        }
        let own_name: RetryFailed = serde_json::from_str(r#"{"type": "booking_created"}"#).unwrap();
        let filter = own_name.checked(&Catalogue::built_in()).unwrap();
        assert_eq!(filter.event_type.unwrap().as_str(), "booking.created");
        assert!(serde_json::from_str::<RetryFailed>(r#"{"company": "globex"}"#).is_err());
        let all = RetryFailed::default().checked(&Catalogue::built_in()).unwrap();
        assert!(all.only_open, "what is on its way is not sent twice");
    }
}
