//! Every page, and who may see it. There is no other way in: the router is made of this table, and so is the test of who
//! sees whose pages. A row with `POST` takes a form, and only with the proof that it came from a page of the same session; one
//! that is `audited`, or does a `single` thing, as often as a company may do what is written down, as with the API. What is the `same` for all asks nobody
//! who they are.

use axum::routing::{MethodRouter, get, post};

use super::{
    assets, audit, certify, companies, deliveries, endpoints, enter, failed, guide, overview, portal_link,
    reference, sign_in, test_event, tokens,
};
use crate::app::App;
use crate::auth::{Access, Audited};

/// A row of the table.
pub(super) struct Row {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) access: Access,
    /// Whether what it does stands in the company's audit, which is kept for ever: a company may do so only so often.
    pub(super) audited: Audited,
    /// Whether nobody is told apart there, so that the database is not asked who it is.
    pub(super) is_same_for_all: bool,
    pub(super) handler: MethodRouter<App>,
}

macro_rules! rows {
    ($($access:ident $method:ident $($mark:ident)? $path:literal => $handler:expr;)*) => {
        vec![$(Row {
            method: stringify!($method),
            path: $path,
            access: Access::$access,
            audited: match &[$(stringify!($mark))?] as &[&str] {
                ["audited"] => Audited::Yes,
                ["single"] => Audited::Single,
                _ => Audited::No,
            },
            is_same_for_all: matches!(&[$(stringify!($mark))?] as &[&str], ["same"]),
            handler: $method($handler),
        }),*]
    };
}

/// The table.
pub(super) fn table() -> Vec<Row> {
    rows! {
        Public get same "/assets/{file}" => assets::show;
        Public get "/sign-in" => sign_in::show;
        Public post "/sign-in" => sign_in::enter;
        Public get "/enter/{link}" => enter::show;
        Public post "/enter/{link}" => enter::enter;
        SignedIn post "/sign-out" => sign_in::leave;
        SignedIn get "/" => companies::start;
        SignedIn get "/overview" => overview::all::show;
        SignedIn get "/companies" => companies::list;
        Company get "/companies/{company}" => companies::first_page;
        Company get "/companies/{company}/overview" => overview::company::show;
        Company get "/companies/{company}/endpoints" => endpoints::list::show;
        Company post audited "/companies/{company}/endpoints" => endpoints::add::create;
        Company get "/companies/{company}/endpoints/new" => endpoints::add::show;
        Company post "/companies/{company}/check-url" => endpoints::check_url::check;
        Company get "/companies/{company}/endpoints/{id}" => endpoints::one::show;
        Company get "/companies/{company}/endpoints/{id}/edit" => endpoints::edit::show;
        Company post audited "/companies/{company}/endpoints/{id}/edit" => endpoints::edit::change;
        Company post audited "/companies/{company}/endpoints/{id}/pause" => endpoints::pause::pause;
        Company post audited "/companies/{company}/endpoints/{id}/resume" => endpoints::pause::resume;
        Company get "/companies/{company}/endpoints/{id}/remove" => endpoints::remove::show;
        Company post audited "/companies/{company}/endpoints/{id}/remove" => endpoints::remove::remove;
        Company get "/companies/{company}/endpoints/{id}/secret" => endpoints::secret::show;
        Company post audited "/companies/{company}/endpoints/{id}/secret" => endpoints::secret::reveal;
        Company get "/companies/{company}/endpoints/{id}/rotate" => endpoints::rotate::show;
        Company post audited "/companies/{company}/endpoints/{id}/rotate" => endpoints::rotate::rotate;
        Company get "/companies/{company}/endpoints/{id}/complete" => endpoints::rotate::ask;
        Company post audited "/companies/{company}/endpoints/{id}/complete" => endpoints::rotate::complete;
        Company get "/companies/{company}/endpoints/{id}/test" => test_event::show;
        Company post "/companies/{company}/endpoints/{id}/test" => test_event::send;
        Company get "/companies/{company}/endpoints/{id}/certify" => certify::show;
        Company post audited "/companies/{company}/endpoints/{id}/certify" => certify::begin;
        Company get "/companies/{company}/failed" => failed::list::show;
        Company post audited "/companies/{company}/failed/retry" => failed::retry::retry;
        Company post audited "/companies/{company}/failed/discard" => failed::discard::discard;
        Company get "/companies/{company}/failed/retries/{id}" => failed::progress::show;
        Company get "/companies/{company}/failed/{event}/{endpoint}" => failed::one::show;
        Company get "/companies/{company}/deliveries" => deliveries::list::show;
        Company get "/companies/{company}/deliveries/{event}/{endpoint}" => deliveries::one::show;
        Company get "/companies/{company}/deliveries/{event}/{endpoint}/body" => deliveries::body::download;
        Company post single "/companies/{company}/deliveries/{event}/{endpoint}/replay" => deliveries::again::send;
        Company get "/companies/{company}/reference" => reference::list;
        Company get "/companies/{company}/reference/{type}" => reference::show;
        Company get "/companies/{company}/guide/verify" => guide::verify;
        Company get "/companies/{company}/guide/retries" => guide::retries;
        Admin get "/companies/{company}/tokens" => tokens::list;
        Admin post "/companies/{company}/tokens" => tokens::create;
        Admin get "/companies/{company}/tokens/{id}/revoke" => tokens::ask;
        Admin post "/companies/{company}/tokens/{id}/revoke" => tokens::revoke;
        Company get "/companies/{company}/audit" => audit::list;
        Admin get "/companies/{company}/portal-link" => portal_link::show;
        Admin post "/companies/{company}/portal-link" => portal_link::create;
    }
}

/// A page as a test needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageInfo {
    /// `GET` or `POST`.
    pub method: String,
    /// Its path, with `{company}` and the like for parameters.
    pub path: &'static str,
    /// Who may see it.
    pub access: Access,
}

/// All of them, in the table's order.
#[must_use]
pub fn pages() -> Vec<PageInfo> {
    let rows = table().into_iter();
    rows.map(|row| PageInfo {
        method: row.method.to_uppercase(),
        path: row.path,
        access: row.access,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_audited_is_a_form_of_a_company() {
        let audited: Vec<Row> = table()
            .into_iter()
            .filter(|row| row.audited != Audited::No)
            .collect();
        assert!(audited.len() >= 10, "{}", audited.len());
        for row in audited {
            assert!(
                row.access == Access::Company && row.method == "post",
                "{}",
                row.path
            );
        }
    }

    #[test]
    fn a_path_with_a_company_is_for_that_company_or_the_operator() {
        for page in pages() {
            let has_company = page.path.contains("{company}");
            let is_for_one = matches!(page.access, Access::Company | Access::Admin);
            assert_eq!(has_company, is_for_one, "{page:?}");
            assert!(matches!(page.method.as_str(), "GET" | "POST"), "{page:?}");
        }
    }
}
