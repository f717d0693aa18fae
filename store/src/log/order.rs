//! One after the other: whoever inserts into `events` or `deliveries`, or changes deliveries together with their dead letters. So
//! positions of events become visible in their order, a row that somebody has looked for in vain is not made by somebody else, and no
//! two wait for each other's rows.

use sqlx::PgConnection;

use crate::error::StoreError;

/// The lock's number: `order` in ASCII.
const LOCK: i64 = 0x006f_7264_6572;

/// Waits until nobody else does. Until the transaction's end nobody else will.
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
