//! Removes failed deliveries for good: asks once, and names what goes.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::by_endpoint::{sum, table};
use super::chosen::Chosen;
use super::filter::Filter;
use crate::app::App;
use crate::auth::Tenant;
use crate::pages::endpoints::list::all;
use crate::pages::fields::Fields;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{head, see};
use crate::pages::problems::deliveries;
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;

pub(in crate::pages) async fn discard(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    fields: Fields,
) -> Result<Response, Refused> {
    let list = path(&tenant.company, "failed");
    let Some(chosen) = Chosen::read(&fields) else {
        return Ok(see(&format!(
            "{list}{}",
            Filter::of(&fields).query(&[("none", "1")])
        )));
    };
    let meant = chosen.meant(&app.settings().catalogue, false)?;
    let store = app.store();
    if chosen.is_sure {
        let count = store
            .discard_dead_letters(&tenant.company, &meant, &tenant.actor)
            .await?;
        let count = count.to_string();
        return Ok(see(&format!(
            "{list}{}",
            chosen.filter.query(&[("discarded", &count)])
        )));
    }
    let letters = store.count_dead_letters(&tenant.company, &meant).await?;
    let endpoints = all(&app, &tenant.company).await?;
    let count = sum(&letters);
    let back = format!("{list}{}", chosen.filter.query(&[]));
    let (what, title) = if count == 1 {
        ("it", "Discard this failed delivery?".to_owned())
    } else {
        (
            "them",
            format!("Discard {}?", deliveries(count).replacen(' ', " failed ", 1)),
        )
    };
    let body = html! {
        @if count == 0 {
            (head(&[(&back, "Failed")], "Nothing to discard", &html! {}))
            p { "What was chosen is not there any more: it was delivered or discarded meanwhile." }
            p.actions { a.button href=(back) { "Back" } }
        } @else {
            (head(&[(&back, "Failed")], &title, &html! {}))
            ul {
                li { "Nobody can retry " (what) " any more, and the data that was kept for that is deleted." }
                li { "The endpoint never gets " (what) ". What the log holds of the attempts stays as long as the log does." }
            }
            (table(&tenant.company, &letters, &endpoints, None))
            form method="post" action={ (list) "/discard" } {
                (visitor.proof())
                (chosen.hidden())
                div.actions {
                    button.danger type="submit" { "Discard " (deliveries(count)) " for good" }
                    a.button href=(back) { "Keep " (what) }
                }
            }
        }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Failed,
        title: "Discard failed deliveries",
        body,
    };
    Ok(page.into_response())
}
