//! What became of an attempt in words: for the owner of the endpoint, with what to do.

use hookline_common::explanation::{ENDPOINT_DISABLED, Explanation, explain};
use hookline_common::outcome::Outcome;
use serde::Serialize;
use utoipa::ToSchema;

/// What it means, and what to do about it.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationView {
    /// What happened: one sentence.
    pub(crate) sentence: String,
    /// What the endpoint's owner can do.
    pub(crate) next_step: String,
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        Self {
            sentence: explanation.sentence.into_owned(),
            next_step: explanation.next_step.into_owned(),
        }
    }
}

/// What an outcome means, as the API shows it.
pub(crate) fn in_words(
    outcome: Option<Outcome>,
    status: Option<u16>,
    error: Option<&str>,
) -> ExplanationView {
    explained(outcome, status, error).into()
}

/// What an outcome means; without one nothing was attempted, which is so where an endpoint is disabled.
pub(crate) fn explained(outcome: Option<Outcome>, status: Option<u16>, error: Option<&str>) -> Explanation {
    match outcome {
        Some(outcome) => explain(outcome, status, error),
        None => ENDPOINT_DISABLED,
    }
}
