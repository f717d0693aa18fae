//! How far the stream of attempts was read.

use sqlx::{PgConnection, Row as _};

use super::batch::{LogBatch, StreamPlace};
use crate::connect::{Store, within};
use crate::error::StoreError;

impl Store {
    /// How far `stream` was read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stream_place(&self, stream: &str) -> Result<StreamPlace, StoreError> {
        let query = sqlx::query("SELECT next_offset, last_message FROM stream_offsets WHERE stream = $1")
            .bind(stream)
            .fetch_optional(&self.pool);
        let Some(row) = within(async { Ok(query.await?) }).await? else {
            return Ok(StreamPlace::default());
        };
        let next_offset = u64::try_from(row.try_get::<i64, _>(0)?);
        let last_message: Vec<u8> = row.try_get(1)?;
        Ok(StreamPlace {
            next_offset: next_offset.map_err(|_| StoreError::Corrupt("offset of a stream"))?,
            last_message: last_message.try_into().ok(),
        })
    }

    /// Begins with the first message again, as the stream was made anew. Nothing happens where somebody has moved the offset
    /// from `seen` meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn restart_stream(&self, stream: &str, seen: u64) -> Result<(), StoreError> {
        let changed = sqlx::query(
            "UPDATE stream_offsets SET next_offset = 0, last_message = '', updated_at = now() WHERE stream = $1 AND next_offset = $2",
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
    batch: &LogBatch,
) -> Result<(), StoreError> {
    // Where nothing was read yet there is no row.
    let moved = if batch.offset == 0 {
        "INSERT INTO stream_offsets AS o (stream, next_offset, last_message) VALUES ($1, $3, $4) ON CONFLICT (stream) \
         DO UPDATE SET next_offset = $3, last_message = $4, updated_at = now() WHERE o.next_offset = $2"
    } else {
        "UPDATE stream_offsets SET next_offset = $3, last_message = $4, updated_at = now() \
         WHERE stream = $1 AND next_offset = $2"
    };
    let moved = sqlx::query(moved)
        .bind(stream)
        .bind(signed(batch.offset))
        .bind(signed(batch.next_offset))
        .bind(batch.last_message.as_slice())
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
