//! What fails, a line for each problem: "CRM answers 503 since 10:32 UTC · 214 deliveries affected · 12 failed for good".
//! Overview and failed page show them alike.

use std::borrow::Cow;

use hookline_common::explanation::in_short;
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::{FailingGroup, Registered};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::endpoints::list::{held, name};
use super::navigation::path;
use super::parts::badge;
use super::words::{fixed, grouped};
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
            strong { (called) } " " (what(problem, endpoint))
            @if problem.outcome.is_some() { " since " (clock(problem.first_at, now)) }
            " · " (affected(problem))
            // An endpoint was paused before anything failed for that, and nobody wrote down when.
            @if problem.outcome.is_none() { ", the first at " (clock(problem.first_at, now)) }
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
                    a.button href=(path(company, &format!("endpoints/{}", endpoint.id))) aria-label={ "Resume " (called) } { "Resume" }
                }
                None => {
                    a.button href=(to_failed(company, problem)) aria-label={ "Discard what failed at " (called) } { "Discard" }
                }
            }
        }
    }
}

fn what(problem: &FailingGroup, endpoint: Option<&Registered>) -> String {
    match (problem.outcome, endpoint.and_then(held)) {
        (None, Some(why)) => format!("is {why}"),
        (outcome, _) => in_short(outcome, problem.status).into_owned(),
    }
}

fn hint<'a>(endpoint: Option<&Registered>, next_step: &'a str) -> Cow<'a, str> {
    match endpoint.map(held) {
        None => {
            "The endpoint has been removed: what failed there can only be looked at, or discarded.".into()
        }
        Some(Some(why)) => {
            format!("Nothing is sent while the endpoint is {why}. Resume it, and then retry what failed.")
                .into()
        }
        Some(None) => next_step.into(),
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
    fixed(at, format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookline_common::ids::EventId;
    use hookline_common::outcome::Outcome;

    fn problem(outcome: Option<Outcome>, status: Option<u16>, retrying: u64, failed: u64) -> FailingGroup {
        let at = |text: &str| text.parse().unwrap();
        FailingGroup {
            endpoint: EndpointId::parse("ep_crm").unwrap(),
            outcome,
            status,
            retrying,
            failed,
            first_at: at("2030-01-15T10:32:00Z"),
            last_at: at("2030-01-15T11:00:00Z"),
            sample: EventId::parse("evt_1").unwrap(),
        }
    }

    fn told(problem: &FailingGroup, now: &str) -> String {
        let company = CompanyId::parse("acme").unwrap();
        line(&company, problem, None, now.parse().unwrap()).into_string()
    }

    #[test]
    fn a_problem_is_told_in_one_line_with_the_way_to_what_it_means() {
        let many = problem(Some(Outcome::HttpStatus), Some(503), 1_202, 12);
        let page = told(&many, "2030-01-15T12:00:00Z");
        assert!(page.contains("</strong> answers 503 since <time"), "{page}");
        assert!(page.contains(">10:32 UTC</time>"), "{page}");
        assert!(
            page.contains("1,214 deliveries affected · 12 failed for good"),
            "{page}"
        );
        assert!(
            page.contains("deliveries?endpoint=ep_crm&amp;outcome=http_status"),
            "{page}"
        );
        assert!(
            page.contains("failed?endpoint=ep_crm&amp;outcome=http_status&amp;last_status=503"),
            "{page}"
        );
        let next_day = told(&many, "2030-01-16T12:00:00Z");
        assert!(next_day.contains(">Jan 15, 10:32 UTC</time>"), "{next_day}");
    }

    #[test]
    fn numbers_say_what_they_count() {
        let timeout = Some(Outcome::Timeout);
        for (retrying, failed, words) in [
            (1, 0, "1 delivery being retried"),
            (0, 1, "1 delivery failed for good"),
            (0, 1_204, "1,204 deliveries failed for good"),
            (1, 1, "2 deliveries affected · 1 failed for good"),
        ] {
            assert_eq!(affected(&problem(timeout, None, retrying, failed)), words);
        }
    }

    #[test]
    fn what_failed_while_its_endpoint_was_disabled_is_found_by_its_reason() {
        let disabled = problem(None, None, 0, 3);
        let page = told(&disabled, "2030-01-15T12:00:00Z");
        assert!(
            page.contains("failed?endpoint=ep_crm&amp;reason=endpoint_disabled"),
            "{page}"
        );
        assert!(
            page.contains("</strong> was disabled · 3 deliveries failed for good, the first at <time"),
            "{page}"
        );
        // The endpoint is none of the company's any more: nothing can be sent to it.
        assert!(page.contains("Discard") && !page.contains(">Retry<"), "{page}");
    }
}
