//! Where one begins: a company's people with their overview, the operator with that of all; and the list of companies.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::CompanyId;
use hookline_store::{CompanySummary, Counts, Standings, StoreError};
use jiff::Timestamp;
use maud::{Markup, html};

use super::charts::{HOURS, Steps};
use super::fields::Search;
use super::layout::Page;
use super::navigation::{Place, path};
use super::parts::{badge, empty, fault, head, see};
use super::refused::Refused;
use super::visitor::Visitor;
use super::words::grouped;
use crate::app::App;
use crate::auth::Tenant;
use crate::problem::Problem;

/// Companies on one page.
const ROWS: u32 = 50;

pub(super) async fn start(visitor: Visitor) -> Response {
    let own = visitor.signed_in.and_then(|signed_in| signed_in.session.company);
    match own {
        Some(company) => see(&path(&company, "overview")),
        None => see("/overview"),
    }
}

/// The page that a company's menu begins with.
pub(super) async fn first_page(tenant: Tenant) -> Response {
    see(&path(&tenant.company, "overview"))
}

pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Search(query): Search,
) -> Result<Response, Refused> {
    // A company's people have one, and need no list of it.
    if !visitor.is_operator() {
        return Err(Problem::not_found().into());
    }
    let wanted = query.text("company").to_owned();
    let mut wrong = None;
    if !query.text("open").is_empty() {
        match CompanyId::parse(&wanted) {
            Ok(company) => return Ok(see(&path(&company, "overview"))),
            Err(error) => wrong = Some(error.to_string()),
        }
    }
    let after = CompanyId::parse(query.text("after")).ok();
    let found = app
        .store()
        .company_summaries(&wanted, after.as_ref(), ROWS + 1)
        .await?;
    let glances = Glances::read(&app, &found).await?;
    let page = Page {
        visitor: &visitor,
        place: Place::Companies,
        title: "Companies",
        body: body(&found, &glances, &wanted, wrong.as_deref()),
    };
    Ok(page.into_response())
}

/// How companies fare.
struct Glances {
    standings: HashMap<CompanyId, Standings>,
    /// Of about a day, in whole hours.
    counts: HashMap<CompanyId, Counts>,
}

impl Glances {
    async fn read(app: &App, found: &[CompanySummary]) -> Result<Self, StoreError> {
        let companies: Vec<CompanyId> = found.iter().map(|row| row.company.clone()).collect();
        let since = Steps::begin(Timestamp::now(), 3_600, HOURS);
        let (standings, counts) = tokio::try_join!(
            app.store().standings_of_companies(&companies),
            app.store().counts_of_companies(&companies, since),
        )?;
        Ok(Self { standings, counts })
    }

    fn state(&self, company: &CompanyId) -> Markup {
        let Some(standings) = self.standings.get(company) else {
            return badge("idle", "no endpoint");
        };
        let all = standings.endpoints();
        let of = |number: u64, word: &str| match number {
            number if number == all => format!("all {word}"),
            number => format!("{} of {} {word}", grouped(number), grouped(all)),
        };
        match standings {
            Standings { disabled: 1.., .. } => badge("bad", &of(standings.disabled, "disabled")),
            Standings { failing: 1.., .. } => badge("bad", &of(standings.failing, "failing")),
            Standings { paused: 1.., .. } => badge("warn", &of(standings.paused, "paused")),
            Standings { answering: 0, .. } => badge("idle", "nothing sent yet"),
            _ => badge("good", &of(standings.answering, "answering")),
        }
    }

    fn counts(&self, company: &CompanyId) -> Counts {
        self.counts.get(company).copied().unwrap_or_default()
    }
}

fn body(found: &[CompanySummary], glances: &Glances, wanted: &str, wrong: Option<&str>) -> Markup {
    let rows: Vec<&CompanySummary> = found.iter().take(ROWS as usize).collect();
    let last = rows.last().filter(|_| found.len() > rows.len());
    html! {
        (head(&[], "Companies", &html! {}))
        @if let Some(wrong) = wrong { (fault(wrong)) }
        form.toolbar method="get" action="/companies" role="search" {
            label.sr for="company" { "Company" }
            input #company name="company" value=(wanted) placeholder="Name of a company" autocomplete="off" spellcheck="false" data-search;
            button type="submit" { "Search" }
            button type="submit" name="open" value="1" { "Open by exact name" }
            @if !wanted.is_empty() {
                a.chip href="/companies" title="Take this filter off" { "begins with " strong { (wanted) } " ✕" }
            }
        }
        @if rows.is_empty() && wanted.is_empty() {
            (empty("No company has anything here yet",
                "A company appears with its first endpoint or API token. Type its name above and open it to add one.",
                &html! {}))
        } @else if rows.is_empty() {
            (empty("No company begins like that",
                "Companies are listed once they have an endpoint or an API token. Open it all the same to add one.",
                &html! {}))
        } @else {
            div.table-frame {
                table.stacks data-rows {
                    thead { tr {
                        th scope="col" { "Company" }
                        th scope="col" { "State" }
                        th.number scope="col" { "Endpoints" }
                        th.number scope="col" { "Delivered in 24 h" }
                        th.number scope="col" { "Failed attempts in 24 h" }
                        th.number scope="col" { "API tokens" }
                    } }
                    tbody {
                        @for row in &rows {
                            @let counts = glances.counts(&row.company);
                            tr {
                                th scope="row" { a href=(path(&row.company, "overview")) data-row { (row.company) } }
                                td data-label="State" { (glances.state(&row.company)) }
                                td.number data-label="Endpoints" { (grouped(row.endpoints.into())) }
                                td.number data-label="Delivered in 24 h" { (grouped(counts.delivered)) }
                                td.number data-label="Failed in 24 h" { (grouped(counts.failed_attempts())) }
                                td.number data-label="API tokens" { (grouped(row.tokens.into())) }
                            }
                        }
                    }
                }
            }
            p.below {
                @if let Some(last) = last {
                    a.button href={ "/companies?company=" (wanted) "&after=" (last.company) } { "More" }
                } @else {
                    span.hint { @if rows.len() == 1 { "1 company" } @else { (grouped(rows.len() as u64)) " companies" } }
                }
            }
        }
    }
}
