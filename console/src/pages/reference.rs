//! The types of events: what each means, how its data is built, and what an endpoint gets of it in each format.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hookline_catalogue::{EventTypeInfo, RenderedType};
use hookline_common::endpoint::Format;
use hookline_common::ids::CompanyId;
use maud::{Markup, html};

use super::fields::Search;
use super::layout::Page;
use super::navigation::{Place, path};
use super::parts::{head, header_list, raw};
use super::refused::Refused;
use super::schema_fields::fields;
use super::visitor::Visitor;
use super::words::{pretty, visible};
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::path_param;
use crate::problem::Problem;

/// The format that was asked for, or that of endpoints that name none.
fn format(app: &App, query: &Search) -> Format {
    let asked = query.0.text("format").parse();
    asked.unwrap_or(app.settings().default_format)
}

/// One format beside the other.
pub(super) fn formats(here: &str, chosen: Format) -> Markup {
    html! {
        nav.tabs aria-label="Format" {
            @for format in Format::ALL {
                @if format == chosen {
                    a href={ (here) "?format=" (format) } aria-current="true" { (format) }
                } @else {
                    a href={ (here) "?format=" (format) } { (format) }
                }
            }
        }
    }
}

pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    query: Search,
) -> Response {
    let format = format(&app, &query);
    let here = path(&tenant.company, "reference");
    let body = html! {
        (head(&[], "Event types", &html! {}))
        p { "What can happen, and what an endpoint is sent of it. Names and bodies depend on the endpoint's format." }
        (formats(&here, format))
        div.toolbar.needs-script {
            label.sr for="filter" { "Filter" }
            input #filter placeholder="Filter by name or description" autocomplete="off" spellcheck="false" data-search data-filter="#types";
        }
        div.table-frame {
            table #types data-rows {
                thead { tr { th scope="col" { "Type" } th scope="col" { "What happened" } } }
                tbody {
                    @for info in app.settings().catalogue.iter() {
                        tr {
                            th scope="row" { a href={ (here) "/" (info.name) "?format=" (format) } data-row { code { (info.name_in(format)) } } }
                            td.wide { (visible(info.summary())) }
                        }
                    }
                }
            }
        }
        p.below.hint.needs-script data-no-match hidden { "No type matches." }
    };
    Page {
        visitor: &visitor,
        place: Place::Reference,
        title: "Event types",
        body,
    }
    .into_response()
}

/// The type of the path.
pub(super) struct TypeOf(String);

impl<S: Send + Sync> FromRequestParts<S> for TypeOf {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Self(path_param(parts, state, "type").await?))
    }
}

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    TypeOf(name): TypeOf,
    query: Search,
) -> Result<Response, Refused> {
    let format = format(&app, &query);
    let catalogue = &app.settings().catalogue;
    let found = catalogue.find_in(format, &name).or_else(|| catalogue.find(&name));
    let info = found.ok_or_else(Problem::not_found)?;
    let rendered = info.rendered(format).map_err(|error| {
        tracing::error!(%error, "an event type cannot be shown");
        Problem::internal()
    })?;
    let page = Page {
        visitor: &visitor,
        place: Place::Reference,
        title: info.name.as_str(),
        body: body(&tenant.company, info, format, &rendered),
    };
    Ok(page.into_response())
}

fn body(company: &CompanyId, info: &EventTypeInfo, format: Format, rendered: &RenderedType<'_>) -> Markup {
    let list = path(company, "reference");
    let here = format!("{list}/{}", info.name);
    let headers = rendered.request.headers.iter();
    html! {
        (head(&[(&format!("{list}?format={format}"), "Event types")], &rendered.format_name, &html! {}))
        p { (visible(&info.description)) }
        (formats(&here, format))
        section {
            h2 { "Data" }
            p.hint {
                @if format == Format::MeetergoFlat {
                    "Stands in the body beside " code { "webhookType" } "."
                } @else {
                    "Stands under " code { "data" } " in the body."
                }
            }
            (members(info))
            details {
                summary { "JSON Schema" }
                (raw(&visible(&info.schema.pretty()), "JSON Schema of the data"))
            }
        }
        section {
            h2 { "As an endpoint gets it" }
            p { "A request by " code { "POST" } " in the format " strong { (format) } ". The signatures are of the example's secret, " code { (rendered.signed_with) } ", so that you can try your code on them." }
            (header_list(headers.map(|(name, value)| (*name, value.as_str()))))
            (raw(&pretty(&rendered.request.body), "Example body"))
            details {
                summary { "The exact bytes" }
                (raw(&visible(&rendered.request.body), "Exact body of the example"))
            }
        }
        section {
            h2 { "What to do next" }
            p.actions {
                a.button href={ (path(company, "guide/verify")) "?format=" (format) } { "How to verify a request" }
                a.button href=(path(company, "guide/retries")) { "How retries work" }
            }
        }
    }
}

fn members(info: &EventTypeInfo) -> Markup {
    let rows = fields(info.schema.as_str());
    html! {
        @if rows.is_empty() {
            p.hint { "Its schema names no members." }
        } @else {
            div.table-frame tabindex="0" role="region" aria-label="Members of the data" {
                table.dense.stacks {
                    thead { tr { th scope="col" { "Member" } th scope="col" { "Type" } th scope="col" { "Always there" } th scope="col" { "About" } } }
                    tbody {
                        @for row in &rows {
                            tr {
                                th scope="row" { code { (visible(&row.path)) } }
                                td data-label="Type" { (visible(&row.kind)) }
                                td data-label="Always there" { @if row.is_required { "yes" } @else { span.hint { "no" } } }
                                @if row.description.is_empty() { td.wide {} } @else { td.wide data-label="About" { (visible(&row.description)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
