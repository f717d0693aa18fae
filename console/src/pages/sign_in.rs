//! In with the operator's token, and out again.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use tracing::{info, warn};

use super::cookie;
use super::fields::{Fields, Search};
use super::layout::Page;
use super::navigation::Place;
use super::parts::{done, fault, see};
use super::refused::Refused;
use super::visitor::Visitor;
use crate::app::App;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::sign_in_links::{OPERATOR_SESSION, entrance};

pub(super) async fn show(visitor: Visitor, Search(query): Search) -> Response {
    if visitor.signed_in.is_some() {
        return see("/");
    }
    let next = next(query.text("next"));
    page(&visitor, &next, query.text("done"), None).into_response()
}

fn page(visitor: &Visitor, next: &str, word: &str, wrong: Option<&str>) -> Response {
    let body: Markup = html! {
        div.narrow {
            h1 { "Sign in" }
            (done(word))
            @if let Some(wrong) = wrong { (fault(wrong)) }
            form.stack method="post" action="/sign-in" {
                input type="hidden" name="next" value=(next);
                div.field {
                    label for="token" { "Operator's token" }
                    input #token type="password" name="token" required autocomplete="current-password" spellcheck="false" autofocus;
                    p.hint { "The value of " code { "HOOKLINE_ADMIN_TOKEN" } "." }
                }
                div.actions { button.primary type="submit" { "Sign in" } }
            }
            p.hint {
                "Your company's own dashboard opens by a link from the platform that you book with. "
                "On the console's machine, " code { "hookline-console sign-in-link" } " prints a link for the operator."
            }
        }
    };
    Page {
        visitor,
        place: Place::Nowhere,
        title: "Sign in",
        body,
    }
    .into_response()
}

/// Where one wanted to go: a path of ours, and nothing that a browser could take for another host's.
fn next(text: &str) -> String {
    let is_path = text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path { text.to_owned() } else { "/".to_owned() }
}

pub(super) async fn enter(
    State(app): State<App>,
    visitor: Visitor,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Refused> {
    let next = next(fields.text("next"));
    let peer = peer.map(|Extension(Peer(address))| address);
    // Whoever has the right one is let in, whatever others have guessed at the same address.
    if !app.settings().admin_token.is(fields.text("token")) {
        if let Some(Err(wait)) = peer.map(|address| app.sign_in_tries().wrong(address)) {
            return Err(Problem::too_many(wait).into());
        }
        if app.sign_in_tries().is_told() {
            warn!(
                peer = peer.map(display),
                "somebody was not signed in: what they gave is not the operator's token"
            );
        }
        let wrong = "that is not the operator's token";
        let form = page(&visitor, &next, "", Some(wrong));
        return Ok((StatusCode::FORBIDDEN, form).into_response());
    }
    let replaced = cookie::presented(&app, &headers);
    let credential = app.settings().admin_token.credential();
    let entrance = entrance(&credential, replaced.as_ref());
    let (session, key) = app.store().open_operator_session(&entrance).await?;
    app.guesses().made(&key);
    info!(
        peer = peer.map(display),
        session = session.id,
        "the operator signed in with the token"
    );
    Ok(with(see(&next), cookie::given(&app, &key, OPERATOR_SESSION)))
}

pub(super) fn with(mut response: Response, (name, value): (HeaderName, HeaderValue)) -> Response {
    response.headers_mut().append(name, value);
    response
}

/// Ends the session that the browser has, here and in the database.
pub(super) async fn leave(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refused> {
    if let Some(key) = cookie::presented(&app, &headers) {
        let credential = app.settings().admin_token.credential();
        app.store().close_session(&key, &credential).await?;
    }
    Ok(with(see("/sign-in?done=signed-out"), cookie::taken(&app)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_on_to_our_own_paths_alone() {
        assert_eq!(next("/companies/acme?x=1"), "/companies/acme?x=1");
        for foreign in [
            "",
            "companies",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\nx",
            "javascript:alert(1)",
        ] {
            assert_eq!(next(foreign), "/", "{foreign:?}");
        }
    }
}
