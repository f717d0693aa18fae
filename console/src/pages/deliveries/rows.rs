//! Deliveries as rows: which event, where to, how far it has come, and what became of the last attempt.

use std::collections::HashMap;

use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::{LoggedDelivery, Registered};
use jiff::Timestamp;
use maud::{Markup, html};

use super::upcoming::{countdown, next_at};
use crate::pages::endpoints::list::name;
use crate::pages::navigation::path;
use crate::pages::outcome::{last_ended, status_badge};
use crate::pages::parts::id;
use crate::pages::words::{grouped, time};

/// Characters of an endpoint's name in a row, whatever its owner calls it.
const NAME_CHARACTERS: usize = 48;

/// What a company's endpoints are called.
pub(in crate::pages) struct Names(HashMap<EndpointId, String>);

impl Names {
    pub(in crate::pages) fn of(endpoints: &[Registered]) -> Self {
        let named = endpoints
            .iter()
            .map(|endpoint| (endpoint.id.clone(), shortened(&name(endpoint))));
        Self(named.collect())
    }

    /// Its name; none where it is not registered, or not any more.
    pub(in crate::pages) fn get(&self, endpoint: &EndpointId) -> Option<&str> {
        self.0.get(endpoint).map(String::as_str)
    }
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARACTERS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// The page of a delivery.
pub(super) fn address(company: &CompanyId, delivery: &LoggedDelivery) -> String {
    path(
        company,
        &format!("deliveries/{}/{}", delivery.event, delivery.endpoint),
    )
}

pub(super) fn table(deliveries: &[LoggedDelivery], company: &CompanyId, names: &Names) -> Markup {
    let now = Timestamp::now();
    html! {
        div.table-frame {
            table.deliveries data-rows {
                thead { tr {
                    th scope="col" { "Event" }
                    th scope="col" { "Endpoint" }
                    th scope="col" { "Status" }
                    th scope="col" { "Last attempt" }
                    th.number scope="col" { "Attempts" }
                    th.number scope="col" { "Created" }
                } }
                tbody { @for delivery in deliveries { (row(delivery, company, names, now)) } }
            }
        }
    }
}

fn row(delivery: &LoggedDelivery, company: &CompanyId, names: &Names, now: Timestamp) -> Markup {
    let next = next_at(delivery);
    html! {
        tr {
            th scope="row" {
                a href=(address(company, delivery)) data-row { (delivery.event_type) }
                @if delivery.origin == "test" { " " span.hint { "test" } }
                span.sub { (id(delivery.event.as_str())) }
            }
            td.ends-early {
                @match names.get(&delivery.endpoint) {
                    Some(name) => (name),
                    None => (id(delivery.endpoint.as_str())),
                }
            }
            td {
                (status_badge(delivery.status))
                @if let Some(next) = next { span.sub { (countdown(next, now)) } }
            }
            td.wide { (last_ended(delivery)) }
            td.number { (grouped(delivery.attempts.into())) }
            td.number { (time(delivery.created_at)) }
        }
    }
}
