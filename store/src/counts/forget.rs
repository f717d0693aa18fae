//! Counts that nobody is shown any more.

use jiff::Timestamp;

use super::tally::Step;
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;

/// Rows that are deleted at once: a fraction of a second, so that nobody waits for it.
const ROWS: i64 = 10_000;

impl Store {
    /// Deletes some of the counts that are too old to be shown, and says how many; to be called until there are none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_old_counts(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for step in [Step::Minute, Step::Hour] {
            let kept_since = now.checked_sub(step.kept()).unwrap_or(Timestamp::UNIX_EPOCH);
            let query = sqlx::query(
                "DELETE FROM attempt_counts WHERE ctid = ANY(ARRAY( \
                 SELECT ctid FROM attempt_counts WHERE step_s = $1 AND at < $2 ORDER BY at LIMIT $3))",
            )
            .bind(step.seconds())
            .bind(Moment(kept_since))
            .bind(ROWS);
            let done = within(async { Ok(query.execute(&self.pool).await?) }).await?;
            deleted += done.rows_affected();
        }
        Ok(deleted)
    }
}
