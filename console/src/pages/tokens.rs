//! A company's API tokens, for the operator: made, listed, revoked after a question.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_store::{Page as Rows, Token};
use jiff::Timestamp;
use maud::{Markup, html};

use super::fields::{Fields, Search};
use super::layout::Page;
use super::navigation::{Place, path};
use super::parts::{badge, copyable, done, empty, fault, head, id, see};
use super::refused::Refused;
use super::visitor::Visitor;
use super::words::{time, visible};
use crate::api::tokens::{TokenOf, new_token};
use crate::app::App;
use crate::auth::Tenant;
use crate::problem::Problem;

/// Tokens on one page.
const ROWS: u32 = 50;
/// How long a token may be valid, as people choose it.
const LIFETIMES: [(&str, &str); 4] = [
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("365d", "a year"),
    ("", "no end"),
];

pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    Search(query): Search,
) -> Result<Response, Refused> {
    let cursor = hookline_store::Cursor::parse(query.text("after"));
    let found = app.store().tokens(&tenant.company, cursor, ROWS).await?;
    let body = html! {
        (head(&[], "API tokens", &html! {}))
        (done(query.text("done")))
        (form(&visitor, &tenant, "", None))
        (table(&tenant, &found))
    };
    Ok(page(&visitor, body))
}

fn page(visitor: &Visitor, body: Markup) -> Response {
    Page {
        visitor,
        place: Place::Tokens,
        title: "API tokens",
        body,
    }
    .into_response()
}

fn form(visitor: &Visitor, tenant: &Tenant, name: &str, wrong: Option<&str>) -> Markup {
    html! {
        p { "With a token the company's own programs use the API: publish events, manage endpoints. It sees this company alone." }
        @if let Some(wrong) = wrong { (fault(wrong)) }
        form.toolbar method="post" action=(path(&tenant.company, "tokens")) {
            (visitor.proof())
            div.field {
                label for="name" { "What it is for" }
                input #name name="name" value=(name) maxlength="100" placeholder="booking service" autocomplete="off";
            }
            div.field {
                label for="expires_in" { "Valid for" }
                select #expires_in name="expires_in" {
                    @for (value, text) in LIFETIMES { option value=(value) selected[value == "90d"] { (text) } }
                }
            }
            button.primary type="submit" { "Make a token" }
        }
    }
}

fn table(tenant: &Tenant, found: &Rows<Token>) -> Markup {
    html! {
        @if found.items.is_empty() {
            (empty("No token yet", "Make one above, and hand it to the company's developers over a safe way: it is shown once.", &html! {}))
        } @else {
            div.table-frame {
                table.stacks data-rows {
                    thead { tr {
                        th scope="col" { "Token" }
                        th scope="col" { "State" }
                        th scope="col" { "Made" }
                        th scope="col" { "Ends" }
                        th scope="col" { "Last used" }
                        th scope="col" { span.sr { "Actions" } }
                    } }
                    tbody { @for token in &found.items { (row(tenant, token)) } }
                }
            }
            @if let Some(next) = &found.next {
                p.below { a.button href={ (path(&tenant.company, "tokens")) "?after=" (next) } { "More" } }
            }
        }
    }
}

fn row(tenant: &Tenant, token: &Token) -> Markup {
    let is_over = token.expires_at.is_some_and(|at| at <= Timestamp::now());
    html! {
        tr {
            th scope="row" {
                @if token.name.is_empty() { span.hint { "no name" } } @else { (visible(&token.name)) }
                span.sub { (id(&token.id)) }
            }
            td data-label="State" {
                @if token.revoked_at.is_some() { (badge("idle", "revoked")) }
                @else if is_over { (badge("idle", "expired")) }
                @else { (badge("good", "active")) }
            }
            td data-label="Made" { (time(token.created_at)) }
            td data-label="Ends" { @if let Some(at) = token.expires_at { (time(at)) } @else { span.hint { "never" } } }
            td data-label="Last used" { @if let Some(at) = token.last_used_at { (time(at)) } @else { span.hint { "never" } } }
            td.end {
                @if token.revoked_at.is_none() && !is_over {
                    a href=(path(&tenant.company, &format!("tokens/{}/revoke", token.id))) data-row {
                        "Revoke" span.sr { " " (visible(&token.name)) }
                    }
                }
            }
        }
    }
}

pub(super) async fn create(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    fields: Fields,
) -> Result<Response, Refused> {
    let name = fields.text("name");
    let new = match new_token(Some(name.to_owned()), fields.given("expires_in")) {
        Ok(new) => new,
        Err(problem) => {
            let found = app.store().tokens(&tenant.company, None, ROWS).await?;
            let body = html! {
                (head(&[], "API tokens", &html! {}))
                (form(&visitor, &tenant, name, Some(problem.detail())))
                (table(&tenant, &found))
            };
            return Ok((problem.status(), page(&visitor, body)).into_response());
        }
    };
    let (token, text) = app
        .store()
        .create_token(&tenant.company, &new, &tenant.actor)
        .await?;
    let list = path(&tenant.company, "tokens");
    let body = html! {
        (head(&[(&list, "API tokens")], "Token made", &html! {}))
        p.notice.good role="status" { "This is the only time that the token is shown. Copy it now." }
        (copyable(text.expose(), "the token"))
        dl.facts {
            div { dt { "What it is for" } dd { @if token.name.is_empty() { span.hint { "no name" } } @else { (visible(&token.name)) } } }
            div { dt { "Id" } dd { (id(&token.id)) } }
            div { dt { "Ends" } dd { @if let Some(at) = token.expires_at { (time(at)) } @else { "never" } } }
        }
        p.actions { a.button.primary href=(list) { "Done" } }
    };
    Ok(page(&visitor, body))
}

/// A token of this company that can still be revoked.
async fn found(app: &App, tenant: &Tenant, id: &str) -> Result<Token, Refused> {
    let mut cursor = None;
    loop {
        let rows = app.store().tokens(&tenant.company, cursor, 200).await?;
        let ours = rows.items.into_iter().find(|token| token.id == id);
        if let Some(token) = ours {
            return Ok(token);
        }
        if rows.next.is_none() {
            return Err(Problem::not_found().into());
        }
        cursor = rows.next;
    }
}

pub(super) async fn ask(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    TokenOf(id): TokenOf,
) -> Result<Response, Refused> {
    let token = found(&app, &tenant, &id).await?;
    let list = path(&tenant.company, "tokens");
    let question = if token.name.is_empty() {
        "Revoke this token?".to_owned()
    } else {
        format!("Revoke the token “{}”?", visible(&token.name))
    };
    let body = html! {
        (head(&[(&list, "API tokens")], &question, &html! {}))
        p { "Programs that use it are refused at once. This cannot be undone; make a new token first if one is still needed." }
        form method="post" action={ (list) "/" (token.id) "/revoke" } {
            (visitor.proof())
            div.actions {
                button.danger type="submit" { "Revoke for good" }
                a.button href=(list) { "Keep it" }
            }
        }
    };
    Ok(page(&visitor, body))
}

pub(super) async fn revoke(
    State(app): State<App>,
    tenant: Tenant,
    TokenOf(id): TokenOf,
) -> Result<Response, Refused> {
    app.store()
        .revoke_token(&tenant.company, &id, &tenant.actor)
        .await?;
    app.known_tokens().forget_all();
    Ok(see(&path(&tenant.company, "tokens?done=revoked")))
}
