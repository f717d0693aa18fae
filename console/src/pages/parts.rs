//! What several pages have in them.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::words::{sentence, shortened, visible};

/// Where a form leads once it was done: to a page that can be loaded anew.
pub(super) fn see(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

/// What was just done, by the word that the form's answer put into the address.
pub(super) fn done(word: &str) -> Markup {
    let told = match word {
        "saved" => "Saved. It counts from the next delivery on.",
        "paused" => {
            "Paused. Events for it are not sent, and wait under the failed ones until you resume and retry them."
        }
        "resumed" => "Resumed. New events are sent again.",
        "removed" => "Removed. What was still on its way to it is discarded.",
        "completed" => "The old secret has ended: only the new one counts.",
        "revoked" => "Revoked. The token is refused from now on.",
        "exists" => "This endpoint is registered already: the form was sent twice, and it is there once.",
        "signed-out" => "You are signed out.",
        _ => return html! {},
    };
    html! { p.notice.good role="status" { (told) } }
}

/// What stands in the way, above a form that keeps what was typed.
pub(super) fn fault(text: &str) -> Markup {
    html! { p.notice.bad role="alert" { (sentence(&visible(text))) } }
}

/// What a field says when it is wrong.
pub(super) fn field_fault(id: &str, text: Option<&str>) -> Markup {
    html! {
        p.field-fault id=(id) aria-live="polite" {
            @if let Some(text) = text { (sentence(&visible(text))) }
        }
    }
}

/// A list without a row: what that means, and what to do next.
pub(super) fn empty(title: &str, text: &str, action: &Markup) -> Markup {
    html! {
        div.empty {
            h2 { (title) }
            p { (text) }
            (action)
        }
    }
}

/// The head of a page: where it is, what it is, and what can be done there.
pub(super) fn head(trail: &[(&str, &str)], title: &str, actions: &Markup) -> Markup {
    html! {
        @if !trail.is_empty() {
            nav.trail aria-label="Breadcrumb" {
                ol { @for (path, name) in trail { li { a href=(path) { (name) } } } }
            }
        }
        div.head {
            h1 { (title) }
            div.actions { (actions) }
        }
    }
}

/// Says that a page renews itself, and when it last did so; a script keeps it true.
pub(super) fn renewed() -> Markup {
    html! { span.renewal.needs-script data-renew-state { "Live" } }
}

/// A dot of a shape and colour, and its word beside it.
pub(super) fn badge(kind: &str, word: &str) -> Markup {
    html! { span class={ "badge " (kind) } { (word) } }
}

/// An id, shortened in the middle; a script lets it be copied whole.
pub(super) fn id(text: &str) -> Markup {
    html! { code.id title=(text) data-copy=(text) { (shortened(text)) } }
}

/// Text that can be taken along whole. `what` names it for those who do not see it.
pub(super) fn copyable(text: &str, what: &str) -> Markup {
    html! {
        div.copyable {
            pre tabindex="0" aria-label=(what) { code { (text) } }
            button.quiet.needs-script type="button" data-copy-text aria-label={ "Copy " (what) } { "Copy" }
        }
    }
}

/// Text from outside, to be read.
pub(super) fn raw(text: &str, what: &str) -> Markup {
    html! { pre.raw tabindex="0" role="region" aria-label=(what) { code { (text) } } }
}

/// Names and values, as a request or an answer has them.
pub(super) fn header_list<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    html! {
        dl.headers {
            @for (name, value) in headers {
                div { dt { (visible(name)) } dd { (visible(value)) } }
            }
        }
    }
}
