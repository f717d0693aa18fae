//! A dead letter as it is shown, and what was asked of many.

use hookline_common::explanation::explain_dead_letter;
use hookline_common::message::FiledDelivery;
use hookline_store::{DeadLetter, RetryState};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::json::raw;
use crate::api::words::ExplanationView;

/// A delivery that failed for good.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterView {
    /// The event.
    event: String,
    /// The endpoint that did not get it.
    endpoint: String,
    /// The event's type.
    #[serde(rename = "type")]
    event_type: String,
    /// Why it was sent: `event`, `test` or `manual`.
    origin: String,
    /// Why it failed: `retries_exhausted` or `endpoint_disabled`.
    #[schema(pattern = "^(retries_exhausted|endpoint_disabled)$")]
    reason: String,
    /// How the last attempt ended: `http_status`, `timeout` …; null where nothing was attempted.
    last_outcome: Option<String>,
    /// The HTTP status of the last attempt, if there was one.
    last_status: Option<u16>,
    /// Attempts that were made.
    attempts: u16,
    /// The same in words, with what to do.
    explanation: ExplanationView,
    /// When it failed for good.
    #[schema(format = DateTime)]
    failed_at: String,
    /// When the event happened.
    #[schema(format = DateTime)]
    created_at: String,
    /// The last manual retry, of which nothing has come back yet.
    #[schema(format = DateTime)]
    retried_at: Option<String>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        Self {
            explanation: explain_dead_letter(letter.reason, letter.last_outcome, letter.last_status).into(),
            event: letter.event.to_string(),
            endpoint: letter.endpoint.to_string(),
            event_type: letter.event_type.to_string(),
            origin: letter.origin.to_string(),
            reason: letter.reason.as_str().to_owned(),
            last_outcome: letter.last_outcome.map(|outcome| outcome.to_string()),
            last_status: letter.last_status,
            attempts: letter.attempts,
            failed_at: letter.failed_at.to_string(),
            created_at: letter.created_at.to_string(),
            retried_at: letter.retried_at.map(|at| at.to_string()),
        }
    }
}

/// A delivery that failed for good, with what is sent again.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetterInFull {
    #[serde(flatten)]
    letter: DeadLetterView,
    /// The event's data, byte for byte as it was published.
    #[schema(value_type = Option<Object>)]
    data: Option<Box<RawValue>>,
}

impl DeadLetterInFull {
    pub(super) fn of(letter: DeadLetter, filed: FiledDelivery) -> Self {
        Self {
            letter: letter.into(),
            data: raw(filed.data),
        }
    }
}

/// How many are sent again.
#[derive(Serialize, ToSchema)]
pub(crate) struct Retried {
    /// Dead letters that are sent, or would be.
    pub(super) count: u64,
    /// Those of endpoints that are disabled or were removed: they stay.
    pub(super) skipped: u64,
    /// Whether they were only counted.
    pub(super) dry_run: bool,
    /// The retry, by which its progress is asked for; null where they were only counted, or there is none to send.
    pub(super) retry: Option<String>,
}

/// How many were sent again, or removed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Counted {
    /// How many.
    pub(super) count: u64,
}

/// How far a retry has come.
#[derive(Serialize, ToSchema)]
#[schema(as = RetryProgress)]
pub(crate) struct RetryProgressView {
    /// The retry.
    id: String,
    /// `running` or `done`.
    #[schema(pattern = "^(running|done)$")]
    state: &'static str,
    /// Dead letters that it meant at the start.
    total: u64,
    /// Those that were sent. What was delivered, discarded or retried otherwise meanwhile is not.
    done: u64,
    /// Those of them that were delivered.
    delivered: u64,
    /// Those that failed again, and are listed once more.
    failed_again: u64,
    /// Those that were discarded since, sent by a later retry, or sent when their endpoint was removed: the last ones stay.
    left_otherwise: u64,
    /// Those of which nothing is known yet.
    under_way: u64,
    /// Those of endpoints that were disabled or removed, at the start or meanwhile: they stay.
    skipped: u64,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the last one was sent.
    #[schema(format = DateTime)]
    finished_at: Option<String>,
}

impl From<RetryState> for RetryProgressView {
    fn from(state: RetryState) -> Self {
        Self {
            id: state.id.clone(),
            state: if state.finished_at.is_some() {
                "done"
            } else {
                "running"
            },
            total: state.total,
            done: state.done,
            delivered: state.delivered,
            failed_again: state.failed_again,
            left_otherwise: state.left_otherwise,
            under_way: state.under_way(),
            skipped: state.skipped,
            created_at: state.created_at.to_string(),
            finished_at: state.finished_at.map(|at| at.to_string()),
        }
    }
}
