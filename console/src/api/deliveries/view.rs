//! A delivery as a list shows it.

use hookline_store::LoggedDelivery;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::words::{ExplanationView, in_words};

/// One event at one endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryView {
    /// The event.
    event: String,
    /// The endpoint.
    endpoint: String,
    /// The event's type.
    #[serde(rename = "type")]
    event_type: String,
    /// Why it was sent: `event`, `test` or `manual`.
    origin: String,
    /// How far it has come.
    #[schema(pattern = "^(delivered|retrying|failed|discarded)$")]
    status: String,
    /// Attempts so far.
    attempts: u32,
    /// How the last attempt ended: `delivered`, `http_status`, `timeout` …; null where nothing was attempted.
    last_outcome: Option<String>,
    /// The HTTP status of the last attempt, if there was one.
    last_status: Option<u16>,
    /// What went wrong with it, as it was recorded.
    last_error: Option<String>,
    /// The same in words, with what to do.
    explanation: ExplanationView,
    /// When the first attempt began, or when it failed without any.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the last attempt began.
    #[schema(format = DateTime)]
    last_attempt_at: Option<String>,
    /// When the next one is due.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
}

impl From<LoggedDelivery> for DeliveryView {
    fn from(delivery: LoggedDelivery) -> Self {
        let error = delivery.last_error.as_deref();
        Self {
            explanation: in_words(delivery.last_outcome, delivery.last_status, error),
            event: delivery.event.to_string(),
            endpoint: delivery.endpoint.to_string(),
            event_type: delivery.event_type.to_string(),
            origin: delivery.origin,
            status: delivery.status.as_str().to_owned(),
            attempts: delivery.attempts,
            last_outcome: delivery.last_outcome.map(|outcome| outcome.to_string()),
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at.to_string(),
            last_attempt_at: delivery.last_attempt_at.map(|at| at.to_string()),
            next_attempt_at: delivery.next_attempt_at.map(|at| at.to_string()),
        }
    }
}
