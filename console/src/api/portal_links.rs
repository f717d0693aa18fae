//! Links into a company's own dashboard: made by the platform, or with the company's own token, for one of the company's people, good
//! once and for minutes.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Tenant;
use crate::extract::{Json, OptionalJson};
use crate::problem::{Problem, ProblemBody};
use crate::sign_in_links::{PORTAL_LINK_FOR, path};

/// Nothing can be chosen yet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePortalLink {}

/// A new link, in clear for this once.
#[derive(Serialize, ToSchema)]
#[schema(as = PortalLink)]
pub(crate) struct CreatedPortalLink {
    /// Open it in a new tab or window of the one who is to see the dashboard: it cannot be framed. It works once.
    url: String,
    /// Until when it can be opened.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// The console's address as whoever asks sees it, where none was set.
pub(crate) struct Address(pub(crate) String);

impl FromRequestParts<App> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(url) = &app.settings().public_url {
            return Ok(Self(url.as_str().to_owned()));
        }
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_host = |host: &&str| {
            host.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_'))
        };
        let host = host
            .filter(is_host)
            .ok_or_else(|| Problem::invalid("the Host header is missing, or is no host"))?;
        Ok(Self(format!("http://{host}")))
    }
}

/// Make a link into a company's own dashboard.
///
/// It works once and for five minutes. Whoever opens it sees that company alone, for two hours. A company's own token may make
/// one, too: the link, and the visit that it leads to, ends when that token does. Its host is that of
/// `HOOKLINE_PUBLIC_URL`, or of this request where that is not set.
#[utoipa::path(post, path = "/v1/companies/{company}/portal-links", tag = "tokens", operation_id = "createPortalLink",
    params(("company" = String, Path, description = "The company")), request_body(content = Option<CreatePortalLink>),
    responses(
        (status = 201, description = "Made", body = CreatedPortalLink),
        (status = "4XX", description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not now", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(app): State<App>,
    tenant: Tenant,
    address: Address,
    OptionalJson(_): OptionalJson<CreatePortalLink>,
) -> Result<(StatusCode, Json<CreatedPortalLink>), Problem> {
    let (url, expires_at) = make(&app, &tenant, &address).await?;
    let expires_at = expires_at.to_string();
    Ok((StatusCode::CREATED, Json(CreatedPortalLink { url, expires_at })))
}

/// Makes one, and says until when it can be opened.
pub(crate) async fn make(
    app: &App,
    tenant: &Tenant,
    Address(address): &Address,
) -> Result<(String, jiff::Timestamp), Problem> {
    let made = app
        .store()
        .create_sign_in_link(Some(&tenant.company), PORTAL_LINK_FOR, &tenant.actor)
        .await;
    let (key, expires_at) = made?;
    Ok((format!("{address}{}", path(&key)), expires_at))
}
