//! Which dead letters are meant: as texts, as the address has them, so that every view can be sent to somebody.

use hookline_catalogue::Catalogue;
use hookline_common::delivery::DeadLetterReason;
use hookline_common::endpoint::EventPattern;
use hookline_common::outcome::Outcome;
use hookline_store::{DeadLetterFilter, Registered};
use jiff::Timestamp;
use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use crate::api::failed::{FailedFilter, status};
use crate::pages::endpoints::list::name;
use crate::pages::fields::Fields;
use crate::pages::outcome;
use crate::pages::words::{moment, visible};
use crate::problem::Problem;

/// The names of its parts in an address, the same as the API's, and what people call them.
const PARTS: [(&str, &str); 8] = [
    ("endpoint", "endpoint"),
    ("type", "type"),
    ("outcome", "last attempt:"),
    ("last_status", "answered"),
    ("reason", "because"),
    ("since", "from"),
    ("until", "until"),
    ("open", "only"),
];
/// Those of them that are seldom asked for.
const MORE: [&str; 5] = ["outcome", "last_status", "reason", "since", "until"];

/// The parts that are given, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<(&'static str, String)>);

impl Filter {
    /// Of a query or a form. What plays tricks is made visible at once: no part that means something has any of that.
    pub(super) fn of(fields: &Fields) -> Self {
        let given = PARTS
            .into_iter()
            .filter_map(|(name, _)| Some((name, visible(&fields.given(name)?))));
        Self(given.collect())
    }

    /// Whether it lets everything through.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    fn given(&self, name: &str) -> Option<String> {
        let text = self.text(name);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// What stands behind the path, with these parts besides.
    pub(super) fn query(&self, besides: &[(&str, &str)]) -> String {
        let parts = self.0.iter().map(|(name, text)| (*name, text.as_str()));
        written(parts.chain(besides.iter().copied()))
    }

    fn without(&self, left_out: &str) -> String {
        let parts = self.0.iter().filter(|(name, _)| *name != left_out);
        written(parts.map(|(name, text)| (*name, text.as_str())))
    }

    /// The same in a form.
    pub(super) fn hidden(&self) -> Markup {
        html! { @for (name, text) in &self.0 { input type="hidden" name=(name) value=(text); } }
    }

    /// Checks everything, as the API does.
    pub(super) fn checked(&self, catalogue: &Catalogue) -> Result<DeadLetterFilter, Problem> {
        let only_open = match self.text("open") {
            "" | "false" => false,
            "true" => true,
            _ => return Err(Problem::invalid("open: must be true or false")),
        };
        let filter = FailedFilter {
            endpoint: self.given("endpoint"),
            event_type: self.given("type"),
            since: self.given("since").map(|text| moment(&text)),
            until: self.given("until").map(|text| moment(&text)),
            outcome: self.given("outcome"),
            last_status: self.given("last_status").map(|text| status(&text)).transpose()?,
            reason: self.given("reason"),
        };
        filter.checked(catalogue, only_open)
    }

    /// What is filtered by, each part to be taken off.
    pub(super) fn chips(&self, path: &str, endpoints: &[Registered]) -> Markup {
        html! {
            @if !self.is_empty() {
                ul.chips aria-label="Set filters" {
                    @for (part, words) in PARTS {
                        @if let Some(text) = self.given(part) {
                            li {
                                a.chip href={ (path) (self.without(part)) } title="Take this filter off" {
                                    (words) " " strong { (shown(part, &text, endpoints)) } span aria-hidden="true" { " ✕" }
                                }
                            }
                        }
                    }
                    li { a href=(path) { "Take all off" } }
                }
            }
        }
    }

    /// The form that narrows the list.
    pub(super) fn form(&self, path: &str, endpoints: &[Registered], catalogue: &Catalogue) -> Markup {
        let has_more = MORE.iter().any(|part| !self.text(part).is_empty());
        html! {
            form.filters method="get" action=(path) role="search" aria-label="Failed deliveries" {
                div.filter {
                    label for="endpoint" { "Endpoint" }
                    select #endpoint name="endpoint" {
                        option value="" { "all" }
                        @for endpoint in endpoints {
                            option value=(endpoint.id) selected[self.text("endpoint") == endpoint.id.as_str()] { (name(endpoint)) }
                        }
                        // One that was removed has no row, and perhaps dead letters.
                        @if !self.text("endpoint").is_empty() && !endpoints.iter().any(|endpoint| endpoint.id.as_str() == self.text("endpoint")) {
                            option value=(self.text("endpoint")) selected { (visible(self.text("endpoint"))) }
                        }
                    }
                }
                div.filter {
                    label for="type" { "Type" }
                    input #type name="type" value=(self.text("type")) list="types" placeholder="booking.*" autocomplete="off" spellcheck="false" maxlength="128" data-search;
                    datalist #types { @for info in catalogue.iter() { option value=(info.name) {} } }
                }
                div.filter {
                    label for="open" { "State" }
                    select #open name="open" {
                        option value="" { "all" }
                        option value="true" selected[self.text("open") == "true"] { "not retried" }
                    }
                }
                button type="submit" { "Filter" }
                details.filter-more open[has_more] {
                    summary { "More" }
                    div.filters { (self.more()) }
                }
            }
        }
    }

    fn more(&self) -> Markup {
        html! {
            div.filter {
                label for="outcome" { "Last attempt" }
                select #outcome name="outcome" {
                    option value="" { "any" }
                    @for outcome in Outcome::ALL {
                        @if !matches!(outcome, Outcome::Delivered | Outcome::Discarded) {
                            option value=(outcome) selected[self.text("outcome") == outcome.as_str()] { (outcome::name(outcome)) }
                        }
                    }
                }
            }
            div.filter {
                label for="last_status" { "HTTP status" }
                input.status #last_status name="last_status" value=(self.text("last_status")) inputmode="numeric" maxlength="3" placeholder="503" autocomplete="off";
            }
            div.filter {
                label for="reason" { "Why it failed" }
                select #reason name="reason" {
                    option value="" { "any reason" }
                    @for (reason, words) in REASONS {
                        option value=(reason.as_str()) selected[self.text("reason") == reason.as_str()] { (words) }
                    }
                }
            }
            @for (part, label) in [("since", "Failed since (UTC)"), ("until", "Until (UTC)")] {
                div.filter {
                    label for=(part) { (label) }
                    input id=(part) name=(part) type="datetime-local" value=(local(self.text(part)));
                }
            }
        }
    }
}

const REASONS: [(DeadLetterReason, &str); 2] = [
    (DeadLetterReason::RetriesExhausted, "every attempt failed"),
    (
        DeadLetterReason::EndpointDisabled,
        "the endpoint was paused or disabled",
    ),
];

fn written<'a>(parts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parts).finish();
    if query.is_empty() {
        query
    } else {
        format!("?{query}")
    }
}

/// A time as a browser's field for one takes it: in UTC, as its label says.
fn local(text: &str) -> String {
    let at: Option<Timestamp> = moment(text).parse().ok();
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M").to_string())
        .unwrap_or_default()
}

/// A part's text as people read it.
fn shown(part: &str, text: &str, endpoints: &[Registered]) -> String {
    let known = match part {
        "endpoint" => endpoints
            .iter()
            .find(|endpoint| endpoint.id.as_str() == text)
            .map(name),
        "outcome" => Outcome::parse(text).map(|outcome| outcome::name(outcome).to_owned()),
        "reason" => REASONS
            .into_iter()
            .find(|(reason, _)| reason.as_str() == text)
            .map(|(_, words)| words.to_owned()),
        "open" => (text == "true").then(|| "not retried".to_owned()),
        "type" => EventPattern::parse(text)
            .ok()
            .map(|pattern| pattern.as_str().to_owned()),
        _ => None,
    };
    known.unwrap_or_else(|| visible(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &str) -> Filter {
        Filter::of(&Fields::parse(query.as_bytes()))
    }

    #[test]
    fn an_address_holds_what_was_given_and_nothing_else() {
        let filter = filter("endpoint=ep_1&type=&since=2030-01-15T14:30&page=3&last_status=503&csrf=x");
        assert_eq!(
            filter.query(&[("after", "c1")]),
            "?endpoint=ep_1&last_status=503&since=2030-01-15T14%3A30&after=c1"
        );
        assert_eq!(
            filter.without("endpoint"),
            "?last_status=503&since=2030-01-15T14%3A30"
        );
        assert_eq!(Filter::default().query(&[]), "");
        assert!(!filter.is_empty() && Filter::default().is_empty());
    }

    #[test]
    fn a_field_for_a_time_means_utc() {
        let catalogue = Catalogue::built_in();
        for text in [
            "2030-01-15T14:30",
            "2030-01-15T14:30:00",
            "2030-01-15T14:30:00Z",
            "2030-01-15 14:30 UTC",
            "2030-01-15T15:30:00%2B01:00",
        ] {
            let checked = filter(&format!("since={text}")).checked(&catalogue).unwrap();
            assert_eq!(checked.since, "2030-01-15T14:30:00Z".parse().ok(), "{text}");
            assert_eq!(local(&text.replace("%2B", "+")), "2030-01-15T14:30");
        }
        // A day is its beginning, on both pages.
        let checked = filter("since=2030-01-15").checked(&catalogue).unwrap();
        assert_eq!(checked.since, "2030-01-15T00:00:00Z".parse().ok());
        assert_eq!(local("2030-01-15"), "2030-01-15T00:00");
        assert_eq!((local("yesterday"), local("")), (String::new(), String::new()));
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        for (query, name) in [
            ("endpoint=%20x%20y", "endpoint"),
            ("type=Booking!", "type"),
            ("since=yesterday", "since"),
            ("outcome=lost", "outcome"),
            ("last_status=5", "last_status"),
            ("reason=lost", "reason"),
            ("open=maybe", "open"),
        ] {
            let problem = filter(query).checked(&Catalogue::built_in()).unwrap_err();
            assert!(
                problem.detail().starts_with(&format!("{name}: ")),
                "{query}: {problem:?}"
            );
        }
        let only = filter("open=true&last_status=503")
            .checked(&Catalogue::built_in())
            .unwrap();
        assert!(only.only_open && only.last_status == Some(503));
    }
}
