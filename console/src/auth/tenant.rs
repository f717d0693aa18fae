//! Whom a handler acts for: the company of the path, which the token was found to be good for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hookline_common::ids::CompanyId;
use hookline_store::Actor;

use crate::problem::Problem;

/// The company of the path, and who acts for it. Only a route whose row asks for it has one, so a handler that takes it
/// cannot be reached by somebody else's token.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    /// The company.
    pub(crate) company: CompanyId,
    /// Who asks, for the audit.
    pub(crate) actor: Actor,
}

impl Tenant {
    /// Whether it is the operator who asks.
    pub(crate) fn is_admin(&self) -> bool {
        self.actor == Actor::Admin
    }
}

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("a route takes a company, and its row in the table asks for none");
            Problem::internal()
        })
    }
}
