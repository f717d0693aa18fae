//! The days into which the log's tables are cut: made when they are first needed.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use sqlx::AssertSqlSafe;

use super::known_days::DayTable;
use crate::connect::{Store, within};
use crate::error::StoreError;

/// The lock's number: `days` in ASCII. Two who make the same day come one after the other.
const LOCK: i64 = 0x6461_7973;

/// The UTC day of a time.
pub(crate) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// Makes sure that `table` has this day, in a transaction of its own: it must be there before the one that inserts begins.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn ensure(store: &Store, table: DayTable, day: Date) -> Result<(), StoreError> {
    if store.days.has((table, day)) {
        return Ok(());
    }
    within(make(store, table, day)).await?;
    store.days.add((table, day));
    Ok(())
}

async fn make(store: &Store, table: DayTable, day: Date) -> Result<(), StoreError> {
    let (parent, name) = (table.name(), table.of_day(day));
    let next = day.checked_add(1.day());
    let next = next.map_err(|_| StoreError::Corrupt("time: no day comes after it"))?;
    let mut transaction = store.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await?;
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(&name)
        .fetch_one(&mut *transaction)
        .await?;
    if !is_there {
        // Made apart and attached, it stops neither who reads the table nor who writes to other days of it.
        let made = format!(
            "CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES); \
             ALTER TABLE {parent} ATTACH PARTITION {name} \
             FOR VALUES FROM ('{day} 00:00:00+00') TO ('{next} 00:00:00+00')"
        );
        // The names are ours, and a day is digits.
        sqlx::raw_sql(AssertSqlSafe(made))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
