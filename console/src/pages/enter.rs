//! In by a link. Looking at it changes nothing, so that a program that looks at links before people do does not use it up:
//! the page has one button, which a script presses; but not for somebody who is signed in already. Whoever sends them a link
//! would else have them work in another company without a word.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hookline_common::ids::CompanyId;
use hookline_store::{Session, SessionKey};
use maud::html;
use tracing::info;

use super::cookie;
use super::layout::Page;
use super::navigation::Place;
use super::parts::see;
use super::refused::Refused;
use super::sign_in::with;
use super::visitor::Visitor;
use crate::app::App;
use crate::extract::path_param;
use crate::peer::Peer;
use crate::sign_in_links::{entrance, path};

/// The link's last part, if it has the shape of one, and who shows it.
pub(super) struct Link(Option<SessionKey>, Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Link {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let text = path_param(parts, state, "link").await?;
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        Ok(Self(SessionKey::parse(&text), peer))
    }
}

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Link(link, peer): Link,
) -> Result<Response, Refused> {
    let Some(link) = link else {
        return Ok(over(&visitor));
    };
    let is_good = async {
        let is_good = app.store().is_good_link(&link).await?;
        Ok(is_good.then_some(()))
    };
    if app.guesses().look_up(peer, &link, is_good).await?.is_none() {
        return Ok(over(&visitor));
    }
    let body = html! {
        div.narrow {
            h1 { "Open the dashboard" }
            @if let Some(signed_in) = &visitor.signed_in {
                p.notice.warn {
                    "You are signed in as " strong { (called(&signed_in.session)) } ". Opening this link replaces that: you are then signed in as whomever it was made for."
                }
            }
            p { "This link works once, here and now." }
            form method="post" action=(path(&link)) data-auto-submit[visitor.signed_in.is_none()] {
                (visitor.proof())
                div.actions {
                    button.primary type="submit" { "Open" }
                    @if visitor.signed_in.is_some() { a.button href="/" { "Stay signed in as you are" } }
                }
            }
        }
    };
    Ok(Page {
        visitor: &visitor,
        place: Place::Nowhere,
        title: "Open the dashboard",
        body,
    }
    .into_response())
}

pub(super) async fn enter(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Link(link, peer): Link,
) -> Result<Response, Refused> {
    let Some(link) = link else {
        return Ok(over(&visitor));
    };
    let replaced = cookie::presented(&app, &headers);
    let credential = app.settings().admin_token.credential();
    let entrance = entrance(&credential, replaced.as_ref());
    let used = app.store().use_sign_in_link(&link, &entrance);
    let Some((session, key)) = app.guesses().look_up(peer, &link, used).await? else {
        return Ok(over(&visitor));
    };
    app.guesses().made(&key);
    let lifetime = if session.company.is_some() {
        entrance.portal_for
    } else {
        info!(
            peer = peer.map(display),
            session = session.id,
            "the operator signed in with a link"
        );
        entrance.operator_for
    };
    Ok(with(see("/"), cookie::given(&app, &key, lifetime)))
}

/// Whom a session is of.
fn called(session: &Session) -> &str {
    session.company.as_ref().map_or("the operator", CompanyId::as_str)
}

/// The same whether it was used, has expired or never was.
fn over(visitor: &Visitor) -> Response {
    let body = html! {
        div.narrow {
            h1 { "This link is over" }
            p { "It was used already, or its time is up: such a link works once, and only for a few minutes." }
            p { "Go back to where you found it, and open the dashboard from there again." }
            @if visitor.signed_in.is_some() {
                p.actions { a.button href="/" { "Continue to the dashboard" } }
            }
        }
    };
    let page = Page {
        visitor,
        place: Place::Nowhere,
        title: "This link is over",
        body,
    };
    (StatusCode::GONE, page).into_response()
}
