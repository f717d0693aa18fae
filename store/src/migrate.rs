//! The schema: steps that only go forward, each taken once however many consoles start at the same moment.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection as _, PgConnection, SqlSafeStr as _};
use tokio::time::timeout;

use crate::connect::{Store, within};
use crate::error::StoreError;

/// The steps: number, name, SQL. One that was released is never changed; a new one is added at the end.
const STEPS: [(i64, &str, &str); 12] = [
    (1, "registry", include_str!("../migrations/0001_registry.sql")),
    (2, "log", include_str!("../migrations/0002_log.sql")),
    (
        3,
        "dead letters",
        include_str!("../migrations/0003_dead_letters.sql"),
    ),
    (4, "health", include_str!("../migrations/0004_health.sql")),
    (5, "truncate", include_str!("../migrations/0005_truncate.sql")),
    (6, "sessions", include_str!("../migrations/0006_sessions.sql")),
    (7, "counts", include_str!("../migrations/0007_counts.sql")),
    (8, "outcomes", include_str!("../migrations/0008_outcomes.sql")),
    (9, "failed", include_str!("../migrations/0009_failed.sql")),
    (10, "fairness", include_str!("../migrations/0010_fairness.sql")),
    (
        11,
        "certificates",
        include_str!("../migrations/0011_certificates.sql"),
    ),
    (
        12,
        "links by tokens",
        include_str!("../migrations/0012_links_by_tokens.sql"),
    ),
];

/// How long all steps may take, with the wait for another console that takes them. Large tables take their time.
const MIGRATED_WITHIN: Duration = Duration::from_secs(600);
/// As [`Store`]'s own limit, for a connection outside its pool.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Why the schema is not what this program needs.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A newer program has been here.
    #[error(
        "the database has the schema {found}, and this program knows {known} at most: a newer version has migrated it. \
         Start that version, or restore a backup from before"
    )]
    Newer {
        /// The schema's number.
        found: i64,
        /// The highest that this program knows.
        known: i64,
    },
    /// A step that was taken reads differently now.
    #[error(
        "step {0} of the schema is not the one that this database was migrated with; start the version that did"
    )]
    Changed(i64),
    /// A step failed. It left nothing behind.
    #[error("step {step} of the schema failed, and nothing of it was kept: {reason}")]
    Failed {
        /// The step's number.
        step: i64,
        /// What the database said.
        reason: String,
    },
    /// The database does not answer, or refuses us.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SchemaError {
    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_retryable())
    }
}

/// How the database's schema stands to this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// It is the one that is needed.
    Current,
    /// It needs [`Store::migrate`] first.
    Older {
        /// The schema's number, 0 for an empty database.
        found: i64,
        /// The one that is needed.
        needed: i64,
    },
}

impl Store {
    /// Takes all steps that are missing. Whoever comes at the same time waits, and then finds nothing to do.
    ///
    /// # Errors
    /// [`SchemaError`]; a step that fails leaves nothing of itself behind.
    pub async fn migrate(&self) -> Result<(), SchemaError> {
        let connecting = timeout(CONNECT_WITHIN, PgConnection::connect_with(&self.options())).await;
        let mut connection = connecting
            .map_err(|_| StoreError::Unavailable("it accepts no connection".to_owned()))?
            .map_err(StoreError::from)?;
        // The connection's end gives the lock back, too, whatever becomes of us.
        let migrated = timeout(
            MIGRATED_WITHIN,
            migrator().run_direct(None, &mut connection, false),
        )
        .await;
        let migrated = migrated
            .map_err(|_| StoreError::Unavailable("the migration takes longer than 10 minutes".to_owned()))?;
        migrated.map_err(told)?;
        connection.close().await.map_err(StoreError::from)?;
        Ok(())
    }

    /// How the schema stands.
    ///
    /// # Errors
    /// [`SchemaError::Newer`] where this program must not touch it.
    pub async fn schema(&self) -> Result<SchemaState, SchemaError> {
        let found = within(self.schema_number()).await?;
        let needed = newest();
        if found > needed {
            Err(SchemaError::Newer { found, known: needed })
        } else if found < needed {
            Ok(SchemaState::Older { found, needed })
        } else {
            Ok(SchemaState::Current)
        }
    }

    async fn schema_number(&self) -> Result<i64, StoreError> {
        let is_migrated: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&self.pool)
            .await?;
        if !is_migrated {
            return Ok(0);
        }
        let number =
            sqlx::query_scalar("SELECT COALESCE(max(version), 0) FROM _sqlx_migrations WHERE success");
        Ok(number.fetch_one(&self.pool).await?)
    }
}

fn newest() -> i64 {
    STEPS.iter().map(|(number, ..)| *number).max().unwrap_or_default()
}

fn migrator() -> Migrator {
    let steps = STEPS.iter().map(|(number, name, sql)| {
        Migration::new(
            *number,
            (*name).into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(steps.collect())
}

fn told(error: MigrateError) -> SchemaError {
    match error {
        MigrateError::VersionMissing(found) => SchemaError::Newer {
            found,
            known: newest(),
        },
        MigrateError::VersionMismatch(step) => SchemaError::Changed(step),
        MigrateError::Execute(error) => SchemaError::Store(error.into()),
        MigrateError::ExecuteMigration(error, step) => match StoreError::from(error) {
            passing if passing.is_retryable() => SchemaError::Store(passing),
            lasting => SchemaError::Failed {
                step,
                reason: lasting.to_string(),
            },
        },
        other => SchemaError::Failed {
            step: 0,
            reason: other.to_string(),
        },
    }
}
