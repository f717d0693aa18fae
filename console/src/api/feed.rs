//! The catch-up feed: a company's events in the order in which they were recorded, for receivers that were away.

use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hookline_store::{Feed, FeedCursor, FeedEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::json::raw;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{page_limit, place, query};
use crate::problem::{Problem, ProblemBody};

/// Where to go on, and how far.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedQuery {
    /// What the answer before gave as `next`; without it the feed begins with the oldest event that is kept.
    #[param(min_length = 2, max_length = 17, pattern = "^e[0-9a-f]{1,16}$")]
    after: Option<String>,
    /// Events at most: 1 to 200, 50 by default. Where they are large, fewer come: some 1 MiB of them.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A checked [`FeedQuery`].
pub(crate) struct FeedFrom {
    after: Option<FeedCursor>,
    limit: u32,
}

impl<S: Send + Sync> FromRequestParts<S> for FeedFrom {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let FeedQuery { after, limit } = query(&parts.uri)?;
        Ok(Self {
            after: place("after", after, FeedCursor::parse)?,
            limit: page_limit(limit)?,
        })
    }
}

/// An event as it was published.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordedEvent)]
pub(crate) struct RecordedEventView {
    /// Its id: the `webhook-id` of its deliveries.
    id: String,
    /// Its type.
    #[serde(rename = "type")]
    event_type: String,
    /// When it happened; null where that was not recorded.
    #[serde(rename = "createdAt")]
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// When it was recorded, which the feed's order is made of.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// Its data, byte for byte as it was published; null where payloads are not kept.
    #[schema(value_type = Option<Object>)]
    data: Option<Box<RawValue>>,
}

impl From<FeedEvent> for RecordedEventView {
    fn from(event: FeedEvent) -> Self {
        Self {
            id: event.id.to_string(),
            event_type: event.event_type.to_string(),
            created_at: event.created_at.map(|at| at.to_string()),
            recorded_at: event.recorded_at.to_string(),
            data: event.data.and_then(raw),
        }
    }
}

/// Some events, and where to go on.
#[derive(Serialize, ToSchema)]
pub(crate) struct FeedPage {
    /// The events, the oldest first; none where nothing new was recorded.
    data: Vec<RecordedEventView>,
    /// Give it as `after` next time. It is never null: the feed has no end.
    next: String,
}

/// Read a company's events in the order in which they were recorded: what a receiver that was away has missed.
///
/// Keep `next`, and give it as `after`: whatever is recorded later comes behind it, so that nothing is skipped and nothing
/// comes twice, until an answer holds no events. An event is recorded with its first attempt at any endpoint, some seconds
/// after it was published; test events are not in the feed. Events that are older than the operator keeps them are dropped,
/// and a cursor from before that is answered 410. A company has 16 answers on their way at once; one more is 429.
#[utoipa::path(get, path = "/v1/companies/{company}/events", tag = "events", operation_id = "readEvents",
    params(("company" = String, Path, description = "The company"), FeedQuery),
    responses(
        (status = 200, description = "What was recorded behind the cursor", body = FeedPage),
        (status = 410, description = "Events behind the cursor have been dropped; `detail` says how to go on",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn read(
    State(app): State<App>,
    tenant: Tenant,
    from: FeedFrom,
) -> Result<Response, Problem> {
    let place = app
        .feed_places()
        .take(&tenant.company, tenant.is_admin())
        .ok_or_else(too_many_unread)?;
    match app.store().feed(&tenant.company, from.after, from.limit).await? {
        Feed::Events { events, next } => {
            let page = FeedPage {
                data: events.into_iter().map(Into::into).collect(),
                next: next.to_string(),
            };
            let written = serde_json::to_vec(&page).map_err(|error| {
                tracing::error!(%error, "a page of the feed could not be written");
                Problem::internal()
            })?;
            Ok(([(CONTENT_TYPE, "application/json")], place.body(written)).into_response())
        }
        Feed::Dropped => Err(gone()),
        Feed::Unknown => Err(Problem::invalid(
            "after: no feed of this console has come so far; give what `next` of this company's feed said, or leave it out \
             and begin with the oldest event that is kept",
        )),
    }
}

fn too_many_unread() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_at_once",
        "Too many requests at once",
        "this company has as many answers of its feed on their way as it may have at once; read those to their end, and ask for \
         the next page when the one before it has come",
    )
    .retry_after(Duration::from_secs(1))
}

fn gone() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "cursor_gone",
        "Cursor gone",
        "events behind this cursor have been dropped, as they were older than events are kept, so some of them were missed; \
         leave `after` out to go on with the oldest that is kept, and compare with the booking service what happened in \
         between",
    )
}
