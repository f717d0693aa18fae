//! Who looks at a page, as its head and its forms need to know it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Extensions;
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
    /// The company of the path, which they were found to be allowed to see; elsewhere their own, if they have one.
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

    /// By what was put beside a request on its way in.
    pub(super) fn of(beside: &Extensions) -> Self {
        let signed_in = beside.get::<SignedIn>().cloned();
        let of_path = beside.get::<Tenant>().map(|tenant| tenant.company.clone());
        let own = || signed_in.as_ref()?.session.company.clone();
        Self {
            company: of_path.or_else(own),
            signed_in,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}
