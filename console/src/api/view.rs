//! An endpoint as it is shown: header values masked, no secret.

use std::collections::{BTreeMap, HashMap};

use hookline_common::endpoint::EventPattern;
use hookline_common::ids::EndpointId;
use hookline_store::{EndpointHealth, Page, Registered};
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
    /// Why it was disabled, where Hookline did it: it answered 410, or only failed for days.
    disabled_reason: Option<String>,
    /// Until when the secret before the last rotation counts as well.
    #[schema(format = DateTime)]
    overlap_until: Option<String>,
    /// How it fares, as far as attempts at it are recorded.
    health: HealthView,
    /// When it was registered.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// How an endpoint fares. Test events that fail, and requests that the guard let not out, do not count.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointHealth)]
pub(crate) struct HealthView {
    /// Attempts that failed since the last success.
    consecutive_failures: u64,
    /// When the first of them began.
    #[schema(format = DateTime)]
    failing_since: Option<String>,
    /// When the last attempt began that succeeded.
    #[schema(format = DateTime)]
    last_success_at: Option<String>,
    /// When the last attempt began that failed.
    #[schema(format = DateTime)]
    last_failure_at: Option<String>,
}

impl From<EndpointHealth> for HealthView {
    fn from(health: EndpointHealth) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            consecutive_failures: health.consecutive_failures,
            failing_since: time(health.failing_since),
            last_success_at: time(health.last_success_at),
            last_failure_at: time(health.last_failure_at),
        }
    }
}

impl EndpointView {
    /// An endpoint with how it fares.
    pub(crate) fn of(endpoint: Registered, health: EndpointHealth) -> Self {
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
            health: health.into(),
            created_at: endpoint.created_at.to_string(),
            updated_at: endpoint.updated_at.to_string(),
        }
    }
}

impl List<EndpointView> {
    /// A page of endpoints, each with how it fares, if that is known.
    pub(crate) fn of_endpoints(
        page: Page<Registered>,
        mut health: HashMap<EndpointId, EndpointHealth>,
    ) -> Self {
        let view = |endpoint: Registered| {
            let health = health.remove(&endpoint.id).unwrap_or_default();
            EndpointView::of(endpoint, health)
        };
        Self {
            data: page.items.into_iter().map(view).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
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
