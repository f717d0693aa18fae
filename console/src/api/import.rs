//! A file's worth of endpoints: the endpoints file, brought into the registry.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use hookline_common::endpoints_file::{self, SecretSource, WithSecrets};
use hookline_store::{ImportOutcome, ImportedEndpoint, NewEndpoint};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::input::{taken_id, url};
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{Json, Toml, query_as_given};
use crate::problem::{Problem, ProblemBody};

/// Whether to look first.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Whether only to tell what would happen.
    dry_run: Option<bool>,
}

impl<S: Send + Sync> FromRequestParts<S> for ImportQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // An empty `dry_run` is refused: who meant to look first must not have everything changed.
        query_as_given(&parts.uri)
    }
}

/// What became of a file.
#[derive(Serialize, ToSchema)]
pub(crate) struct Imported {
    /// Whether nothing was kept.
    dry_run: bool,
    /// Each `[[endpoint]]` of the file, in its order.
    results: Vec<ImportedRow>,
}

/// What became of one `[[endpoint]]`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportedRow {
    /// Which of the file, counted from 1.
    row: usize,
    /// Its company.
    company: String,
    /// Its id.
    id: String,
    /// created, changed, unchanged, skipped (another company's) or refused.
    #[schema(pattern = "^(created|changed|unchanged|skipped|refused)$")]
    result: &'static str,
    /// Why it was skipped or refused.
    detail: Option<String>,
}

/// Bring the endpoints of a file into the registry. Those of other companies are skipped; what the registry has besides
/// stays. Running it again changes nothing. A `previous_secret` counts for seven days from the import that brought it, or
/// until the rotation is completed; importing the same file then begins a new overlap.
#[utoipa::path(post, path = "/v1/companies/{company}/endpoints/import", tag = "endpoints", operation_id = "importEndpoints",
    params(("company" = String, Path, description = "The company"), ImportQuery),
    request_body(content = String, content_type = "application/toml", description = "An endpoints file; its secrets stand \
        in it"),
    responses(
        (status = 200, description = "What became of each", body = Imported),
        (status = "4XX", description = "Refused; `errors` has a line for each of the first 100 faults", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn import(
    State(app): State<App>,
    tenant: Tenant,
    asked: ImportQuery,
    Toml(text): Toml,
) -> Result<Json<Imported>, Problem> {
    let settings = app.settings();
    let entries = endpoints_file::parse_with_secrets(&text, settings.default_format, &InTheFile);
    let entries = entries.map_err(|faults| {
        let problem = Problem::invalid("the file has faults, and nothing was imported; see `errors`");
        problem.errors(faults.told().collect())
    })?;
    let is_dry_run = asked.dry_run.unwrap_or(false);
    let mut rows = Vec::with_capacity(entries.len());
    let mut wanted = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let (company, id) = (&entry.endpoint.company, &entry.endpoint.id);
        let mut row = ImportedRow {
            row: index + 1,
            company: company.to_string(),
            id: id.to_string(),
            result: "refused",
            detail: None,
        };
        if *company != tenant.company {
            row.result = "skipped";
            row.detail = Some("it is another company's; import the file for that company, too".to_owned());
        } else if let Some(why) = taken_id(id) {
            row.detail = Some(why);
        } else {
            match settings.policy.check_url(&entry.endpoint.url) {
                Ok(_) => wanted.push((index, checked(&app, entry)?)),
                Err(refusal) => row.detail = Some(refusal.to_string()),
            }
        }
        rows.push(row);
    }
    let (indices, wanted): (Vec<usize>, Vec<ImportedEndpoint>) = wanted.into_iter().unzip();
    let limit = settings.endpoints_per_company;
    let outcomes = app
        .store()
        .import_endpoints(&tenant.company, &wanted, limit, is_dry_run, &tenant.actor)
        .await?;
    for (index, outcome) in indices.into_iter().zip(outcomes) {
        if let Some(row) = rows.get_mut(index) {
            tell(row, outcome, limit);
        }
    }
    Ok(Json(Imported {
        dry_run: is_dry_run,
        results: rows,
    }))
}

fn tell(row: &mut ImportedRow, outcome: ImportOutcome, limit: u32) {
    row.result = match outcome {
        ImportOutcome::Created => "created",
        ImportOutcome::Changed => "changed",
        ImportOutcome::Unchanged => "unchanged",
        ImportOutcome::LimitReached => {
            row.detail = Some(format!(
                "the company has {limit} endpoints, which is as many as it may have"
            ));
            "refused"
        }
    };
}

fn checked(app: &App, entry: WithSecrets) -> Result<ImportedEndpoint, Problem> {
    let endpoint = entry.endpoint;
    Ok(ImportedEndpoint {
        endpoint: NewEndpoint {
            url: url(&app.settings().policy, &endpoint.url, true)?,
            id: endpoint.id,
            format: endpoint.format,
            events: endpoint.events,
            headers: endpoint.headers,
            description: None,
            rate: endpoint.rate,
            disabled: endpoint.disabled,
            secret: entry.secret,
        },
        previous_secret: entry.previous_secret,
    })
}

/// A file that comes over the network may not read the console's own environment or disk.
struct InTheFile;

impl SecretSource for InTheFile {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("a file that is imported must hold its secrets itself".to_owned())
    }
}
