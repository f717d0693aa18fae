//! How endpoints fare: what the log says of each, and what follows from it.

mod fold; // what attempts say of an endpoint; pure
mod note; // a batch of the log, written down
mod row; // how it stands in its table
mod standing; // whether a person is told that it answers
mod verdict; // whether it is to be disabled; pure
mod disable; // and how that is done

pub use self::disable::Disabled;
pub use self::fold::EndpointHealth;
pub(crate) use self::note::note;
pub(crate) use self::row::{forget, forget_failures};
pub use self::standing::{Standing, Standings};
pub use self::verdict::DisableReason;
