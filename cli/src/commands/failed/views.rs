//! What the console answers about dead letters, as far as people are shown it.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A dead letter.
#[derive(Debug, Deserialize)]
pub(super) struct DeadLetterView {
    pub(super) event: String,
    pub(super) endpoint: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) reason: String,
    pub(super) last_outcome: Option<String>,
    pub(super) last_status: Option<u16>,
    pub(super) attempts: u16,
    pub(super) explanation: Explanation,
    pub(super) failed_at: String,
    pub(super) created_at: String,
    pub(super) retried_at: Option<String>,
    /// Where one is shown in full.
    pub(super) data: Option<Box<RawValue>>,
}

/// What happened in words.
#[derive(Debug, Deserialize)]
pub(super) struct Explanation {
    pub(super) sentence: String,
    pub(super) next_step: String,
}

impl DeadLetterView {
    /// How the last attempt ended, or that there was none.
    pub(super) fn ending(&self) -> String {
        match (&self.last_outcome, self.last_status) {
            (_, Some(status)) => format!("HTTP {status}"),
            (Some(outcome), None) => outcome.clone(),
            (None, None) => self.reason.clone(),
        }
    }
}

/// A retry that was asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Retried {
    pub(super) count: u64,
    pub(super) skipped: u64,
    pub(super) retry: Option<String>,
}

/// How far it has come.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    pub(super) state: String,
    pub(super) total: u64,
    pub(super) done: u64,
}

/// How many were discarded.
#[derive(Debug, Deserialize)]
pub(super) struct Counted {
    pub(super) count: u64,
}
