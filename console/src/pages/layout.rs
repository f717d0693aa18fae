//! What every page has around it: head, bar, menu, the list of keys, and the way past all that.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::ASSETS;
use super::navigation::{Place, menu};
use super::visitor::Visitor;

/// A page.
pub(super) struct Page<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) place: Place,
    /// What stands in the browser's tab.
    pub(super) title: &'a str,
    pub(super) body: Markup,
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let html = whole(&self).into_string();
        ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
    }
}

fn whole(page: &Page<'_>) -> Markup {
    let visitor = page.visitor;
    let has_menu = visitor.signed_in.is_some();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (page.title) " · Hookline" }
                link rel="stylesheet" href=(ASSETS.style.path);
                link rel="icon" href=(ASSETS.icon.path) type="image/svg+xml";
                script src=(ASSETS.early.path) {}
                script src=(ASSETS.script.path) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (bar(visitor))
                div.frame.with-menu[has_menu] {
                    @if has_menu { (menu(visitor, page.place)) }
                    main #main tabindex="-1" { (page.body) }
                }
                (keys())
            }
        }
    }
}

fn bar(visitor: &Visitor) -> Markup {
    html! {
        header.bar {
            a.brand href="/" {
                (mark())
                span { "Hookline" }
            }
            @if let (Some(company), false) = (&visitor.company, visitor.is_operator()) {
                span.bar-company { (company) }
            }
            div.bar-end {
                button.quiet.needs-script type="button" data-theme-switch { "Theme: system" }
                button.quiet.needs-script type="button" data-keys aria-haspopup="dialog" title="Keyboard shortcuts (?)" aria-label="Keyboard shortcuts" { "?" }
                @if visitor.signed_in.is_some() {
                    form method="post" action="/sign-out" {
                        (visitor.proof())
                        button.quiet type="submit" { "Sign out" }
                    }
                }
            }
        }
    }
}

/// A hook on a line.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" {
            path d="M3 4h14M12 4v7.5a3.75 3.75 0 1 1-7.5 0V10l2.5 2" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

fn keys() -> Markup {
    let all = [
        ("/", "search or filter this page"),
        ("j", "next row"),
        ("k", "previous row"),
        ("Enter", "open the row"),
        ("x", "select the row, where rows can be selected"),
        ("?", "this list"),
        ("Esc", "close it"),
    ];
    html! {
        dialog.keys #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keyboard" }
            dl {
                @for (key, does) in all {
                    div { dt { kbd { (key) } } dd { (does) } }
                }
            }
            form method="dialog" { button type="submit" { "Close" } }
        }
    }
}
