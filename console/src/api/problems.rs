//! What fails, grouped by endpoint and kind of fault: what a person solves is a problem, and not each of its deliveries.

use axum::extract::State;
use hookline_store::FailingGroup;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::List;
use super::words::{ExplanationView, in_words};
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};

/// An endpoint that fails in one way.
#[derive(Serialize, ToSchema)]
#[schema(as = FailingGroup)]
pub(crate) struct FailingGroupView {
    /// The endpoint.
    endpoint: String,
    /// How attempts ended: `http_status`, `timeout` …; null where nothing was attempted, as the endpoint is disabled.
    outcome: Option<String>,
    /// The HTTP status, if there was one.
    status: Option<u16>,
    /// What it means, and what to do.
    explanation: ExplanationView,
    /// Deliveries that are tried again.
    retrying: u64,
    /// Deliveries that failed for good, and that nobody has retried.
    failed: u64,
    /// When the first of them was begun, or failed for good.
    #[schema(format = DateTime)]
    first_at: String,
    /// When the last attempt was begun, or the last of them failed for good.
    #[schema(format = DateTime)]
    last_at: String,
    /// One of them, to look at.
    sample: Sample,
}

/// A delivery, by what its path is made of.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sample {
    /// The event.
    event: String,
    /// The endpoint.
    endpoint: String,
}

impl From<FailingGroup> for FailingGroupView {
    fn from(group: FailingGroup) -> Self {
        let endpoint = group.endpoint.to_string();
        Self {
            explanation: in_words(group.outcome, group.status, None),
            sample: Sample {
                event: group.sample.to_string(),
                endpoint: endpoint.clone(),
            },
            endpoint,
            outcome: group.outcome.map(|outcome| outcome.to_string()),
            status: group.status,
            retrying: group.retrying,
            failed: group.failed,
            first_at: group.first_at.to_string(),
            last_at: group.last_at.to_string(),
        }
    }
}

/// List what fails now, and what failed for good and was not retried: what failed last comes first.
///
/// Deliveries of one endpoint whose last attempt ended alike are one problem. All of them are on one page, 200 at most.
#[utoipa::path(get, path = "/v1/companies/{company}/problems", tag = "deliveries", operation_id = "listProblems",
    params(("company" = String, Path, description = "The company")),
    responses(
        (status = 200, description = "All of them; none is good news", body = List<FailingGroupView>),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    tenant: Tenant,
) -> Result<Json<List<FailingGroupView>>, Problem> {
    let found = app.store().problems(&tenant.company).await?;
    Ok(Json(List::whole(found)))
}
