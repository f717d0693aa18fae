//! What new records tell of dead letters, carried out.

use hookline_common::record::AttemptRecord;
use sqlx::PgConnection;

use crate::error::StoreError;
use crate::moment::Moment;

/// Runs `sql` with four arrays, an element for each of `records`: company, event, endpoint, and when the attempt began. Without
/// records nothing is asked.
pub(super) async fn change(
    transaction: &mut PgConnection,
    sql: &'static str,
    records: &[&AttemptRecord],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&AttemptRecord) -> &str| records.iter().map(|record| of(record)).collect::<Vec<_>>();
    let began = records.iter().map(|record| Moment(record.started_at));
    sqlx::query(sql)
        .bind(texts(|record| record.company.as_str()))
        .bind(texts(|record| record.event.as_str()))
        .bind(texts(|record| record.endpoint.as_str()))
        .bind(began.collect::<Vec<_>>())
        .execute(transaction)
        .await?;
    Ok(())
}
