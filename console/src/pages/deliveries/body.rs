//! What is sent with each attempt: shown laid out and as it is, as far as a page can bear it, and whole for whoever takes it
//! along.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use hookline_common::delivery::Origin;
use hookline_common::endpoint::Format;
use hookline_common::envelope;
use hookline_common::event::{CreatedAt, Data, Event};
use hookline_common::ids::CompanyId;
use hookline_common::trace_context::TraceContext;
use hookline_store::{KeptEvent, LoggedDelivery, Registered, StoreError};
use maud::{Markup, html};

use super::cut::{Cut, laid_out, seen};
use crate::api::deliveries::missing;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::DeliveryOf;
use crate::pages::parts::raw;
use crate::pages::refused::Refused;
use crate::pages::words::count;
use crate::problem::Problem;

/// Bytes that each of the two views may take in a page.
const SHOWN_BYTES: usize = 14 * 1024;

/// What is sent with each attempt of a delivery.
pub(super) struct Sent {
    /// The event's data or the whole body, if it was kept.
    pub(super) text: Option<String>,
    /// What writes the body around the data; none where that is not known, and the text is the data alone.
    format: Option<Format>,
    /// When the event happened, where that is known.
    pub(super) happened_at: Option<CreatedAt>,
    is_test: bool,
}

impl Sent {
    pub(super) async fn of(
        app: &App,
        company: &CompanyId,
        delivery: &LoggedDelivery,
        endpoint: Option<&Registered>,
    ) -> Result<Self, StoreError> {
        let kept = app.store().kept_event(company, &delivery.event).await?;
        let happened_at = kept.as_ref().and_then(|kept| kept.created_at);
        let body = kept.and_then(|kept| body(company, delivery, endpoint, kept));
        let (text, format) = body.unzip();
        Ok(Self {
            text,
            format: format.flatten(),
            happened_at,
            is_test: delivery.origin == Origin::Test.as_str(),
        })
    }

    /// Why there is nothing to show or to send again.
    pub(super) fn missing(&self) -> Option<&'static str> {
        self.text.is_none().then(|| missing(self.is_test))
    }

    /// Bytes of it, in words.
    pub(super) fn size(&self) -> Option<String> {
        let text = self.text.as_ref()?;
        Some(count(text.len() as u64, "byte"))
    }

    /// The body, for curl and the like: not the data alone, which no request has.
    pub(super) fn body(&self) -> Option<&str> {
        self.format.and(self.text.as_deref())
    }
}

fn body(
    company: &CompanyId,
    delivery: &LoggedDelivery,
    endpoint: Option<&Registered>,
    kept: KeptEvent,
) -> Option<(String, Option<Format>)> {
    let bytes = kept.data?;
    // What is no event's data is none of ours, and is shown all the same.
    let alone = || Some((String::from_utf8_lossy(&bytes).into_owned(), None));
    let Ok(data) = Data::new(bytes.clone()) else {
        return alone();
    };
    let (Some(created_at), Some(endpoint)) = (kept.created_at, endpoint) else {
        return alone();
    };
    let event = Event {
        id: delivery.event.clone(),
        company: company.clone(),
        event_type: delivery.event_type.clone(),
        created_at,
        data,
        trace: TraceContext::default(),
    };
    let body = envelope::body(endpoint.format, &event);
    let text = String::from_utf8_lossy(&body).into_owned();
    Some((text, Some(endpoint.format)))
}

/// The name under which it is taken along.
pub(super) fn file_name(delivery: &LoggedDelivery) -> String {
    format!("{}.json", delivery.event)
}

/// Both views of it.
pub(super) fn section(sent: &Sent, here: &str) -> Markup {
    html! {
        section #body {
            h2 { "Body" }
            @match (&sent.text, sent.missing()) {
                (Some(text), _) => (views(sent, text, here)),
                (None, Some(missing)) => p { (missing) },
                (None, None) => {}
            }
        }
    }
}

fn views(sent: &Sent, text: &str, here: &str) -> Markup {
    let (pretty, exact) = (laid_out(text, SHOWN_BYTES), seen(text, SHOWN_BYTES));
    let is_whole = pretty.is_whole && exact.is_whole;
    html! {
        p.hint {
            (count(text.len() as u64, "byte"))
            @match sent.format {
                Some(format) => { ", the same with each attempt, as the endpoint's format (" (format) ") writes them. " },
                None => { " of data as it was published; the endpoint that it went to is not registered here. " },
            }
            a href={ (here) "/body" } download { "Download" }
        }
        @if !is_whole {
            p.notice { "Only the beginning is shown here. " a href={ (here) "/body" } download { "Download all of it" } "." }
        }
        div.exchange.views {
            div { h3 { "Laid out" } (raw(&cut(&pretty), "Body, laid out")) }
            div { h3 { "The exact bytes" } (raw(&cut(&exact), "Body, the exact bytes")) }
        }
    }
}

fn cut(cut: &Cut) -> String {
    if cut.is_whole {
        cut.text.clone()
    } else {
        format!("{} …", cut.text)
    }
}

/// All of it, as a file.
pub(in crate::pages) async fn download(
    State(app): State<App>,
    tenant: Tenant,
    DeliveryOf(event, endpoint): DeliveryOf,
) -> Result<Response, Refused> {
    let found = app.store().delivery(&tenant.company, &event, &endpoint).await?;
    let registered = registered(&app, &tenant.company, &found.delivery).await?;
    let sent = Sent::of(&app, &tenant.company, &found.delivery, registered.as_ref()).await?;
    let text = sent.text.ok_or_else(Problem::not_found)?;
    let disposition = format!("attachment; filename=\"{}\"", file_name(&found.delivery));
    let disposition = HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, text).into_response())
}

/// The endpoint of a delivery; none where it is not registered, or not any more.
pub(super) async fn registered(
    app: &App,
    company: &CompanyId,
    delivery: &LoggedDelivery,
) -> Result<Option<Registered>, StoreError> {
    match app.store().endpoint(company, &delivery.endpoint).await {
        Ok(endpoint) => Ok(Some(endpoint)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
