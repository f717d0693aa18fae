//! What stands in place of a page that was refused: what, why, and a way on.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::headers;
use super::layout::Page;
use super::navigation::Place;
use super::refused::{Refused, Words};
use super::visitor::Visitor;
use super::words::sentence;
use crate::problem::Problem;

/// The page that stands in place of what was refused; anything else as it is.
pub(super) fn dressed(mut response: Response, visitor: &Visitor) -> Response {
    let Some(words) = response.extensions_mut().remove::<Words>() else {
        return response;
    };
    let page = Page {
        visitor,
        place: Place::Nowhere,
        title: words.title,
        body: body(response.status(), &words),
    };
    let (mut head, _) = response.into_parts();
    let (dressed, body) = page.into_response().into_parts();
    head.headers.extend(dressed.headers);
    Response::from_parts(head, body)
}

fn body(status: StatusCode, words: &Words) -> Markup {
    html! {
        div.lost {
            p.lost-code { (status.as_u16()) }
            h1 { (words.title) }
            p { (sentence(&words.detail)) }
            p.actions { a.button href="/" { "Back to the start" } }
        }
    }
}

/// Where no route leads: a page for people, and a problem for programs.
pub(crate) async fn nothing_here(request: Request) -> Response {
    let accepted = request.headers().get(ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") || request.uri().path().starts_with("/v1/") {
        return Problem::not_found().into_response();
    }
    let refused = Refused(Problem::not_found()).into_response();
    let mut page = dressed(refused, &Visitor::default());
    headers::add(&mut page);
    page
}
