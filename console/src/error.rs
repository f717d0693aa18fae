//! Why a console cannot run.

use hookline_store::{SchemaError, StoreError};

/// Why a console cannot run. A database that is away is no reason: it is waited for.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The schema is not what this program needs, and it may not or cannot change it.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The database refuses, or holds what cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The schema is older, and is not to be brought up to date here.
    #[error(
        "the database has the schema {found}, and {needed} is needed; run `hookline-console migrate`, or set \
         HOOKLINE_MIGRATE_ON_START=true"
    )]
    NotMigrated {
        /// The schema's number, 0 for an empty database.
        found: i64,
        /// The one that is needed.
        needed: i64,
    },
}
