//! Days that are too old, dropped whole.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::timeout;

use super::days::day_of;
use super::known_days::DayTable;
use crate::connect::{Store, within};
use crate::error::StoreError;

/// How long to wait for those who just read the table. Whoever comes after waits behind us, so it is short, and tried again.
const LOCK: &str = "SET LOCAL lock_timeout = '500ms'";
/// The highest positions of a day with millions of events take some seconds to find.
const STATEMENT: &str = "SET LOCAL statement_timeout = '5min'";
/// How long one day may take.
const DROPPED_WITHIN: Duration = Duration::from_secs(330);

/// A day of the log that was dropped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dropped(String);

impl std::fmt::Display for Dropped {
    /// The table's name: `attempts_20261128`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Store {
    /// Drops one day of the log all of which is older than `keep_since`, if there is one. To be called until there is none.
    ///
    /// # Errors
    /// [`StoreError`], among others where somebody reads the table for long; then it can be tried again.
    pub async fn drop_old_day(&self, keep_since: Timestamp) -> Result<Option<Dropped>, StoreError> {
        // A day goes when all of it is too old.
        let first_kept = day_of(keep_since);
        for table in DayTable::ALL {
            let oldest = within(async { self.days_of(table).await })
                .await?
                .into_iter()
                .next();
            let Some(day) = oldest.filter(|day| *day < first_kept) else {
                continue;
            };
            let name = table.of_day(day);
            let dropping = timeout(DROPPED_WITHIN, self.drop_day(table, &name)).await;
            dropping.map_err(|_| StoreError::Unavailable(format!("{name} was not dropped in time")))??;
            self.days.forget();
            return Ok(Some(Dropped(name)));
        }
        Ok(None)
    }

    async fn days_of(&self, table: DayTable) -> Result<BTreeSet<Date>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
             WHERE i.inhparent = to_regclass($1)",
        )
        .bind(table.name())
        .fetch_all(&self.pool)
        .await?;
        Ok(names.iter().filter_map(|name| day_named(table, name)).collect())
    }

    async fn drop_day(&self, table: DayTable, name: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for set in [LOCK, STATEMENT] {
            sqlx::query(set).execute(&mut *transaction).await?;
        }
        if table == DayTable::Events {
            note_positions(&mut transaction, name).await?;
        }
        // The name is one of ours, found above.
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE IF EXISTS {name}")))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Whoever reads a company's events from before this position on is told that they have missed some.
async fn note_positions(transaction: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let noted = format!(
        "INSERT INTO events_dropped AS d (company, position) SELECT company, max(position) FROM {name} GROUP BY company \
         ON CONFLICT (company) DO UPDATE SET position = GREATEST(d.position, EXCLUDED.position)"
    );
    sqlx::raw_sql(AssertSqlSafe(noted)).execute(transaction).await?;
    Ok(())
}

/// The day of a table's name; none where it is not one of ours.
fn day_named(table: DayTable, name: &str) -> Option<Date> {
    let digits = name.strip_prefix(table.name())?.strip_prefix('_')?;
    let is_ours = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = digits.parse().ok().filter(|_| is_ours)?;
    let part = |value: u32| i8::try_from(value).ok();
    let year = i16::try_from(number / 10_000).ok()?;
    Date::new(year, part(number / 100 % 100)?, part(number % 100)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_known_by_its_name_and_nothing_else_is_taken_for_one() {
        let day = Date::constant(2026, 11, 28);
        for table in DayTable::ALL {
            assert_eq!(day_named(table, &table.of_day(day)), Some(day));
        }
        for name in [
            "attempts",
            "attempts_2026112",
            "attempts_20261399",
            "attempts_+2026112",
            "events_20261128",
        ] {
            assert_eq!(day_named(DayTable::Attempts, name), None, "{name}");
        }
    }
}
