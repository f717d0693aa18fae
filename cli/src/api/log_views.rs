//! What the API answers about the log, as far as commands print it for people.

use hookline_common::outcome::Outcome;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A delivery of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct DeliveryView {
    pub(crate) event: String,
    pub(crate) endpoint: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) status: String,
    pub(crate) attempts: u32,
    pub(crate) last_outcome: Option<String>,
    pub(crate) last_status: Option<u16>,
    pub(crate) created_at: String,
    pub(crate) next_attempt_at: Option<String>,
}

/// One delivery in full.
#[derive(Debug, Deserialize)]
pub(crate) struct DeliveryInFull {
    pub(crate) event: String,
    pub(crate) endpoint: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) origin: String,
    pub(crate) status: String,
    pub(crate) explanation: ExplanationView,
    pub(crate) created_at: String,
    pub(crate) next_attempt_at: Option<String>,
    pub(crate) attempt_count: u32,
    pub(crate) attempts: Vec<AttemptView>,
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) data_missing: Option<String>,
}

/// What an outcome means.
#[derive(Debug, Deserialize)]
pub(crate) struct ExplanationView {
    pub(crate) sentence: String,
    pub(crate) next_step: String,
}

/// An attempt.
#[derive(Debug, Deserialize)]
pub(crate) struct AttemptView {
    pub(crate) attempt: u32,
    pub(crate) url: String,
    pub(crate) started_at: String,
    pub(crate) duration_ms: u64,
    pub(crate) outcome: String,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) response: Option<String>,
}

/// An endpoint that fails in one way.
#[derive(Debug, Deserialize)]
pub(crate) struct FailingGroupView {
    pub(crate) endpoint: String,
    pub(crate) outcome: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) explanation: ExplanationView,
    pub(crate) retrying: u64,
    pub(crate) failed: u64,
    pub(crate) first_at: String,
    pub(crate) last_at: String,
    pub(crate) sample: Sample,
}

/// A delivery to look at.
#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    pub(crate) event: String,
}

/// A page of the feed.
#[derive(Debug, Deserialize)]
pub(crate) struct FeedPage {
    pub(crate) data: Vec<RecordedEventView>,
    pub(crate) next: String,
}

/// An event of the feed.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordedEventView {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) recorded_at: String,
    pub(crate) data: Option<Box<RawValue>>,
}

/// How attempts ended, in a word: the HTTP status where there was one.
pub(crate) fn ending(outcome: Option<&str>, status: Option<u16>) -> String {
    match (outcome, status) {
        (_, Some(status)) => status.to_string(),
        (Some(outcome), None) => outcome.to_owned(),
        (None, None) => "not sent".to_owned(),
    }
}

/// Whether it is the name of a success.
pub(crate) fn is_success(outcome: &str) -> bool {
    outcome == Outcome::Delivered.as_str()
}
