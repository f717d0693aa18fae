//! An endpoint as it is shown: header values masked, no secret.

use std::collections::BTreeMap;

use hookline_common::endpoint::EventPattern;
use hookline_store::Registered;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What stands in place of a value that is not shown.
pub(crate) const MASK: &str = "***";

/// An endpoint, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub(crate) struct EndpointView {
    /// Its id, unique within the company.
    id: String,
    /// Whose it is.
    company: String,
    /// Where events go.
    url: String,
    /// How bodies are written: meeva, meetergo, meetergo-flat or standard.
    #[schema(pattern = "^(meeva|meetergo|meetergo-flat|standard)$")]
    format: String,
    /// Patterns of the event types that it gets; none for all.
    events: Vec<String>,
    /// Its static headers, with `***` for each value.
    headers: BTreeMap<String, String>,
    /// What its owner says about it.
    description: Option<String>,
    /// Attempts at most, like `50/s`.
    rate: Option<String>,
    /// Whether matched events are failed instead of sent.
    disabled: bool,
    /// Why it was disabled, where that was not by hand.
    disabled_reason: Option<String>,
    /// Until when the secret before the last rotation counts as well.
    #[schema(format = DateTime)]
    overlap_until: Option<String>,
    /// When it was registered.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Registered> for EndpointView {
    fn from(endpoint: Registered) -> Self {
        let overlap = endpoint.overlap_until.filter(|until| *until > Timestamp::now());
        let patterns = endpoint.events.patterns().iter().map(EventPattern::as_str);
        let names = endpoint.header_names.into_iter();
        Self {
            id: endpoint.id.to_string(),
            company: endpoint.company.to_string(),
            url: endpoint.url,
            format: endpoint.format.to_string(),
            events: patterns.map(str::to_owned).collect(),
            headers: names.map(|name| (name, MASK.to_owned())).collect(),
            description: endpoint.description,
            rate: endpoint.rate.map(|rate| rate.to_string()),
            disabled: endpoint.disabled,
            disabled_reason: endpoint.disabled_reason,
            overlap_until: overlap.map(|until| until.to_string()),
            created_at: endpoint.created_at.to_string(),
            updated_at: endpoint.updated_at.to_string(),
        }
    }
}

/// A list, a page of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The rows.
    data: Vec<T>,
    /// Give it as `cursor` for the next page; null at the end.
    next: Option<String>,
}

impl<T> List<T> {
    pub(crate) fn of<R: Into<T>, C: ToString>(page: hookline_store::Page<R, C>) -> Self {
        Self {
            data: page.items.into_iter().map(Into::into).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }

    /// All there is, on one page.
    pub(crate) fn whole<R: Into<T>>(rows: Vec<R>) -> Self {
        let data = rows.into_iter().map(Into::into).collect();
        Self { data, next: None }
    }
}
