//! How many of which endpoint, and whether they can be sent: what is told before anything is done.

use hookline_common::ids::CompanyId;
use hookline_store::{EndpointLetters, Registered};
use maud::{Markup, html};

use crate::pages::endpoints::list::{held, name};
use crate::pages::navigation::path;
use crate::pages::words::grouped;

/// All of them together.
pub(super) fn sum<'a>(letters: impl IntoIterator<Item = &'a EndpointLetters>) -> u64 {
    letters.into_iter().map(|letters| letters.count).sum()
}

/// A line for each endpoint, with what becomes of its own: `sent` is said of those that can be sent to.
pub(super) fn table(
    company: &CompanyId,
    letters: &[EndpointLetters],
    endpoints: &[Registered],
    sent: Option<&str>,
) -> Markup {
    html! {
        table.fitting {
            thead { tr {
                th scope="col" { "Endpoint" }
                th.number scope="col" { "Deliveries" }
                @if sent.is_some() { th scope="col" { "What happens" } }
            } }
            tbody {
                @for letters in letters {
                    @let endpoint = endpoints.iter().find(|endpoint| endpoint.id == letters.endpoint);
                    tr {
                        th scope="row" { (called(letters, endpoint)) }
                        td.number { (grouped(letters.count)) }
                        @if let Some(sent) = sent {
                            td.wide { (what_happens(company, letters, endpoint, sent)) }
                        }
                    }
                }
            }
        }
    }
}

/// What people call the endpoint.
pub(super) fn called(letters: &EndpointLetters, endpoint: Option<&Registered>) -> String {
    endpoint.map_or_else(|| letters.endpoint.to_string(), name)
}

fn what_happens(
    company: &CompanyId,
    letters: &EndpointLetters,
    endpoint: Option<&Registered>,
    sent: &str,
) -> Markup {
    html! {
        @match endpoint {
            _ if letters.can_be_sent_to => (sent),
            None => "stay: the endpoint has been removed, and they can only be discarded",
            Some(endpoint) => {
                "stay: the endpoint is " (held(endpoint).unwrap_or("disabled")) ". "
                a href=(path(company, &format!("endpoints/{}", letters.endpoint))) { "Resume it first" }
            }
        }
    }
}
