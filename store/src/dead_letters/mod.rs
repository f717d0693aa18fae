//! Dead letters: deliveries that failed for good. Read downwards, the modules follow one: it is filed, found, sent again or
//! discarded, and gone when it was delivered.

mod model; // what is known of one
mod file; // many into the table, each once
mod in_log; // and into the log, where that does not know of them
mod filter; // which are meant
mod find; // a page of them, or one in full
mod retry_one; // one was sent again
mod job; // many are to be sent again
mod turns; // and each has its turn
mod step; // and are, step by step
mod forget; // and in the end nobody asks how that went
mod discard; // nobody wants them any more
mod discarded; // and they do not come back
mod by_records; // new records tell of some
mod endpoint_gone; // they were sent again, to nobody
mod delivered; // somebody got them

pub(crate) use self::delivered::delivered;
pub(crate) use self::endpoint_gone::endpoint_gone;
pub use self::filter::DeadLetterFilter;
pub use self::job::{EndpointLetters, RetryJob, RetryState};
pub use self::model::{DeadLetter, NewDeadLetter};
pub use self::step::{NotedStep, RetryPart, RetryStep};
