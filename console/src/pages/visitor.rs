//! Who looks at a page, as its head and its forms need to know it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hookline_common::ids::CompanyId;
use hookline_store::Session;
use maud::{Markup, html};

use super::fields::PROOF;
use crate::auth::Tenant;

/// Somebody with a good session, put beside a request on its way in.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) session: Session,
    /// What their forms must hold.
    pub(super) proof: String,
}

/// Who looks, and at which company.
#[derive(Clone, Default)]
pub(super) struct Visitor {
    pub(super) signed_in: Option<SignedIn>,
    /// The company of the path, which they were found to be allowed to see.
    pub(super) company: Option<CompanyId>,
}

impl Visitor {
    pub(super) fn is_operator(&self) -> bool {
        let signed_in = self.signed_in.as_ref();
        signed_in.is_some_and(|signed_in| signed_in.session.company.is_none())
    }

    /// The hidden field without which no form of ours is taken.
    pub(super) fn proof(&self) -> Markup {
        html! {
            @if let Some(signed_in) = &self.signed_in {
                input type="hidden" name=(PROOF) value=(signed_in.proof);
            }
        }
    }

    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            signed_in: parts.extensions.get::<SignedIn>().cloned(),
            company: parts
                .extensions
                .get::<Tenant>()
                .map(|tenant| tenant.company.clone()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}
