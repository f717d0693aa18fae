//! How the outbox fails, and what to do about it.

/// PostgreSQL's code for a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";
/// Its code for what the role may not do.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// And for a change where none is taken.
const READ_ONLY: &str = "25006";

/// Why the outbox could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The tables are not there.
    #[error(
        "there is no table hookline_outbox in this database's search path; run `hookline relay --migrate`, or \
         outbox::migrate, or the SQL of producer/migrations as a step of your own migrations"
    )]
    NoTable(#[source] sqlx::Error),
    /// The role lacks a right.
    #[error(
        "the database refuses: {0}; give its role INSERT on hookline_outbox where it enqueues, and where it relays SELECT \
         and DELETE on it, and SELECT, INSERT and DELETE on hookline_outbox_aside"
    )]
    NoRight(#[source] sqlx::Error),
    /// The database takes no changes.
    #[error(
        "the database takes no changes: {0}; a relay needs the primary, and default_transaction_read_only off for its role and database"
    )]
    ReadOnly(#[source] sqlx::Error),
    /// What was published is still there.
    #[error(
        "{0} events were published, and of their rows in hookline_outbox none could be deleted, so they will be published again; \
         look for a trigger or a row-level security policy on that table which keeps rows from being deleted"
    )]
    NothingDeleted(usize),
    /// A newer version of this library has been here.
    #[error(
        "the outbox's tables are at step {found}, and this version knows {known} at most; use the version that migrated them"
    )]
    Newer {
        /// The step that they are at.
        found: usize,
        /// The newest that this version knows.
        known: usize,
    },
    /// The database did not answer in time.
    #[error("the database did not answer within {0} s; check that it runs")]
    NoAnswer(u64),
    /// The connection or the statement failed.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for OutboxError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|refusal| refusal.code());
        match code.as_deref() {
            Some(UNDEFINED_TABLE) => Self::NoTable(error),
            Some(INSUFFICIENT_PRIVILEGE) => Self::NoRight(error),
            Some(READ_ONLY) => Self::ReadOnly(error),
            _ => Self::Database(error),
        }
    }
}
