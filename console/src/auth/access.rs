//! What a row of the table asks for, and the check of it. Another company's path is answered like one that is not there,
//! before anything else is said.

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hookline_common::ids::CompanyId;
use hookline_store::Actor;

use super::bearer::{Principal, principal};
use super::tenant::Tenant;
use crate::app::App;
use crate::peer::Peer;
use crate::problem::Problem;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a good token.
    SignedIn,
    /// The operator, and the company of the path.
    Company,
    /// The operator alone.
    Admin,
}

/// How often a company may do what a row does: as it stands in its audit, which is kept for ever, so often only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audited {
    /// It does not stand there, or the handler counts it.
    No,
    /// It changes one delivery: scripts do so many times.
    Single,
    /// Anything else.
    Yes,
}

impl Audited {
    /// Counts a deed of this company.
    pub(crate) fn count(self, app: &App, company: &CompanyId) -> Result<(), Problem> {
        let counted = match self {
            Self::No => Ok(()),
            Self::Single => app.rates().single(company),
            Self::Yes => app.rates().deed(company),
        };
        counted.map_err(Problem::too_many_changes)
    }
}

/// What a row of the table asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asks {
    /// Who may use it.
    pub(crate) access: Access,
    /// Whether what it does stands in the company's audit.
    pub(crate) audited: Audited,
}

/// Lets a request through to its handler, or answers it.
pub(crate) async fn authorize(
    State((app, asks)): State<(App, Asks)>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let access = asks.access;
    if access == Access::Public {
        return Ok(next.run(request).await);
    }
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let Some(principal) = principal(&app, request.headers(), peer).await? else {
        if let Some(Err(wait)) = peer.map(|peer| app.rates().stranger(peer)) {
            return Err(Problem::too_many(wait));
        }
        return Err(Problem::unauthorized());
    };
    if let Principal::Company { token, company } = &principal {
        app.rates().token(token).map_err(Problem::too_many)?;
        asks.audited.count(&app, company)?;
    }
    let company = match &principal {
        Principal::Admin => None,
        Principal::Company { company, .. } => Some(company),
    };
    let share = app.database_shares().of_request(company);
    // What is no text is the path of nothing.
    let path = path.map_err(|_| Problem::not_found())?;
    let of_path = path.iter().find(|(name, _)| *name == "company");
    match of_path {
        Some((_, text)) => {
            let tenant = tenant(principal, text, access)?;
            request.extensions_mut().insert(tenant);
        }
        None => allowed(&principal, access)?,
    }
    Ok(share.hold(next.run(request)).await)
}

fn tenant(principal: Principal, path: &str, access: Access) -> Result<Tenant, Problem> {
    // What cannot be a company has nothing.
    let company = CompanyId::parse(path).map_err(|_| Problem::not_found())?;
    if let Principal::Company { company: own, .. } = &principal
        && *own != company
    {
        return Err(Problem::not_found());
    }
    allowed(&principal, access)?;
    let actor = match principal {
        Principal::Admin => Actor::Admin,
        Principal::Company { token, .. } => Actor::Token(token),
    };
    Ok(Tenant { company, actor })
}

fn allowed(principal: &Principal, access: Access) -> Result<(), Problem> {
    match (access, principal) {
        (Access::Admin, Principal::Company { .. }) => {
            Err(Problem::forbidden("only the operator's token may do this"))
        }
        _ => Ok(()),
    }
}
