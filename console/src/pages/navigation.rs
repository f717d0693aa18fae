//! Where one can go: the menu, as a table. A page that is worth finding has a line here.

use hookline_common::ids::CompanyId;
use maud::{Markup, html};

use super::visitor::Visitor;

/// The part of the menu that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Companies,
    Endpoints,
    Deliveries,
    Failed,
    Reference,
    Guide,
    Audit,
    Tokens,
    PortalLink,
    /// In no part of it.
    Nowhere,
}

/// A line of a company's menu: where, how it is called, the end of its path, and whether it is the operator's alone.
const OF_COMPANY: [(Place, &str, &str, bool); 9] = [
    (Place::Overview, "Overview", "overview", false),
    (Place::Endpoints, "Endpoints", "endpoints", false),
    (Place::Deliveries, "Deliveries", "deliveries", false),
    (Place::Failed, "Failed", "failed", false),
    (Place::Reference, "Event types", "reference", false),
    (Place::Guide, "Verify and retries", "guide/verify", false),
    (Place::Audit, "Audit", "audit", false),
    (Place::Tokens, "API tokens", "tokens", true),
    (Place::PortalLink, "Portal link", "portal-link", true),
];

/// The menu, as this visitor has it.
pub(super) fn menu(visitor: &Visitor, place: Place) -> Markup {
    html! {
        nav.menu aria-label="Main" {
            @if visitor.is_operator() {
                ul {
                    (line("/overview", "Overview", place == Place::Overview && visitor.company.is_none()))
                    (line("/companies", "Companies", place == Place::Companies))
                }
            }
            @if let Some(company) = &visitor.company {
                @if visitor.is_operator() {
                    p.menu-title title=(company) { (company) }
                }
                ul {
                    @for (of, name, end, is_operators) in OF_COMPANY {
                        @if visitor.is_operator() || !is_operators {
                            (line(&path(company, end), name, place == of))
                        }
                    }
                }
            }
        }
    }
}

fn line(path: &str, name: &str, is_here: bool) -> Markup {
    html! {
        li {
            @if is_here {
                a href=(path) aria-current="page" { (name) }
            } @else {
                a href=(path) { (name) }
            }
        }
    }
}

/// A page of a company. Its name needs no escaping in a path.
pub(super) fn path(company: &CompanyId, end: &str) -> String {
    format!("/companies/{company}/{end}")
}
