//! What failed for good: found, sent again, discarded.

mod filter; // which are meant, as an address and a form have it
mod chosen; // and those that somebody has picked
mod by_endpoint; // how many of which endpoint, before anything is done
pub(super) mod list; // problems, and all of them
pub(super) mod one; // with what is sent again
pub(super) mod retry; // asks, and does it
pub(super) mod progress; // how far that has come
pub(super) mod discard; // asks, and does it
