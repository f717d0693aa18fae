//! How far the stream of attempts was read.

use sqlx::PgConnection;

use crate::connect::{Store, within};
use crate::error::StoreError;

impl Store {
    /// The number of the message of `stream` that is to be read next; 0 where none was read yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stream_offset(&self, stream: &str) -> Result<u64, StoreError> {
        within(async {
            let found: Option<i64> =
                sqlx::query_scalar("SELECT next_offset FROM stream_offsets WHERE stream = $1")
                    .bind(stream)
                    .fetch_optional(&self.pool)
                    .await?;
            found.map_or(Ok(0), |offset| {
                u64::try_from(offset).map_err(|_| StoreError::Corrupt("offset of a stream"))
            })
        })
        .await
    }

    /// Begins with the first message again, as the stream was made anew. Nothing happens where somebody has moved the offset
    /// from `seen` meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn restart_stream(&self, stream: &str, seen: u64) -> Result<(), StoreError> {
        let changed = sqlx::query(
            "UPDATE stream_offsets SET next_offset = 0, updated_at = now() WHERE stream = $1 AND next_offset = $2",
        )
        .bind(stream)
        .bind(signed(seen));
        within(async { Ok(changed.execute(&self.pool).await.map(drop)?) }).await
    }
}

/// Moves the offset, in the transaction that stores what was read. It keeps others that record from doing so until the
/// transaction's end.
///
/// # Errors
/// [`StoreError::Moved`] where somebody else has moved it.
pub(super) async fn advance(
    transaction: &mut PgConnection,
    stream: &str,
    from: u64,
    to: u64,
) -> Result<(), StoreError> {
    // Where nothing was read yet there is no row.
    let moved = if from == 0 {
        "INSERT INTO stream_offsets AS o (stream, next_offset) VALUES ($1, $3) \
         ON CONFLICT (stream) DO UPDATE SET next_offset = $3, updated_at = now() WHERE o.next_offset = $2"
    } else {
        "UPDATE stream_offsets SET next_offset = $3, updated_at = now() WHERE stream = $1 AND next_offset = $2"
    };
    let moved = sqlx::query(moved)
        .bind(stream)
        .bind(signed(from))
        .bind(signed(to))
        .execute(transaction)
        .await?;
    if moved.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Moved)
    }
}

/// No stream has numbers that PostgreSQL could not hold.
pub(super) fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
