//! The resources, one a file; the table of their routes; and what is said of them all in OpenAPI.
//!
//! A new route is a handler with its `#[utoipa::path]`, and a row in `routes.rs` that says who may use it.

mod health; // what probes and scrapers ask
mod events; // published
mod event_types; // which there are
mod view; // an endpoint as it is shown
pub(crate) mod input; // and as it is given
mod endpoints; // register, list, show, change, remove
pub(crate) mod secrets; // reveal, rotate, complete
pub(crate) mod test_event; // one for an endpoint
mod import; // a file's worth
pub(crate) mod tokens; // a company's own tokens
pub(crate) mod portal_links; // into a company's own dashboard
mod audit; // who did what
pub(crate) mod words; // what an outcome means
mod json; // what was kept as JSON, handed on as it is
mod filters; // what lists are narrowed by
pub(crate) mod deliveries; // what became of each event at each endpoint
mod problems; // what fails
mod feed; // events for whoever was away
pub(crate) mod replay; // one of them, once more
pub(crate) mod failed; // what failed for good, and once more
mod document; // the description, handed out to programs and people
mod routes; // every route, and who may use it
mod examples; // what bodies look like
mod complete; // what they have in common
mod openapi; // the description of all
mod reference; // the same as a page
mod router; // all of it together

pub use self::openapi::description;
pub(crate) use self::router::router;
pub use self::routes::{RouteInfo, routes};
pub use crate::auth::Access;
