//! What can go wrong with the store, told apart by what the caller can do about it.

use hookline_common::endpoint::StaticHeader;
use jiff::Timestamp;

use crate::random::NoRandomness;
use crate::seal::SealError;

/// Why an operation of the store did not succeed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or has no connection free. Asking again later may help.
    #[error("the database does not answer ({0}); check HOOKLINE_DATABASE_URL and that PostgreSQL runs")]
    Unavailable(String),
    /// Whoever asks has as much of the database at once as one may have, and none of it has ended for a while.
    #[error(
        "as many requests of the same kind are at the database as may be at once; ask for less at the same time"
    )]
    ShareTaken,
    /// The database takes no changes: it is a standby, or was told so. What only reads is answered.
    #[error(
        "the database only answers what reads; check that HOOKLINE_DATABASE_URL leads to the primary, and \
         default_transaction_read_only"
    )]
    ReadOnly,
    /// There is no such row of that company.
    #[error("there is no such object")]
    NotFound,
    /// The company has as many endpoints as it may have.
    #[error("the company has {limit} endpoints, which is as many as it may have")]
    LimitReached {
        /// How many that is.
        limit: u32,
    },
    /// As many retries of the company are not done as may be.
    #[error(
        "{limit} retries of this company are not done, which is as many as may be at once; wait until one is, and resume the \
         endpoints that are paused or disabled: what goes to these waits for that"
    )]
    TooManyRetries {
        /// How many that is.
        limit: u32,
    },
    /// The same was sent again a moment ago.
    #[error(
        "it is being sent again already, or was a moment ago, and was not sent once more; if that is meant, wait a second"
    )]
    SentAgain,
    /// An endpoint with this id is there already.
    #[error("the company has an endpoint with this id already")]
    Exists,
    /// A rotation still overlaps, so a second one would take a secret away that receivers may use.
    #[error("the last rotation overlaps until {until}; complete it first")]
    Rotating {
        /// When it ends by itself.
        until: Timestamp,
    },
    /// The endpoint is disabled: whatever is sent to it fails at once.
    #[error("the endpoint is disabled, and what is sent to it would only fail again; resume it first")]
    EndpointDisabled,
    /// The endpoint was removed, so that nothing can be sent to it.
    #[error("the endpoint was removed; register one with the same id first, or discard what failed")]
    EndpointGone,
    /// A change that cannot be made to what is there.
    #[error(transparent)]
    Change(#[from] InvalidChange),
    /// Something sealed cannot be opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A row holds what no version of this program wrote.
    #[error("the database holds a bad {0}; restore the row from a backup, or delete it")]
    Corrupt(&'static str),
    /// Somebody else has recorded from there.
    #[error("another console has recorded from the same place of the stream")]
    Moved,
    /// The database refused.
    #[error("the database refused: {0}")]
    Database(Problem),
}

/// Why a change cannot be made to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChange {
    /// A header that should stay is not there.
    #[error("the endpoint has no header {0} whose value could be kept; give its value")]
    NoSuchHeader(String),
    /// More headers than a request may carry.
    #[error("an endpoint may have {} headers at most", StaticHeader::MAX_PER_ENDPOINT)]
    TooManyHeaders,
}

/// What the database or its client said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Problem(sqlx::Error);

impl StoreError {
    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::ShareTaken | Self::ReadOnly)
    }

    /// Whether the database lacks tables or columns that this version wants: classes 42P01 and 42703.
    #[must_use]
    pub fn lacks_schema(&self) -> bool {
        let Self::Database(Problem(sqlx::Error::Database(refusal))) = self else {
            return false;
        };
        matches!(refusal.code().as_deref(), Some("42P01" | "42703"))
    }

    /// Whether it was the data that the database refused: classes 22, 23 and 54.
    #[must_use]
    pub fn refuses_data(&self) -> bool {
        let Self::Database(Problem(error)) = self else {
            return false;
        };
        match error {
            sqlx::Error::Database(refusal) => refusal
                .code()
                .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class))),
            sqlx::Error::Encode(_) => true,
            _ => false,
        }
    }

    /// Whether a table that is cut into days lacks the day of a row. PostgreSQL has no code for that alone.
    pub(crate) fn lacks_day(&self) -> bool {
        let Self::Database(Problem(sqlx::Error::Database(refusal))) = self else {
            return false;
        };
        refusal.code().as_deref() == Some("23514") && refusal.constraint().is_none()
    }
}

/// What PostgreSQL answers to a change while it takes none.
const READ_ONLY: &str = "25006";

/// What PostgreSQL answers while it starts, stops, recovers, or has no room: classes 08, 53, 57 (57014, a statement that
/// took too long, too), 55P03 for a lock that was not had in time, and 40 for what must be repeated.
fn is_passing(code: &str) -> bool {
    ["08", "53", "57", "40"]
        .iter()
        .any(|class| code.starts_with(class))
        || code == "55P03"
}

impl From<NoRandomness> for StoreError {
    fn from(error: NoRandomness) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some(READ_ONLY) => Self::ReadOnly,
            sqlx::Error::Database(refusal) if refusal.code().is_some_and(|code| is_passing(&code)) => {
                Self::Unavailable(refusal.message().to_owned())
            }
            error @ (sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed) => Self::Unavailable(error.to_string()),
            error => Self::Database(Problem(error)),
        }
    }
}
