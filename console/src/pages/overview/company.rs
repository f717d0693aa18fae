//! The overview of one company.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::EndpointId;
use hookline_store::{Registered, Standing, Standings};
use maud::{Markup, html};

use super::super::endpoints::list::{all, name};
use super::super::fields::Search;
use super::super::layout::Page;
use super::super::navigation::{Place, path};
use super::super::problems;
use super::super::refused::Refused;
use super::super::visitor::Visitor;
use super::super::words::count;
use super::sentence::Situation;
use super::view::{Counted, View, counted};
use super::window::Window;
use crate::app::App;
use crate::auth::Tenant;

/// Problems that stand here; the page of what failed has all.
const PROBLEMS: usize = 8;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    Search(query): Search,
) -> Result<Response, Refused> {
    let (company, store) = (&tenant.company, app.store());
    let window = Window::parse(query.text("window"));
    let endpoints = all(&app, company).await?;
    let ids: Vec<EndpointId> = endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
    let (health, failing, backlog, Counted { hour, steps }) = tokio::try_join!(
        store.health(company, &ids),
        store.problems(company),
        store.backlog(Some(company)),
        counted(&app, Some(company), window),
    )?;
    let names: Vec<(Standing, String)> = endpoints
        .iter()
        .map(|endpoint| {
            let health = health.get(&endpoint.id).cloned().unwrap_or_default();
            (Standing::of(endpoint, &health), name(endpoint))
        })
        .collect();
    let standings = together(&names);
    let situation = Situation {
        standings,
        names,
        delivered: hour.delivered,
        backlog: Some(backlog),
        ..Situation::default()
    };
    let failed = path(company, "failed");
    let shown = failing.get(..PROBLEMS).unwrap_or(&failing);
    let view = View {
        title: "Overview",
        path: &path(company, "overview"),
        window,
        situation: &situation,
        steps: &steps,
        failed_path: Some(&failed),
        actions: next(&standings, &endpoints, &path(company, "endpoints")),
        problems: html! {
            @if !failing.is_empty() {
                section {
                    h2 { "Problems" }
                    (problems::list(company, shown, &endpoints))
                    @if failing.len() > PROBLEMS {
                        p { a href=(failed) { "All " (count(failing.len() as u64, "problem")) } }
                    }
                }
            }
        },
        more: html! {},
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Overview,
        title: "Overview",
        body: view.body(),
    };
    Ok(page.into_response())
}

fn together(names: &[(Standing, String)]) -> Standings {
    let mut standings = Standings {
        companies: 1,
        ..Standings::default()
    };
    for (standing, _) in names {
        let number = match standing {
            Standing::Disabled => &mut standings.disabled,
            Standing::Failing => &mut standings.failing,
            Standing::Paused => &mut standings.paused,
            Standing::Untried => &mut standings.untried,
            Standing::Answering => &mut standings.answering,
        };
        *number += 1;
    }
    standings
}

/// What one would do next.
fn next(standings: &Standings, endpoints: &[Registered], list: &str) -> Markup {
    html! {
        p.actions {
            @match endpoints {
                [] => a.button.primary href={ (list) "/new" } { "Add the first endpoint" },
                [one] if standings.untried == 1 => a.button.primary href={ (list) "/" (one.id) "/test" } { "Send test event" },
                _ if standings.untried == standings.endpoints() => a.button href=(list) { "Choose an endpoint to test" },
                _ if standings.disabled + standings.failing + standings.paused > 0 => a.button href=(list) { "See endpoints" },
                _ => {}
            }
        }
    }
}
