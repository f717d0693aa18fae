//! The operator's overview, over all companies.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::CompanyId;
use hookline_store::{FailingGroup, StoreError};
use maud::{Markup, html};

use super::super::endpoints::list::all;
use super::super::fields::Search;
use super::super::layout::Page;
use super::super::navigation::{Place, path};
use super::super::problems;
use super::super::refused::Refused;
use super::super::visitor::Visitor;
use super::nodes;
use super::queues;
use super::sentence::Situation;
use super::view::{Counted, View, counted};
use super::window::Window;
use crate::app::App;
use crate::problem::Problem;

/// Problems that stand here: those that hold most deliveries up.
const PROBLEMS: u32 = 12;

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Search(query): Search,
) -> Result<Response, Refused> {
    // A company's people have an overview of their own.
    if !visitor.is_operator() {
        return Err(Problem::not_found().into());
    }
    let store = app.store();
    let window = Window::parse(query.text("window"));
    let depths = async { Ok(app.queue_depths().known().await) };
    let (standings, failing, backlog, Counted { hour, steps }, depths) = tokio::try_join!(
        store.standings(),
        in_time(store.problems_of_all(PROBLEMS)),
        in_time(store.backlog(None)),
        counted(&app, None, window),
        depths,
    )?;
    let (queued, has_no_dispatcher) = queues::waiting(depths.as_ref());
    let situation = Situation {
        standings,
        is_of_all: true,
        delivered: hour.delivered,
        backlog,
        queued,
        has_no_dispatcher,
        ..Situation::default()
    };
    let view = View {
        title: "All companies",
        path: "/overview",
        window,
        situation: &situation,
        steps: &steps,
        failed_path: None,
        actions: html! {
            @if standings.endpoints() == 0 {
                p.actions { a.button.primary href="/companies" { "Open a company to add one" } }
            }
        },
        problems: match failing {
            Some(failing) => grouped(&app, failing).await?,
            None => unknown(),
        },
        more: html! { (queues::table(depths.as_ref())) (nodes::table(depths.as_ref())) },
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Overview,
        title: "Overview",
        body: view.body(),
    };
    Ok(page.into_response())
}

/// What looks through all that waits may take longer than the database is given, when much does: just then the rest of the page
/// is wanted.
async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<Option<T>, StoreError> {
    match asked.await {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::Unavailable(why)) => {
            tracing::warn!(
                error = why,
                "the overview of all companies is shown without a part of it"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn unknown() -> Markup {
    html! {
        section {
            h2 { "Problems" }
            p.notice.warn {
                "What fails is not known: the database did not say in time. The console's log says more. Each company's own overview \
                 may still tell."
            }
        }
    }
}

/// Problems under the names of their companies: the one first that has the largest.
async fn grouped(app: &App, failing: Vec<(CompanyId, FailingGroup)>) -> Result<Markup, StoreError> {
    let mut order: Vec<CompanyId> = Vec::new();
    let mut of: BTreeMap<String, Vec<FailingGroup>> = BTreeMap::new();
    for (company, group) in failing {
        let groups = of.entry(company.to_string()).or_default();
        if groups.is_empty() {
            order.push(company);
        }
        groups.push(group);
    }
    let mut lists = Vec::new();
    for company in order {
        // A few short reads: so many companies are in it at most as there are problems.
        let endpoints = all(app, &company).await?;
        let groups = of.remove(company.as_str()).unwrap_or_default();
        lists.push((problems::list(&company, &groups, &endpoints), company));
    }
    Ok(html! {
        @if !lists.is_empty() {
            section {
                h2 { "Problems" }
                @for (list, company) in &lists {
                    h3 { a href=(path(company, "overview")) { (company) } }
                    (list)
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_database_does_not_say_in_time_is_left_out_and_another_fault_is_not() {
        let found = |answer: Result<u8, StoreError>| in_time(std::future::ready(answer));
        assert!(matches!(found(Ok(1)).await, Ok(Some(1))));
        let late = StoreError::Unavailable("it took too long".to_owned());
        assert!(matches!(found(Err(late)).await, Ok(None)));
        let broken = found(Err(StoreError::Corrupt("company"))).await;
        assert!(matches!(broken, Err(StoreError::Corrupt(_))));
        assert!(unknown().into_string().contains("not known"));
    }
}
