//! Somebody got what had failed: its dead letter goes.

use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use sqlx::PgConnection;

use super::by_records::change;
use crate::error::StoreError;

/// Removes the dead letters of deliveries that new records tell to be delivered, by an attempt that began after they failed,
/// and counts them for the retries that sent them.
/// Belongs into the transaction that stores the records. First deliveries have no dead letter, so that they are not asked
/// about.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn delivered(
    transaction: &mut PgConnection,
    new: &[&AttemptRecord],
) -> Result<(), StoreError> {
    let may_have_failed = |record: &&&AttemptRecord| {
        record.outcome == Outcome::Delivered && (record.attempt > 1 || record.origin != "event")
    };
    let records: Vec<&AttemptRecord> = new.iter().filter(may_have_failed).copied().collect();
    change(
        transaction,
        "WITH gone AS ( \
             DELETE FROM dead_letters l USING unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) \
             AS u (company, event, endpoint, started_at) \
             WHERE l.company = u.company AND l.event = u.event AND l.endpoint = u.endpoint AND l.failed_at < u.started_at \
             RETURNING l.company, l.retry) \
         UPDATE retries r SET delivered = r.delivered + g.n \
         FROM (SELECT company, retry, count(*) AS n FROM gone GROUP BY company, retry) g \
         WHERE r.company = g.company AND r.id = g.retry",
        &records,
    )
    .await
}
