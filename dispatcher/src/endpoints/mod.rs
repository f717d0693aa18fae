//! Step 3: which endpoints a company has, and which of them want an event.
//!
//! Whoever routes asks [`Endpoints`] and need not know where the answer comes from: a file (`file`), read at start and
//! whenever it changes, or the console's database (`registry`), of which each company's part is kept in memory.

pub mod company; // one company's endpoints, ready to be sent to
pub mod file; // all of them, from a file that is followed
pub mod registry; // those of the companies that get events, from PostgreSQL

use std::pin::Pin;
use std::sync::Arc;

use hookline_common::ids::CompanyId;

pub use self::company::{CompanyEndpoints, EndpointKey, Matching, PreparedEndpoint, SealedEndpoint};

/// Where endpoints are looked up.
pub trait Endpoints: Send + Sync + 'static {
    /// The endpoints of `company`, from memory: it is asked once for each message, and must not wait.
    fn lookup(&self, company: &CompanyId) -> Lookup;

    /// Has the company looked up afresh, where that may tell more than [`Self::lookup`] just did. What it returns is over
    /// as soon as the answer is there, and after a moment at the latest: a message waits for it. `None` where there is
    /// nothing to wait for.
    fn look_again(&self, company: &CompanyId) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let _nothing_newer_of = company;
        None
    }

    /// Whether the company's endpoints have changed since what [`Self::lookup`] knows, and [`Self::look_again`] will tell in
    /// a moment: who publishes right after an endpoint was registered expects it to be delivered there.
    fn has_news_of(&self, company: &CompanyId) -> bool {
        let _nothing_newer_of = company;
        false
    }

    /// Whether [`Self::lookup`] says how it is, and not only how it was when it could be read last: only then is an endpoint
    /// that it does not know gone.
    fn is_current(&self, company: &CompanyId) -> bool {
        let _read_as_it_is = company;
        true
    }

    /// Whether a change of the company would be told of now, and [`Self::lookup`] knows all that was told. Where not, that nobody
    /// wants an event may be untrue already.
    fn is_told_of(&self, company: &CompanyId) -> bool {
        let _nothing_to_be_told_of = company;
        true
    }

    /// Why no message should be taken now.
    fn obstacle(&self) -> Option<String> {
        None
    }
}

/// What is known of a company's endpoints.
pub enum Lookup {
    /// These are all that it has. A company that nobody has heard of has none.
    Known(Arc<CompanyEndpoints>),
    /// That cannot be told yet: what is for the company has to wait, neither sent nor dropped.
    NotYet,
}
