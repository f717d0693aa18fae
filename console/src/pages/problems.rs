//! What fails, a line for each problem: "CRM answers 503 since 10:32 UTC · 214 deliveries affected · 12 failed for good".
//! Overview and failed page show them alike.

use hookline_common::explanation::in_short;
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::{FailingGroup, Registered};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::endpoints::list::name;
use super::navigation::path;
use super::parts::badge;
use super::words::grouped;
use crate::api::words::explained;

/// The problems of a company as lines, each with a way to its deliveries and, where some failed for good, to their retry;
/// nothing where there is none. `endpoints` are all of the company's, for their names.
pub(super) fn list(company: &CompanyId, problems: &[FailingGroup], endpoints: &[Registered]) -> Markup {
    let now = Timestamp::now();
    html! {
        @if !problems.is_empty() {
            ul.problems {
                @for problem in problems {
                    li.problem { (line(company, problem, find(endpoints, &problem.endpoint), now)) }
                }
            }
        }
    }
}

fn find<'a>(endpoints: &'a [Registered], id: &EndpointId) -> Option<&'a Registered> {
    endpoints.iter().find(|endpoint| endpoint.id == *id)
}

fn line(
    company: &CompanyId,
    problem: &FailingGroup,
    endpoint: Option<&Registered>,
    now: Timestamp,
) -> Markup {
    let called = endpoint.map_or_else(|| problem.endpoint.to_string(), name);
    let next_step = explained(problem.outcome, problem.status, None).next_step;
    let (badge_kind, badge_word) = if problem.failed > 0 {
        ("bad", "failed")
    } else {
        ("warn", "retrying")
    };
    html! {
        p {
            (badge(badge_kind, badge_word)) " "
            strong { (called) } " " (what(problem, endpoint)) " since " (clock(problem.first_at, now))
            " · " (affected(problem))
        }
        p.hint { (hint(endpoint, &next_step)) }
        div.actions {
            a.button href=(to_deliveries(company, problem)) aria-label={ "See the deliveries to " (called) } { "See" }
            @match endpoint {
                _ if problem.failed == 0 => {}
                Some(endpoint) if !endpoint.disabled => {
                    a.button href=(to_failed(company, problem)) aria-label={ "Retry what failed at " (called) } { "Retry" }
                }
                Some(endpoint) => {
                    a.button href=(path(company, &format!("endpoints/{}", endpoint.id))) aria-label={ "Enable " (called) } { "Enable" }
                }
                None => {
                    a.button href=(to_failed(company, problem)) aria-label={ "Discard what failed at " (called) } { "Discard" }
                }
            }
        }
    }
}

fn what(problem: &FailingGroup, endpoint: Option<&Registered>) -> String {
    match (problem.outcome, endpoint) {
        (None, Some(endpoint)) if endpoint.disabled => "is disabled".to_owned(),
        (outcome, _) => in_short(outcome, problem.status).into_owned(),
    }
}

fn hint<'a>(endpoint: Option<&Registered>, next_step: &'a str) -> &'a str {
    match endpoint {
        None => "The endpoint has been removed: what failed there can only be looked at, or discarded.",
        Some(endpoint) if endpoint.disabled => {
            "Nothing is sent while the endpoint is disabled. Enable it, and then retry what failed."
        }
        Some(_) => next_step,
    }
}

/// `214 deliveries affected · 12 failed for good`.
fn affected(problem: &FailingGroup) -> String {
    let all = deliveries(problem.retrying + problem.failed);
    match (problem.retrying, problem.failed) {
        (_, 0) => format!("{all} being retried"),
        (0, _) => format!("{all} failed for good"),
        (_, failed) => format!("{all} affected · {} failed for good", grouped(failed)),
    }
}

/// `1 delivery`, `1,204 deliveries`.
pub(super) fn deliveries(number: u64) -> String {
    if number == 1 {
        "1 delivery".to_owned()
    } else {
        format!("{} deliveries", grouped(number))
    }
}

fn to_deliveries(company: &CompanyId, problem: &FailingGroup) -> String {
    let endpoint = &problem.endpoint;
    let rest = match problem.outcome {
        Some(outcome) => format!("&outcome={outcome}"),
        None => "&status=failed".to_owned(),
    };
    path(company, &format!("deliveries?endpoint={endpoint}{rest}"))
}

fn to_failed(company: &CompanyId, problem: &FailingGroup) -> String {
    let endpoint = &problem.endpoint;
    let rest = match (problem.outcome, problem.status) {
        (Some(outcome), Some(status)) => format!("&outcome={outcome}&last_status={status}"),
        (Some(outcome), None) => format!("&outcome={outcome}"),
        (None, _) => "&reason=endpoint_disabled".to_owned(),
    };
    path(company, &format!("failed?endpoint={endpoint}{rest}"))
}

/// A time of today by the clock, another one with its day.
fn clock(at: Timestamp, now: Timestamp) -> Markup {
    let is_recent = now.duration_since(at) < SignedDuration::from_hours(24);
    let format = if is_recent {
        "%H:%M UTC"
    } else {
        "%b %-d, %H:%M UTC"
    };
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) title=(at.strftime("%Y-%m-%d %H:%M:%S UTC")) { (at.strftime(format)) }
    }
}
