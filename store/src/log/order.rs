//! One after the other: whoever inserts into `events` or `deliveries`. So positions of events become visible in their order,
//! and a row that somebody has looked for in vain is not made by somebody else. So does whoever changes dead letters before their
//! deliveries: the others do it the other way round, and the two would wait for each other.

use sqlx::PgConnection;

use crate::error::StoreError;

/// The lock's number: `order` in ASCII.
const LOCK: i64 = 0x006f_7264_6572;

/// Waits until nobody else inserts. Until the transaction's end nobody else does.
///
/// # Errors
/// [`StoreError`], also where it takes longer than a lock may.
pub(crate) async fn in_order(transaction: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(transaction)
        .await?;
    Ok(())
}
