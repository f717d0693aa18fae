//! What went wrong, as RFC 9457 has it: `application/problem+json` with a stable `code` besides. The only place that
//! decides which error becomes which status.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hookline_common::guard::Refusal;
use hookline_common::ids::{EndpointId, EventId};
use hookline_store::{NoRandomness, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::publishing::NotStored;

/// A broker that restarts is back in some seconds.
const BROKER_AWAY_FOR: Duration = Duration::from_secs(2);

/// A standby that takes over, or a fail-over that is put right, takes longer than a restart.
const READ_ONLY_FOR: Duration = Duration::from_secs(5);

/// The body of a problem.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// A URI that names the kind of problem: `urn:hookline:problem:<code>`.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: String,
    /// The kind for programs. It does not change.
    #[schema(pattern = "^[a-z_]+$")]
    code: String,
    /// Which rule refused a URL or a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// All that is wrong with a file, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
    /// The id of the event that was not published: send it along when the event is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
}

/// A request that was not carried out, and why.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    reason: Option<&'static str>,
    errors: Vec<String>,
    event: Option<Box<EventId>>,
    retry_after_s: Option<u32>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            reason: None,
            errors: Vec::new(),
            event: None,
            retry_after_s: None,
        }
    }

    /// The same for what is not there and for what somebody may not see, so that nobody learns what others have.
    pub(crate) fn not_found() -> Self {
        let detail =
            "there is nothing here, or this token may not see it; check the path, the company and the id";
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this path exists, but not with this method; GET /openapi.json lists all";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            detail,
        )
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "give a valid token as `Authorization: Bearer …`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not signed in", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "Invalid request",
            detail,
        )
    }

    pub(crate) fn too_large(max_bytes: usize) -> Self {
        let detail = format!("the body is longer than {max_bytes} bytes");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "Body too large",
            detail,
        )
    }

    pub(crate) fn media_type(wanted: &str) -> Self {
        let detail = format!("send the body with `Content-Type: {wanted}`");
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Unsupported media type",
            detail,
        )
    }

    pub(crate) fn request_timeout() -> Self {
        let detail = "the request took too long; send it again, in one go";
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "Request timed out",
            detail,
        )
    }

    pub(crate) fn too_many(wait: Duration) -> Self {
        let detail = "too many requests; wait as long as Retry-After says";
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests",
            detail,
        )
        .retry_after(wait)
    }

    pub(crate) fn too_many_at_once() -> Self {
        let detail = "this company's other requests take as long as the database is asked by one company at once; wait for their \
                      answers, or as long as Retry-After says, and ask for less at the same time";
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_at_once",
            "Too many requests at once",
            detail,
        )
        .retry_after(Duration::from_secs(1))
    }

    pub(crate) fn too_many_changes(wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        let detail = format!(
            "this company has changed its endpoints, looked at their secrets, or sent deliveries again and discarded what failed, too often; \
             each time stands in its audit. Wait {seconds} s, and send it again"
        );
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests",
            detail,
        )
        .retry_after(wait)
    }

    /// The company has had enough of them sent for now.
    pub(crate) fn too_many_tests(wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        let detail =
            format!("this company has had too many test events sent; wait {seconds} s, and send it again");
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests",
            detail,
        )
        .retry_after(wait)
    }

    /// A certificate too many, of this company or of all.
    pub(crate) fn too_many_certificates(wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        let detail = format!("too many certificates were asked for; try again in {seconds} s");
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests",
            detail,
        )
        .retry_after(wait)
    }

    /// The company has one played already.
    pub(crate) fn certificate_under_way(endpoint: &EndpointId) -> Self {
        let detail = format!(
            "the endpoint {endpoint} is being certified, and a company has one certified at a time; wait until that is done"
        );
        Self::new(StatusCode::CONFLICT, "under_way", "Under way already", detail)
    }

    /// What the guard refused, in the words for an endpoint's owner.
    pub(crate) fn refused_for_owner(refusal: &Refusal) -> Self {
        Self::refused(refusal, refusal.for_owner())
    }

    fn refused(refusal: &Refusal, detail: String) -> Self {
        let (code, title) = if refusal.reason().starts_with("header") {
            ("header_refused", "Header refused")
        } else {
            ("url_refused", "URL refused")
        };
        Self {
            reason: Some(refusal.reason()),
            ..Self::new(StatusCode::BAD_REQUEST, code, title, detail)
        }
    }

    pub(crate) fn internal() -> Self {
        let detail = "the request failed on our side; the log says why";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
            detail,
        )
    }

    pub(crate) fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Not available now", detail)
            .retry_after(Duration::from_secs(1))
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The kind for programs.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The kind in words.
    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    /// What is wrong, and what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whole seconds to wait, where waiting helps.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// Whole seconds, and one at least.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after_s = Some(wait.as_secs_f64().ceil().max(1.0) as u32);
        self
    }

    /// Of this event.
    pub(crate) fn event(mut self, id: EventId) -> Self {
        self.event = Some(Box::new(id));
        self
    }

    pub(crate) fn errors(mut self, errors: Vec<String>) -> Self {
        self.errors = errors;
        self
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::refused(&refusal, refusal.to_string())
    }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        StoreError::from(error).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        let conflict = |code, title| Self::new(StatusCode::CONFLICT, code, title, detail.clone());
        match &error {
            StoreError::NotFound => Self::not_found(),
            StoreError::LimitReached { .. } => conflict("endpoint_limit", "Too many endpoints"),
            StoreError::TooManyRetries { .. } => conflict("too_many_retries", "Too many retries"),
            StoreError::SentAgain => conflict("under_way", "Under way").retry_after(Duration::from_secs(1)),
            StoreError::Exists => conflict("endpoint_exists", "Endpoint exists"),
            StoreError::Rotating { .. } => conflict("rotation_running", "Rotation is running"),
            StoreError::EndpointDisabled => conflict("endpoint_disabled", "Endpoint is disabled"),
            StoreError::EndpointGone => conflict("endpoint_gone", "Endpoint was removed"),
            StoreError::Change(_) => Self::invalid(detail),
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "a request could not be answered");
                Self::unavailable(
                    "database_unavailable",
                    "the database does not answer; try again in a moment",
                )
            }
            StoreError::ShareTaken => Self::too_many_at_once(),
            StoreError::ReadOnly => {
                tracing::warn!(%error, "a request could not be carried out");
                Self::unavailable(
                    "database_read_only",
                    "the database takes no changes at the moment, as a standby does; nothing was changed, and what only reads \
                     is answered. Try again later",
                )
                .retry_after(READ_ONLY_FOR)
            }
            StoreError::Seal(_) | StoreError::Corrupt(_) | StoreError::Database(_) | StoreError::Moved => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<NotStored> for Problem {
    fn from(fault: NotStored) -> Self {
        let NotStored {
            maybe_stored, why, ..
        } = fault;
        let detail = if maybe_stored {
            format!(
                "the event may or may not be stored: {why}; send it again with the same id, by which receivers \
                 recognise a duplicate"
            )
        } else {
            format!("the event is not stored: {why}; send it again")
        };
        Self::unavailable("broker_unavailable", detail).retry_after(BROKER_AWAY_FOR)
    }
}

impl Problem {
    /// The body of the answer.
    pub(crate) fn body(&self) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:hookline:problem:{}", self.code),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            reason: self.reason.map(str::to_owned),
            errors: self.errors.clone(),
            event: self.event.as_ref().map(ToString::to_string),
        }
    }

    /// What stands in the head of the answer besides, for its description: each name, what it says, and an example.
    pub(crate) fn headers(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut headers = Vec::new();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.push(("WWW-Authenticate", "How to sign in", "Bearer".to_owned()));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.push(("Retry-After", "Seconds to wait", seconds.to_string()));
        }
        headers
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after_s) = (self.status, self.retry_after_s);
        let body = self.body();
        let mut response = (status, serde_json::to_string(&body).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
