//! Who did what to a company's endpoints and tokens.

use axum::extract::State;
use hookline_store::AuditEntry;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::view::List;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{Json, PageOf, PageQuery};
use crate::problem::{Problem, ProblemBody};

/// One deed.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditView {
    /// Its number; newer ones have higher ones.
    id: i64,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who: `admin`, `token:` and a token's id, `portal:` and the id of a session in the dashboard, or `hookline` itself, which
    /// disables an endpoint that has failed for long.
    actor: String,
    /// What, like `endpoint.created`.
    action: String,
    /// To what: the id of an endpoint or a token.
    object: String,
    /// What it was before, without anything secret.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What it became, without anything secret.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at.to_string(),
            actor: entry.actor,
            action: entry.action,
            object: entry.object,
            before: entry.before,
            after: entry.after,
        }
    }
}

/// List what was done, the newest first.
#[utoipa::path(get, path = "/v1/companies/{company}/audit", tag = "audit", operation_id = "listAudit",
    params(("company" = String, Path, description = "The company"), PageQuery),
    responses(
        (status = 200, description = "A page of it", body = List<AuditView>),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    tenant: Tenant,
    page: PageOf,
) -> Result<Json<List<AuditView>>, Problem> {
    let found = app
        .store()
        .audit(&tenant.company, page.cursor, page.limit)
        .await?;
    Ok(Json(List::of(found)))
}
