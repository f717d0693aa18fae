//! What cannot be stored, kept as it came for a person to look at.

use sqlx::PgConnection;

use super::batch::SetAside;
use super::offsets::signed;
use crate::error::StoreError;

/// Bytes that are kept of each: no line of ours is longer, and garbage is known by its beginning.
const MAX_CONTENT: usize = 256 * 1024;
/// Characters that are kept of a reason, which may quote what was sent.
const MAX_REASON: usize = 500;

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

/// As PostgreSQL takes it.
fn told(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(MAX_REASON).collect()
}
