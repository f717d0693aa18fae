//! Every route, and who may use it. There is no other way in: the router is made of this table, and so is the description,
//! and the test of who may reach whose data.

use utoipa::openapi::path::{HttpMethod, Paths};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::{
    audit, deliveries, document, endpoints, event_types, events, failed, feed, health, import, portal_links,
    problems, replay, secrets, test_event, tokens,
};
use crate::app::App;
use crate::auth::{Access, Audited};

/// A row of the table.
pub(crate) struct Row {
    pub(crate) access: Access,
    /// Whether what it does stands in the company's audit, which is kept for ever: a company may do so only so often.
    pub(crate) audited: Audited,
    pub(crate) route: UtoipaMethodRouter<App>,
}

fn row(access: Access, route: UtoipaMethodRouter<App>) -> Row {
    Row {
        access,
        audited: Audited::No,
        route,
    }
}

/// A row whose deeds stand in the audit.
fn audited(access: Access, route: UtoipaMethodRouter<App>) -> Row {
    Row {
        audited: Audited::Yes,
        ..row(access, route)
    }
}

/// A row whose deeds stand in the audit, each of one delivery.
fn single(access: Access, route: UtoipaMethodRouter<App>) -> Row {
    Row {
        audited: Audited::Single,
        ..row(access, route)
    }
}

/// The table.
pub(crate) fn table() -> Vec<Row> {
    use Access::{Admin, Company, Public, SignedIn};
    vec![
        row(Company, routes!(events::publish)),
        row(Company, routes!(endpoints::list)),
        audited(Company, routes!(endpoints::create)),
        row(Company, routes!(endpoints::show)),
        audited(Company, routes!(endpoints::change)),
        audited(Company, routes!(endpoints::remove)),
        audited(Admin, routes!(import::import)),
        audited(Company, routes!(secrets::reveal)),
        audited(Company, routes!(secrets::rotate)),
        audited(Company, routes!(secrets::complete)),
        row(Company, routes!(test_event::send)),
        row(Company, routes!(deliveries::list)),
        row(Company, routes!(deliveries::show)),
        row(Company, routes!(problems::list)),
        row(Company, routes!(feed::read)),
        single(Company, routes!(replay::replay)),
        row(Company, routes!(failed::list)),
        row(Company, routes!(failed::show)),
        single(Company, routes!(failed::retry_one)),
        // Counts for itself what it does not only count.
        row(Company, routes!(failed::retry)),
        row(Company, routes!(failed::progress)),
        single(Company, routes!(failed::discard_one)),
        audited(Company, routes!(failed::discard)),
        row(Company, routes!(audit::list)),
        row(Admin, routes!(tokens::list)),
        audited(Admin, routes!(tokens::create)),
        audited(Admin, routes!(tokens::revoke)),
        audited(Company, routes!(portal_links::create)),
        row(SignedIn, routes!(event_types::list)),
        row(SignedIn, routes!(event_types::show)),
        row(Public, routes!(document::document)),
        row(Public, routes!(document::docs)),
        row(Public, routes!(document::style)),
        row(Public, routes!(health::healthz)),
        row(Public, routes!(health::readyz)),
        row(Public, routes!(health::metrics)),
    ]
}

/// A route as a test or a page needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// Its path, with `{company}` and the like for parameters.
    pub path: String,
    /// Who may use it.
    pub access: Access,
}

/// All of them, in the table's order.
#[must_use]
pub fn routes() -> Vec<RouteInfo> {
    let rows = table().into_iter();
    rows.flat_map(|row| {
        let (_, paths, _) = row.route;
        methods(&paths).into_iter().map(move |(method, path)| RouteInfo {
            method,
            path,
            access: row.access,
        })
    })
    .collect()
}

fn methods(paths: &Paths) -> Vec<(&'static str, String)> {
    let all = [
        (HttpMethod::Get, "GET"),
        (HttpMethod::Post, "POST"),
        (HttpMethod::Put, "PUT"),
        (HttpMethod::Patch, "PATCH"),
        (HttpMethod::Delete, "DELETE"),
    ];
    let paths_of = |(method, name): &(HttpMethod, &'static str)| {
        let found = paths
            .paths
            .keys()
            .filter(|path| paths.get_path_operation(*path, method.clone()).is_some());
        found.map(|path| (*name, path.clone())).collect::<Vec<_>>()
    };
    all.iter().flat_map(paths_of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::input::TAKEN_IDS;
    use super::*;

    #[test]
    fn no_endpoint_may_have_an_id_that_is_a_routes_own_word() {
        let before = "/v1/companies/{company}/endpoints/";
        for route in routes() {
            let Some(rest) = route.path.strip_prefix(before) else {
                continue;
            };
            let word = rest.split('/').next().unwrap();
            assert!(word == "{id}" || TAKEN_IDS.contains(&word), "{route:?}");
        }
    }

    #[test]
    fn a_path_with_a_company_is_for_that_company_or_the_operator_and_each_row_is_one_route() {
        let routes = routes();
        assert_eq!(routes.len(), table().len());
        for route in routes {
            let has_company = route.path.contains("{company}");
            let is_for_one = matches!(route.access, Access::Company | Access::Admin);
            assert_eq!(has_company, is_for_one, "{route:?}");
            assert_eq!(has_company, route.path.starts_with("/v1/companies/"), "{route:?}");
        }
    }
}
