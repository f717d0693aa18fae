//! Retries of many that are long done, and of which nobody asks any more how far they have come.

use jiff::Timestamp;

use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;

/// Retries that are forgotten in one statement: some milliseconds.
const AT_ONCE: i64 = 1_000;

impl Store {
    /// Forgets retries that were asked for before `until` and have nothing left to send, some at most, and returns how many
    /// those were. To be called until there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_retries(&self, until: Timestamp) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "WITH old AS (SELECT company, id FROM retries r WHERE created_at < $1 AND NOT EXISTS (SELECT FROM retry_parts p \
             WHERE p.company = r.company AND p.retry = r.id AND p.finished_at IS NULL) LIMIT $2), \
             parts AS (DELETE FROM retry_parts p USING old WHERE p.company = old.company AND p.retry = old.id) \
             DELETE FROM retries r USING old WHERE r.company = old.company AND r.id = old.id",
        )
        .bind(Moment(until))
        .bind(AT_ONCE);
        Ok(within(async { Ok(query.execute(&self.pool).await?) })
            .await?
            .rows_affected())
    }
}
