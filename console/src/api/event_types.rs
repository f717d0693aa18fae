//! Which types of events there are, and how each format shows them.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hookline_catalogue::EventTypeInfo;
use hookline_common::endpoint::Format;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{Json, path_param, query};
use crate::problem::{Problem, ProblemBody};

/// A type of events.
#[derive(ToSchema)]
#[schema(as = EventType)]
#[expect(dead_code, reason = "it describes what the catalogue writes")]
struct DescribedType {
    /// Its name inside Hookline.
    #[schema(example = "booking.created")]
    name: String,
    /// What happened, for people.
    description: String,
    /// How its data is built: a JSON Schema (2020-12).
    #[schema(value_type = Object)]
    schema: Value,
    /// Data as it could be.
    #[schema(value_type = Object)]
    sample: Value,
    /// What each format calls it, by the format's name.
    names: BTreeMap<String, String>,
    /// Whether the platform's own file describes it.
    own: bool,
    /// Whether its events are Hookline's own: only endpoints that name the type in their patterns get them.
    operational: bool,
}

/// A type of events, with an example of the request that an endpoint gets.
#[derive(ToSchema)]
#[schema(as = RenderedEventType)]
#[expect(dead_code, reason = "it describes what the catalogue writes")]
struct DescribedRendering {
    #[serde(flatten)]
    info: DescribedType,
    /// The format of the example.
    format: String,
    /// What the format calls the type.
    format_name: String,
    /// The example.
    request: DescribedRequest,
    /// The secret of its signatures. It is public: nobody may use it.
    signed_with: String,
}

/// A request as an endpoint gets it.
#[derive(ToSchema)]
#[schema(as = ExampleRequest)]
#[expect(dead_code, reason = "it describes what the catalogue writes")]
struct DescribedRequest {
    /// Always `POST`.
    method: String,
    /// Names and values.
    headers: Vec<Vec<String>>,
    /// The raw body: what is signed, byte for byte.
    body: String,
}

/// All types.
#[derive(ToSchema)]
#[schema(as = EventTypes)]
#[expect(dead_code, reason = "it describes what `Types` writes")]
struct DescribedTypes {
    /// The types.
    data: Vec<DescribedType>,
    /// Always null: there is one page.
    next: Option<String>,
}

#[derive(Serialize)]
struct Types<'a> {
    data: Vec<&'a EventTypeInfo>,
    next: Option<String>,
}

/// List the types of events.
///
/// They are the built-in ones and the platform's own.
#[utoipa::path(get, path = "/v1/event-types", tag = "events", operation_id = "listEventTypes",
    responses(
        (status = 200, description = "All of them", body = DescribedTypes),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(State(app): State<App>) -> Response {
    let data = app.settings().catalogue.iter().collect();
    Json(Types { data, next: None }).into_response()
}

/// How to show a type.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RenderQuery {
    /// The format of the example: meeva, meetergo, meetergo-flat or standard; by default that of endpoints that name none.
    format: Option<String>,
}

/// A checked [`RenderQuery`], and the type of the path as it was written.
pub(crate) struct Asked {
    name: String,
    format: Option<Format>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = path_param(parts, state, "type").await?;
        let RenderQuery { format } = query(&parts.uri)?;
        let format = format.map(|text| text.parse::<Format>());
        let format = format.transpose();
        let format = format.map_err(|error| Problem::invalid(format!("format: {error}")))?;
        Ok(Self { name, format })
    }
}

/// Show a type of events.
///
/// With it comes an example of the request that an endpoint gets, in one format. The type may be called by its name in any
/// format (`booking_created`).
#[utoipa::path(get, path = "/v1/event-types/{type}", tag = "events", operation_id = "getEventType",
    params(("type" = String, Path, description = "The type"), RenderQuery),
    responses(
        (status = 200, description = "The type", body = DescribedRendering),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let catalogue = &app.settings().catalogue;
    let in_format = asked
        .format
        .and_then(|format| catalogue.find_in(format, &asked.name));
    let found = in_format.or_else(|| catalogue.find(&asked.name));
    let info = found.ok_or_else(Problem::not_found)?;
    let format = asked.format.unwrap_or(app.settings().default_format);
    let rendered = info.rendered(format).map_err(|error| {
        tracing::error!(%error, "an event type cannot be shown");
        Problem::internal()
    })?;
    Ok(Json(rendered).into_response())
}
