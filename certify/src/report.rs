//! What came of a certificate: each check with what was sent, what was answered, and what a good receiver answers. Pure.

use std::borrow::Cow;

use hookline_common::outcome::Outcome;
use serde::{Deserialize, Serialize};

/// What a check says of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does what a good receiver does.
    Passed,
    /// Deliveries arrive, and something is worth a look.
    Advice,
    /// Deliveries are lost, refused or forged.
    Failed,
    /// It could not be played.
    Skipped,
}

impl Verdict {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Advice => "advice",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One request and its answer. What the receiver said is a stranger's text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exchange {
    /// What was sent, in a few words.
    pub sent: String,
    /// The event's id: `webhook-id`.
    pub event: String,
    /// The event's type, as this format calls it.
    #[serde(rename = "type")]
    pub event_type: String,
    /// `webhook-attempt`.
    pub attempt: u16,
    /// `webhook-timestamp`, in seconds since the epoch.
    pub timestamp: i64,
    /// How long the body was.
    pub bytes: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// The first characters of the answer's body, 200 at most.
    pub response: String,
    /// How long the answer took, in milliseconds.
    pub duration_ms: u64,
}

impl Exchange {
    /// Whether the receiver took it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.outcome == Outcome::Delivered
    }

    /// The answer in a few words: its status, or why there was none.
    #[must_use]
    pub fn answer(&self) -> String {
        match (self.status, &self.error) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => error.clone(),
            (None, None) => self.outcome.to_string(),
        }
    }
}

/// One thing that a good receiver does, and whether this one does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    /// Its name, which does not change.
    pub name: Cow<'static, str>,
    /// What is asked.
    pub title: Cow<'static, str>,
    /// What a good receiver answers.
    pub good: Cow<'static, str>,
    /// What it says.
    pub verdict: Verdict,
    /// What this receiver did.
    pub found: String,
    /// What to do about it; nothing where there is nothing to do.
    pub advice: Option<String>,
    /// What was sent and answered.
    pub exchanges: Vec<Exchange>,
}

/// A certificate, or why there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The endpoint, without what may be a credential.
    pub url: String,
    /// The format of the bodies.
    pub format: Cow<'static, str>,
    /// When it began (RFC 3339, UTC).
    pub at: String,
    /// Whether no check failed.
    pub passed: bool,
    /// What the ids of all bookings that were told of begin with, to find and remove them by.
    pub bookings: String,
    /// All checks, in the order in which they were played.
    pub checks: Vec<Check>,
}

impl Report {
    /// The names of the checks that ended so.
    #[must_use]
    pub fn named(&self, verdict: Verdict) -> Vec<&str> {
        let wanted = ended_so(&self.checks, verdict);
        wanted.map(|check| check.name.as_ref()).collect()
    }
}

/// Those of the checks that ended so.
pub fn ended_so(checks: &[Check], verdict: Verdict) -> impl Iterator<Item = &Check> {
    checks.iter().filter(move |check| check.verdict == verdict)
}
