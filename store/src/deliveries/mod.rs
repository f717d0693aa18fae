//! The log of deliveries as it is read: a company's list, and one of them with its attempts.

mod model; // a delivery and its attempts
mod cursor; // where a list goes on
mod filter; // which ones are wanted
mod list; // a page of them
mod one; // one in full
mod row; // how they stand in their tables

pub use self::cursor::DeliveryCursor;
pub use self::filter::DeliveryFilter;
pub use self::model::{DeliveryDetail, DeliveryStatus, LoggedAttempt, LoggedDelivery};
pub(crate) use self::row::{moment, number, outcome};
