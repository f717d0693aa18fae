//! Who asks, and what they may: decided for each route by its row in the table of routes, before its handler runs.

mod access; // what a row of the table asks for
mod bearer; // the token of a request
mod tenant; // whom a handler acts for

pub use self::access::Access;
pub(crate) use self::access::{Asks, Audited, authorize};
pub(crate) use self::tenant::Tenant;
