//! The dashboard: pages for people, written on this side, that need no script to be read or used. They call the same
//! functions as the API, so that there is no second rule.
//!
//! A new page is a handler in a file of its own, a row in `routes.rs` that says who may see it, and, where people should
//! find it, a line in `navigation.rs`.

mod assets; // style, scripts and icon, inside the program
mod headers; // what a browser may do with a page
mod cookie; // what stands for a session in a browser
mod fields; // what a form holds
mod visitor; // who looks
mod origin; // whether a form came from one of our pages
mod refused; // what was not shown or done, and why
mod access; // who may see what, and the proof that they asked
mod words; // times, counts and texts from outside, as people read them
mod navigation; // where one can go
mod layout; // what every page has around it
mod error_page; // and what stands in place of what was refused
mod parts; // what several pages have in them
mod shell; // a text as a word of a command line
mod snippets; // how a signature is verified, in five languages
mod sign_in; // in and out
mod enter; // by a link
mod charts; // figures over time, drawn
mod overview; // whether everything is all right
mod companies; // who is there
mod outcome; // how attempts and deliveries end, in words
mod endpoints; // register, look after, remove
mod deliveries; // what became of events
mod test_event; // one for an endpoint, and what it answers
mod certify; // how well its receiver does what receivers must
mod problems; // what fails, each in one line
mod failed; // what failed for good, and once more
mod reference; // the types of events
mod schema_fields; // a schema as rows
mod guide; // how to verify, and how retries work
mod tokens; // a company's API tokens
mod audit; // who did what
mod portal_link; // into a company's own dashboard
mod routes; // every page, and who may see it
mod router; // all of it together

pub(crate) use self::error_page::nothing_here;
pub(crate) use self::headers::over_tls_only;
pub(crate) use self::router::router;
pub use self::routes::{PageInfo, pages};
