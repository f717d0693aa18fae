//! A partner's receiver, certified: a booking's life is played against it, with the faults and the crowds that real deliveries
//! have, and every answer is held against what a good receiver answers. The dispatcher's own request, client and guard send it.
//!
//! [`play`] does it, [`Report`] says what came of it, [`html`] shows that to people.

mod partner; // whom it is played against
mod story; // the bookings that are told of
mod spelling; // the same JSON, written otherwise
mod request; // what is sent, and how it is forged
mod report; // what came of it
mod checks; // what is asked
mod judge; // what an answer says of a receiver
mod error; // why none can be played
mod stage; // what all checks share
mod signatures; // what a receiver verifies
mod deliveries; // what it takes
mod play; // all of it, in order
mod html; // the report as a page

pub use self::error::CertifyError;
pub use self::html::html;
pub use self::partner::{PAUSE, Partner};
pub use self::play::{CHECKS, play};
pub use self::report::{Check, Exchange, Report, Verdict, ended_so};

pub use hookline_outbound::request::shown_url;
