//! A company's own tokens: made, listed, revoked by the operator.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use hookline_common::duration;
use hookline_store::{NewToken, Token};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::is_plain_text;
use super::view::List;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{Json, OptionalJson, PageOf, PageQuery, path_param};
use crate::problem::{Problem, ProblemBody};

/// Characters of a name.
const MAX_NAME: usize = 100;

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateToken {
    /// What it is for.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// How long it is good for: `1m` to `3650d`; without end where it is left out.
    #[schema(pattern = "^[0-9]{1,9}(ms|s|m|h|d)$")]
    expires_in: Option<String>,
}

/// A new token, in clear for this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedToken {
    /// Its id.
    id: String,
    /// The token itself. It is kept nowhere and cannot be shown again.
    token: String,
    /// What it is for.
    name: String,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A token, without itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenView {
    /// Its id.
    id: String,
    /// What it is for.
    name: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// When it was last used, to within a minute.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        let told = |moment: Option<jiff::Timestamp>| moment.map(|moment| moment.to_string());
        Self {
            id: token.id,
            name: token.name,
            created_at: token.created_at.to_string(),
            expires_at: told(token.expires_at),
            revoked_at: told(token.revoked_at),
            last_used_at: told(token.last_used_at),
        }
    }
}

/// List a company's tokens; revoked ones, too.
#[utoipa::path(get, path = "/v1/companies/{company}/tokens", tag = "tokens", operation_id = "listTokens",
    params(("company" = String, Path, description = "The company"), PageQuery),
    responses(
        (status = 200, description = "A page of them", body = List<TokenView>),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(app): State<App>,
    tenant: Tenant,
    page: PageOf,
) -> Result<Json<List<TokenView>>, Problem> {
    let found = app
        .store()
        .tokens(&tenant.company, page.cursor, page.limit)
        .await?;
    Ok(Json(List::of(found)))
}

/// Make a token for a company. The answer is the only one that holds it.
#[utoipa::path(post, path = "/v1/companies/{company}/tokens", tag = "tokens", operation_id = "createToken",
    params(("company" = String, Path, description = "The company")), request_body(content = Option<CreateToken>),
    responses(
        (status = 201, description = "Made", body = CreatedToken),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(app): State<App>,
    tenant: Tenant,
    OptionalJson(body): OptionalJson<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let (name, expires_in) = body.map(|body| (body.name, body.expires_in)).unwrap_or_default();
    let new = new_token(name, expires_in)?;
    let (token, text) = app
        .store()
        .create_token(&tenant.company, &new, &tenant.actor)
        .await?;
    let created = CreatedToken {
        id: token.id,
        token: text.expose().to_owned(),
        name: token.name,
        expires_at: token.expires_at.map(|at| at.to_string()),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Checks what a token is to be.
pub(crate) fn new_token(name: Option<String>, expires_in: Option<String>) -> Result<NewToken, Problem> {
    let name = name.unwrap_or_default();
    if !is_plain_text(&name, MAX_NAME) {
        let detail = "name: at most 100 characters, without control characters, are allowed";
        return Err(Problem::invalid(detail));
    }
    let lifetime = expires_in.map(|text| {
        let days = |days: u64| std::time::Duration::from_secs(days * 24 * 3600);
        let allowed = std::time::Duration::from_secs(60)..=days(3650);
        let lifetime = duration::parse(&text).filter(|lifetime| allowed.contains(lifetime));
        lifetime.ok_or_else(|| Problem::invalid("expires_in: must be a duration from 1m to 3650d, like 90d"))
    });
    Ok(NewToken {
        name,
        lifetime: lifetime.transpose()?,
    })
}

/// The token of the path.
pub(crate) struct TokenOf(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for TokenOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_param(parts, state, "id").await?;
        let is_id = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if is_id {
            Ok(Self(id))
        } else {
            Err(Problem::not_found())
        }
    }
}

/// Revoke a token: this console refuses the next request with it, others within five seconds.
#[utoipa::path(delete, path = "/v1/companies/{company}/tokens/{id}", tag = "tokens", operation_id = "revokeToken",
    params(("company" = String, Path, description = "The company"), ("id" = String, Path, description = "The token's id")),
    responses(
        (status = 204, description = "Revoked"),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn revoke(
    State(app): State<App>,
    tenant: Tenant,
    TokenOf(id): TokenOf,
) -> Result<StatusCode, Problem> {
    // In a task of its own: whoever hangs up in the middle of it leaves no token behind that is revoked and still known.
    let revoking = tokio::spawn(async move {
        let revoked = app
            .store()
            .revoke_token(&tenant.company, &id, &tenant.actor)
            .await;
        app.known_tokens().forget_all();
        revoked
    });
    revoking.await.map_err(|error| {
        tracing::error!(%error, "a token may not be revoked");
        Problem::internal()
    })??;
    Ok(StatusCode::NO_CONTENT)
}
