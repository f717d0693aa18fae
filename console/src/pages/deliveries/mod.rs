//! Deliveries: what became of events, in a list that is kept up to date, and one in full with all that was sent and answered.

mod filter; // which ones are wanted, as a form and an address say it
pub(super) mod rows; // a list of them
pub(super) mod list; // with its filter
mod upcoming; // what happens next, and when
pub(super) mod cut; // no more of a text than a page can bear
mod curl; // a request as a command
mod attempt; // one attempt: what was sent, what came back
mod timeline; // all of them, in their order
pub(super) mod body; // what is sent with each
mod version; // whether anything is new
pub(super) mod one; // one delivery in full
pub(super) mod again; // and once more
