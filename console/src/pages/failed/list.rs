//! What failed for good: problems first, then each delivery, to be sent again or discarded.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::explanation::explain_dead_letter;
use hookline_common::ids::CompanyId;
use hookline_store::{Cursor, DeadLetter, EndpointLetters, FailingGroup, Page as Rows, Registered};
use maud::{Markup, html};

use super::by_endpoint::{called, sum};
use super::filter::Filter;
use crate::app::App;
use crate::auth::Tenant;
use crate::pages::endpoints::list::{all, held, name};
use crate::pages::fields::{Fields, Search};
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::outcome;
use crate::pages::parts::{badge, empty, fault, head};
use crate::pages::problems::{self, deliveries};
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::{shortened, time};

/// Rows on one page.
const ROWS: u32 = 50;

/// What the page shows.
struct Shown<'a> {
    visitor: &'a Visitor,
    company: &'a CompanyId,
    filter: &'a Filter,
    endpoints: &'a [Registered],
    letters: Vec<EndpointLetters>,
    rows: Rows<DeadLetter>,
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    Search(query): Search,
) -> Result<Response, Refused> {
    let company = &tenant.company;
    let filter = Filter::of(&query);
    let catalogue = &app.settings().catalogue;
    let endpoints = all(&app, company).await?;
    let list = path(company, "failed");
    let form = filter.form(&list, &endpoints, catalogue);
    let head = head(&[], "Failed", &html! {});
    let page = |body| Page {
        visitor: &visitor,
        place: Place::Failed,
        title: "Failed",
        body,
    };
    let meant = match filter.checked(catalogue) {
        Ok(meant) => meant,
        Err(problem) => {
            let body = html! { (head) (fault(problem.detail())) (form) (filter.chips(&list, &endpoints)) };
            return Ok((problem.status(), page(body)).into_response());
        }
    };
    let store = app.store();
    let cursor = Cursor::parse(query.text("after"));
    let is_first = filter.is_empty() && cursor.is_none();
    let (problems, letters, rows) = tokio::try_join!(
        async {
            if is_first {
                store.problems(company).await
            } else {
                Ok(Vec::new())
            }
        },
        store.count_dead_letters(company, &meant),
        store.dead_letters(company, &meant, cursor, ROWS)
    )?;
    let shown = Shown {
        visitor: &visitor,
        company,
        filter: &filter,
        endpoints: &endpoints,
        letters,
        rows,
    };
    let is_empty = shown.letters.is_empty();
    let body = html! {
        (head)
        (done(&query))
        @if !problems.is_empty() { (first(company, &problems, &endpoints)) }
        @if is_empty && is_first {
            (nothing(company, !problems.is_empty()))
        } @else {
            @if !problems.is_empty() { h2 { "Failed deliveries" } }
            (form)
            (filter.chips(&list, &endpoints))
            @if is_empty {
                (empty("Nothing that failed is like that", "Take a filter off to see more.",
                    &html! { a.button href=(list) { "Show all" } }))
            } @else {
                (shown.blocked())
                (shown.table(&list))
            }
        }
    };
    Ok(page(body).into_response())
}

/// What was just done, or could not be.
fn done(query: &Fields) -> Markup {
    let discarded: Option<u64> = query.text("discarded").parse().ok();
    html! {
        @if let Some(count) = discarded {
            p.notice.good role="status" {
                @if count == 0 { "Nothing was left to discard." } @else { "Discarded: " (deliveries(count)) "." }
            }
        }
        @if query.has("none", "1") {
            p.notice.warn role="alert" { "Nothing was selected. Tick the deliveries that you mean, or take all that are listed." }
        }
    }
}

fn first(company: &CompanyId, problems: &[FailingGroup], endpoints: &[Registered]) -> Markup {
    html! {
        div.group {
            h2 { "Problems" }
            (problems::list(company, problems, endpoints))
        }
    }
}

fn nothing(company: &CompanyId, is_failing: bool) -> Markup {
    let text = if is_failing {
        "What fails now is still tried again by itself. Only what fails at its last attempt too is listed here, until you \
         retry or discard it."
    } else {
        "What fails is tried again by itself. What fails at its last attempt too, or could not be sent as its endpoint was \
         paused or disabled, is listed here, with all that is needed to send it again."
    };
    let action = html! { a.button href=(path(company, "deliveries")) { "See the deliveries" } };
    empty("Nothing has failed for good", text, &action)
}

impl Shown<'_> {
    fn endpoint(&self, letter: &DeadLetter) -> Option<&Registered> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.id == letter.endpoint)
    }

    /// Endpoints that must be resumed before anything can be sent to them again.
    fn blocked(&self) -> Markup {
        let held = self.letters.iter().filter_map(|letters| {
            let endpoint = self
                .endpoints
                .iter()
                .find(|endpoint| endpoint.id == letters.endpoint)?;
            Some((letters, endpoint, held(endpoint)?))
        });
        html! {
            @for (letters, endpoint, why) in held {
                p.notice.warn {
                    strong { (called(letters, Some(endpoint))) } " is " (why) ". To retry its " (deliveries(letters.count)) ", "
                    a href=(path(self.company, &format!("endpoints/{}", endpoint.id))) { "resume it first" } "."
                }
            }
        }
    }

    fn table(&self, list: &str) -> Markup {
        let count = sum(&self.letters);
        let all = if self.filter.is_empty() {
            "all"
        } else {
            "all that match"
        };
        html! {
            form method="post" action={ (list) "/retry" } data-picks {
                (self.visitor.proof())
                (self.filter.hidden())
                div.actions.picking {
                    button.primary type="submit" name="which" value="picked" { "Retry selected…" }
                    button.danger type="submit" name="which" value="picked" formaction={ (list) "/discard" } { "Discard selected…" }
                    span.apart {}
                    button type="submit" name="which" value="all" { "Retry " (all) "…" }
                    button.danger type="submit" name="which" value="all" formaction={ (list) "/discard" } { "Discard " (all) "…" }
                    span.hint.picked role="status" data-picked { }
                    span.hint.counted { (deliveries(count)) }
                }
                div.table-frame tabindex="0" role="region" aria-label="Failed deliveries" {
                    table.letters data-rows {
                        thead { tr {
                            th.pick scope="col" {
                                input.needs-script type="checkbox" data-pick-all aria-label="Select all rows of this page";
                                span.sr { "Select" }
                            }
                            th scope="col" { "Event" }
                            th scope="col" { "Endpoint" }
                            th scope="col" { "Why" }
                            th scope="col" { "Failed" }
                            th.number scope="col" { "Attempts" }
                            th scope="col" { "State" }
                            th scope="col" { span.sr { "Retry" } }
                        } }
                        tbody { @for letter in &self.rows.items { (self.row(letter, list)) } }
                    }
                }
            }
            @if let Some(next) = &self.rows.next {
                p.below { a.button href={ (list) (self.filter.query(&[("after", &next.to_string())])) } { "Older" } }
            }
        }
    }

    fn row(&self, letter: &DeadLetter, list: &str) -> Markup {
        let endpoint = self.endpoint(letter);
        let called = endpoint.map_or_else(|| letter.endpoint.to_string(), name);
        let pick = format!("{}/{}", letter.event, letter.endpoint);
        let words = explain_dead_letter(letter.reason, letter.last_outcome, letter.last_status);
        let can_be_sent = endpoint.is_some_and(|endpoint| !endpoint.disabled) && letter.retried_at.is_none();
        html! {
            tr {
                td.pick { input type="checkbox" name="pick" value=(pick) aria-label={ "Select " (letter.event) " to " (called) }; }
                th scope="row" {
                    a href={ (list) "/" (pick) } title=(letter.event) data-row { code { (shortened(letter.event.as_str())) } }
                    span.sub { (letter.event_type) }
                }
                td.named {
                    @if endpoint.is_some() { (called) } @else { (called) span.sub { "removed" } }
                }
                td.wide {
                    (ending(letter))
                    span.sub { (words.sentence) }
                }
                td { (time(letter.failed_at)) }
                td.number { (letter.attempts) }
                td { (state(letter)) }
                td.end {
                    @if can_be_sent {
                        button.quiet type="submit" name="one" value=(pick) aria-label={ "Retry " (letter.event) " to " (called) } { "Retry" }
                    }
                }
            }
        }
    }
}

/// How the last attempt ended, in a few words.
pub(super) fn ending(letter: &DeadLetter) -> Markup {
    html! {
        @match (letter.last_outcome, letter.last_status) {
            (_, Some(status)) => { "HTTP " (status) },
            (Some(outcome), None) => (outcome::name(outcome)),
            (None, None) => "not tried",
        }
    }
}

/// Whether somebody has sent it again.
pub(super) fn state(letter: &DeadLetter) -> Markup {
    html! {
        @match letter.retried_at {
            Some(at) => { (badge("warn", "retried")) " " (time(at)) },
            None => (badge("bad", "failed")),
        }
    }
}
