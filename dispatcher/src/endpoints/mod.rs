//! Step 3: which endpoints a company has, and which of them want an event.
//!
//! Whoever routes asks [`Endpoints`] and need not know where the answer comes from. Today that is a file (`file`), read
//! at start and whenever it changes; a database with a cache gives the same two answers.

pub mod company; // one company's endpoints, ready to be sent to
pub mod file; // all of them, from a file that is followed

use std::sync::Arc;

use hookline_common::ids::CompanyId;

pub use self::company::{CompanyEndpoints, EndpointKey, Matching, Registered};

/// Where endpoints are looked up.
pub trait Endpoints: Send + Sync + 'static {
    /// The endpoints of `company`, from memory: it is asked once for each message, and must not wait.
    fn lookup(&self, company: &CompanyId) -> Lookup;
}

/// What is known of a company's endpoints.
pub enum Lookup {
    /// These are all that it has. A company that nobody has heard of has none.
    Known(Arc<CompanyEndpoints>),
    /// That cannot be told yet: what is for the company has to wait, neither sent nor dropped.
    NotYet,
}
