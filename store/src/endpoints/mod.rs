//! The registry: endpoints of companies.

mod model; // what an endpoint is here
mod sealed; // its secrets and header values
mod row; // how it stands in the table
mod create; // a new one, within the company's limit
mod read; // one, or a list
mod change; // other settings
mod remove; // none any more
mod secrets; // reveal, rotate, complete
mod import; // many at once, as a file says

pub use self::change::{Change, HeaderChange};
pub use self::import::{ImportOutcome, ImportedEndpoint};
pub(crate) use self::model::masked_url;
pub use self::model::{NewEndpoint, Registered};
pub(crate) use self::read::locked;
pub(crate) use self::row::{ENDPOINTS_OF_COMPANIES, SealedRow, sealed_row};
pub use self::secrets::{Overlap, Rotated};
