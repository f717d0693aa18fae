//! The tables: steps that are taken once, however many services start at the same moment.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};

use super::error::OutboxError;

/// The steps, as SQL for a service's own migrations. One that was released is never changed; a new one is added at the end.
pub const MIGRATIONS: &[&str] = &[include_str!("../../migrations/0001_outbox.sql")];

/// What the table says of the step that it is at: `Hookline outbox, step 1`.
const STEP_AT: &str = "\
    SELECT COALESCE(substring(obj_description(to_regclass('hookline_outbox'), 'pg_class') FROM 'step ([0-9]+)$')::bigint, \
                    (to_regclass('hookline_outbox') IS NOT NULL)::int::bigint)";

/// Makes the tables, or brings them up to date. Whoever calls it at the same time waits, and then finds nothing to do.
///
/// # Errors
/// [`OutboxError`]; nothing of a step that failed is left.
pub async fn migrate(pool: &PgPool) -> Result<(), OutboxError> {
    let mut transaction = pool.begin().await?;
    // Before it is made, the table has no id that the lock could be named after.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('hookline_outbox migrations', 0))")
        .execute(&mut *transaction)
        .await?;
    let at = step(&mut transaction).await?;
    if at > MIGRATIONS.len() {
        return Err(OutboxError::Newer {
            found: at,
            known: MIGRATIONS.len(),
        });
    }
    for sql in MIGRATIONS.iter().skip(at) {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn step(connection: &mut PgConnection) -> Result<usize, OutboxError> {
    let at: i64 = sqlx::query_scalar(STEP_AT).fetch_one(connection).await?;
    Ok(usize::try_from(at).unwrap_or_default())
}

/// A small pool for a program that does nothing else than relay, connected to `url`
/// (`postgres://user:password@host/database`; `?options=-csearch_path%3Dbookings` where the tables stand in a schema).
///
/// # Errors
/// [`OutboxError::Database`] when the URL is none, or the database does not answer at the first try.
pub async fn connect(url: &str) -> Result<PgPool, OutboxError> {
    let options: PgConnectOptions = url.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options.application_name("hookline relay"))
        .await?;
    Ok(pool)
}
