//! Certify: a booking's life is played against an endpoint, and each check says what was sent, what was answered, and what a good
//! receiver answers. The page is the same after a reload; while one is played it keeps itself true where scripts run.

mod result; // how far it has come, and what came of it

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::endpoint::Format;
use hookline_store::{Certificate, StoreError};
use maud::{Markup, html};

use self::result::{forged, result};
use super::endpoints::list::shown_url;
use super::endpoints::page::EndpointPage;
use super::fields::Fields;
use super::parts::{fault, renewed, see};
use super::refused::Refused;
use super::words::visible;
use crate::app::App;
use crate::certifying::begin as begin_certificate;

/// Seconds between two looks of the page.
const RENEWED_EVERY_S: &str = "2";

pub(super) async fn show(State(app): State<App>, page: EndpointPage) -> Result<Response, Refused> {
    let last = last(&app, &page).await?;
    Ok(shown(&app, &page, last.as_ref(), &html! {}))
}

/// The one that is being played, or was played last.
async fn last(app: &App, page: &EndpointPage) -> Result<Option<Certificate>, StoreError> {
    app.store()
        .certificate(&page.tenant.company, &page.endpoint.id)
        .await
}

pub(super) async fn begin(
    State(app): State<App>,
    page: EndpointPage,
    fields: Fields,
) -> Result<Response, Refused> {
    let EndpointPage { tenant, endpoint, .. } = &page;
    let verifies = promises_signature(endpoint.format) || fields.has("verifies", "yes");
    let begun = begin_certificate(&app, &tenant.company, &endpoint.id, &tenant.actor, verifies).await;
    let Err(problem) = begun else {
        return Ok(see(&format!("{}/certify", page.here())));
    };
    let last = last(&app, &page).await?;
    let refused = shown(&app, &page, last.as_ref(), &fault(problem.detail()));
    Ok((problem.status(), refused).into_response())
}

/// Whether receivers of this format verify signatures. Those of meetergo's own get none from meetergo, and need not.
fn promises_signature(format: Format) -> bool {
    match format {
        Format::Meeva | Format::Standard => true,
        Format::Meetergo | Format::MeetergoFlat => false,
    }
}

fn shown(app: &App, page: &EndpointPage, last: Option<&Certificate>, notice: &Markup) -> Response {
    let here = page.here();
    let is_running = last.is_some_and(|last| last.is_running);
    let actions = html! {
        @if is_running { (renewed()) }
        a.button href={ (here) "/test" } { "Send test event" }
    };
    let content = html! {
        (notice)
        p {
            "This finds out whether your server does what a good receiver does. Hookline tells " span.url { (visible(&shown_url(&page.endpoint))) }
            " of a booking that is made, moved and cancelled, with forged signatures, the same event twice, events out of order, the largest body and ten at once, and compares each answer with a good one."
        }
        p.hint {
            "Some 34 requests in about ten seconds, signed with this endpoint's own secret, whatever its event filter says and even while it is paused. "
            "The bookings are made up, but your server takes them for real: their ids begin with " code { "bkg_certify_" } ", so that you can find and remove them."
        }
        // With the button, which comes back when the last one has ended.
        div.certificate #certificate data-renew=[is_running.then_some(RENEWED_EVERY_S)] {
            @if app.settings().certifying.is_none() {
                p.notice.warn { "Endpoints are not certified here: the platform has switched that off." }
            } @else if !is_running {
                (form(page, last))
            }
            section {
                h2 { "Result" }
                @match last {
                    None => p.hint { "Not certified yet." },
                    Some(last) => (result(last, &here)),
                }
            }
        }
    };
    page.show_with("Certify", &actions, &content)
}

fn form(page: &EndpointPage, last: Option<&Certificate>) -> Markup {
    html! {
        form method="post" action={ (page.here()) "/certify" } data-once {
            (page.visitor.proof())
            @if !promises_signature(page.endpoint.format) {
                label.choice {
                    input type="checkbox" name="verifies" value="yes" checked[last.is_some_and(forged)];
                    span { strong { "My server verifies " code { "webhook-signature" } } span.hint { "Forged requests are then tried as well." } }
                }
            }
            div.actions {
                button.primary type="submit" { @if last.is_some() { "Certify again" } @else { "Certify" } }
            }
        }
    }
}
