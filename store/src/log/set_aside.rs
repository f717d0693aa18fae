//! What cannot be stored, kept as it came for a person to look at: the newest of it, so much and so long.

use jiff::Timestamp;
use sqlx::PgConnection;

use super::batch::SetAside;
use super::offsets::signed;
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;

/// Bytes that are kept of each: no line of ours is longer, and garbage is known by its beginning.
const MAX_CONTENT: usize = 256 * 1024;
/// Characters that are kept of a reason, which may quote what was sent.
const MAX_REASON: usize = 500;
/// Rows that are kept, and bytes of them together: far more than a person looks at, and no more than a disk has to spare
/// while somebody floods the stream with garbage.
const MAX_ROWS: i64 = 1_000;
const MAX_BYTES: i64 = 64 << 20;

impl Store {
    /// Forgets what was set aside before `keep_since`, and returns how much that was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_set_aside(&self, keep_since: Timestamp) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM set_aside WHERE at < $1").bind(Moment(keep_since));
        let forgotten = within(async { Ok(query.execute(&self.pool).await?) }).await?;
        Ok(forgotten.rows_affected())
    }
}

pub(super) async fn insert(
    transaction: &mut PgConnection,
    stream: &str,
    set_aside: &[SetAside],
) -> Result<(), StoreError> {
    if set_aside.is_empty() {
        return Ok(());
    }
    let offsets: Vec<i64> = set_aside.iter().map(|item| signed(item.offset)).collect();
    let reasons: Vec<String> = set_aside.iter().map(|item| told(&item.reason)).collect();
    let contents: Vec<&[u8]> = set_aside
        .iter()
        .map(|item| item.content.get(..MAX_CONTENT).unwrap_or(&item.content))
        .collect();
    sqlx::query(
        "INSERT INTO set_aside (stream, stream_offset, reason, content) \
         SELECT $1, u.o, u.r, u.c FROM unnest($2::bigint[], $3::text[], $4::bytea[]) AS u (o, r, c)",
    )
    .bind(stream)
    .bind(offsets)
    .bind(reasons)
    .bind(contents)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Drops the oldest beyond what is kept, and returns how many. The newest stays however large it is.
pub(super) async fn make_room(transaction: &mut PgConnection) -> Result<u64, StoreError> {
    let dropped = sqlx::query(
        "DELETE FROM set_aside WHERE id IN (SELECT id FROM \
         (SELECT id, row_number() OVER newest AS n, sum(octet_length(content)) OVER newest AS bytes \
          FROM set_aside WINDOW newest AS (ORDER BY id DESC)) s WHERE n > 1 AND (n > $1 OR bytes > $2))",
    )
    .bind(MAX_ROWS)
    .bind(MAX_BYTES)
    .execute(transaction)
    .await?;
    Ok(dropped.rows_affected())
}

/// As PostgreSQL takes it.
fn told(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(MAX_REASON).collect()
}
