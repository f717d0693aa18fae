//! What is asked: bodies, queries and ids of paths, each checked, each fault a problem.

use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hookline_common::ids::{EndpointId, EventId};
use hookline_common::json_limits::JsonLimits;
use hookline_common::trace_context::TraceContext;
use hookline_store::Cursor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::auth::Tenant;
use crate::limits::MAX_BODY_BYTES;
use crate::problem::Problem;

/// A JSON body, of a request or of an answer.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(&media_type(&request)) {
            return Err(Problem::media_type("application/json"));
        }
        parsed(&read(request, MAX_BODY_BYTES).await?).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written");
                Problem::internal().into_response()
            }
        }
    }
}

/// A JSON body, or none at all.
pub(crate) struct OptionalJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(&media_type(&request));
        let body = read(request, MAX_BODY_BYTES).await?;
        if body.is_empty() {
            Ok(Self(None))
        } else if is_json {
            parsed(&body).map(Some).map(Self)
        } else {
            Err(Problem::media_type("application/json"))
        }
    }
}

/// A body of TOML.
pub(crate) struct Toml(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for Toml {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if media_type(&request) != "application/toml" {
            return Err(Problem::media_type("application/toml"));
        }
        let body = read(request, MAX_BODY_BYTES).await?;
        let text = String::from_utf8(body.into());
        text.map(Self)
            .map_err(|_| Problem::invalid("the body is not UTF-8 text"))
    }
}

/// Whether a body of this media type is JSON.
pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// The media type of a body, without its parameters.
pub(crate) fn media_type(request: &Request) -> String {
    let value = request.headers().get(CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let without_parameters = text.split(';').next().unwrap_or_default();
    without_parameters.trim().to_ascii_lowercase()
}

/// A whole body, if it is not longer than allowed.
pub(crate) async fn read(request: Request, max_bytes: usize) -> Result<Bytes, Problem> {
    #[expect(clippy::disallowed_methods, reason = "the limit is the route's")]
    let body = axum::body::to_bytes(request.into_body(), max_bytes).await;
    body.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            if error.is::<http_body_util::LengthLimitError>() {
                return Problem::too_large(max_bytes);
            }
            cause = error.source();
        }
        Problem::invalid("the body ended before it was whole")
    })
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = JsonLimits::of_bytes(MAX_BODY_BYTES).check(body);
    let text = text.map_err(|fault| Problem::invalid(format!("the body: {fault}")))?;
    // Bodies are objects: a list of the members' values in their order would be read as one, too.
    if !text.trim_start().starts_with('{') {
        return Err(Problem::invalid("the body: must be one JSON object"));
    }
    serde_json::from_str(text).map_err(|error| Problem::invalid(format!("the body: {error}")))
}

/// The endpoint of the path. What cannot be an id is the id of nothing.
pub(crate) struct EndpointOf(pub(crate) EndpointId);

impl<S: Send + Sync> FromRequestParts<S> for EndpointOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_param(parts, state, "id").await?;
        EndpointId::parse(&text)
            .map(Self)
            .map_err(|_| Problem::not_found())
    }
}

/// The event of the path, likewise.
pub(crate) struct EventOf(pub(crate) EventId);

impl<S: Send + Sync> FromRequestParts<S> for EventOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_param(parts, state, "event").await?;
        EventId::parse(&text).map(Self).map_err(|_| Problem::not_found())
    }
}

/// The delivery of the path: an event at an endpoint.
pub(crate) struct DeliveryOf(pub(crate) EventId, pub(crate) EndpointId);

impl<S: Send + Sync> FromRequestParts<S> for DeliveryOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let EventOf(event) = EventOf::from_request_parts(parts, state).await?;
        let endpoint = path_param(parts, state, "endpoint").await?;
        let endpoint = EndpointId::parse(&endpoint).map_err(|_| Problem::not_found())?;
        Ok(Self(event, endpoint))
    }
}

/// A parameter of the path, decoded.
pub(crate) async fn path_param<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<String, Problem> {
    let params = RawPathParams::from_request_parts(parts, state).await;
    let params = params.map_err(|_| Problem::not_found())?;
    let found = params.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, text)| text.to_owned())
        .ok_or_else(Problem::not_found)
}

/// The part of a query that routes have in common: where a list goes on, and how long a page is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// What the page before gave as `next`.
    #[param(min_length = 2, max_length = 17, pattern = "^c[0-9a-f]{1,16}$")]
    cursor: Option<String>,
    /// Rows at most: 1 to 200, 50 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A checked [`PageQuery`].
pub(crate) struct PageOf {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: u32,
}

impl<S: Send + Sync> FromRequestParts<S> for PageOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let PageQuery { cursor, limit } = query(&parts.uri)?;
        Ok(Self {
            cursor: place("cursor", cursor, Cursor::parse)?,
            limit: page_limit(limit)?,
        })
    }
}

/// Where a list goes on: what the page before gave as `next`, as `parse` reads it.
pub(crate) fn place<C>(
    name: &str,
    text: Option<String>,
    parse: impl Fn(&str) -> Option<C>,
) -> Result<Option<C>, Problem> {
    let place = text.map(|text| {
        let wanted = || Problem::invalid(format!("{name}: give what `next` of this list said, unchanged"));
        parse(&text).ok_or_else(wanted)
    });
    place.transpose()
}

/// Rows of a page at most.
pub(crate) fn page_limit(text: Option<String>) -> Result<u32, Problem> {
    text.map_or(Ok(50), |text| {
        let number = text.parse().ok().filter(|limit| (1..=200).contains(limit));
        number.ok_or_else(|| Problem::invalid("limit: must be a whole number from 1 to 200"))
    })
}

/// The trace that a request belongs to, by its `traceparent` and `tracestate`; none where they are missing or broken, and none
/// from a company: the flag in it says whether all that follows is sampled, which is the operator's to decide, and its id would
/// join one company's spans to another's.
pub(crate) struct Trace(pub(crate) TraceContext);

impl<S: Sync> FromRequestParts<S> for Trace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if !parts.extensions.get::<Tenant>().is_some_and(Tenant::is_admin) {
            return Ok(Self(TraceContext::default()));
        }
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Self(TraceContext::from_headers(
            text("traceparent"),
            text("tracestate"),
        )))
    }
}

/// A query as `T` has it. What has an empty value was left out by whoever fills in a form or a template: it counts as not given.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let given = uri.query().unwrap_or_default().split('&');
    let has_value = |pair: &&str| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty());
    let kept: Vec<&str> = given.filter(has_value).collect();
    let kept = format!("/?{}", kept.join("&")).parse();
    query_as_given(&kept.map_err(|_| Problem::invalid("the query: it cannot be read"))?)
}

/// A query as `T` has it, empty values included.
pub(crate) fn query_as_given<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = Query::<T>::try_from_uri(uri);
    let Query(query) =
        query.map_err(|error| Problem::invalid(format!("the query: {}", error.body_text())))?;
    Ok(query)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde_json::Value;

    use super::*;

    fn page(query_text: &str) -> Result<(Option<String>, Option<String>), String> {
        let uri: Uri = format!("/?{query_text}").parse().unwrap();
        let page = query::<PageQuery>(&uri).map_err(|problem| problem.detail().to_owned());
        page.map(|page| (page.cursor, page.limit))
    }

    #[test]
    fn an_empty_value_is_one_that_is_not_given() {
        let ten = || Some("10".to_owned());
        assert_eq!(page(""), Ok((None, None)));
        assert_eq!(page("cursor=&limit="), Ok((None, None)));
        assert_eq!(page("cursor=&limit=10"), Ok((None, ten())));
        assert_eq!(page("limit=&limit=10&cursor"), Ok((None, ten())));
        for bad in ["limits=1", "limit=1&limit=2"] {
            assert!(page(bad).unwrap_err().starts_with("the query: "), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_body_that_may_be_missing_is_json_by_the_same_rule_as_one_that_may_not() {
        for (media_type, is_taken) in [
            ("application/json; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/json", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let request = || {
                let request = Request::builder().header(CONTENT_TYPE, media_type);
                request.body(Body::from("{}")).unwrap()
            };
            let needed = Json::<Value>::from_request(request(), &()).await;
            let optional = OptionalJson::<Value>::from_request(request(), &()).await;
            assert_eq!(
                (needed.is_ok(), optional.is_ok()),
                (is_taken, is_taken),
                "{media_type}"
            );
        }
        let none = Request::builder().body(Body::empty()).unwrap();
        let none = OptionalJson::<Value>::from_request(none, &()).await;
        assert!(none.is_ok_and(|OptionalJson(body)| body.is_none()));
    }
}
