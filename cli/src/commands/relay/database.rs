//! Where the outbox is, and what is said when it cannot be used.

use hookline_common::settings::{Environment, Faults, Reader, variables};
use hookline_producer::outbox::OutboxError;

use crate::error::CliError;

const MISSING: &str = "must be set, or HOOKLINE_OUTBOX_DATABASE_URL_FILE name a file that holds it: the booking service's \
                       database, like postgres://user:password@host:5432/bookings";

/// The database's URL.
pub(super) fn url() -> Result<String, Faults> {
    let mut reader = Reader::new(&Environment);
    let is_one = |text: &str| {
        let is_one = text.starts_with("postgres://") || text.starts_with("postgresql://");
        is_one
            .then(|| text.to_owned())
            .ok_or("must be a URL like postgres://user:password@host:5432/bookings")
    };
    let url = reader.required(&variables::OUTBOX_DATABASE_URL, is_one, MISSING);
    reader.finish(|| url)
}

/// What a person is told of it. No error of the database's repeats its URL.
pub(super) fn failed(error: &OutboxError) -> CliError {
    let advice = match error {
        OutboxError::Database(_) => "; check that it runs, and HOOKLINE_OUTBOX_DATABASE_URL",
        _ => "",
    };
    CliError::Failed(format!("the outbox: {error}{advice}"))
}
