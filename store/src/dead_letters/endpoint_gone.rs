//! What somebody sent again found no endpoint any more: its dead letter stays, as if nobody had.

use hookline_common::outcome::Outcome;
use hookline_common::record::AttemptRecord;
use sqlx::PgConnection;

use super::by_records::change;
use crate::error::StoreError;

/// Takes the retry from the dead letters of deliveries that new records tell to be discarded after they failed, and counts them
/// for the retries that sent them. One whose retry is noted later than its record is told apart by [`super::retry_one`].
/// Belongs into the transaction that stores the records.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn endpoint_gone(
    transaction: &mut PgConnection,
    new: &[&AttemptRecord],
) -> Result<(), StoreError> {
    let is_of_a_retry = |record: &&&AttemptRecord| {
        record.outcome == Outcome::Discarded && record.is_final && record.origin == "manual"
    };
    let records: Vec<&AttemptRecord> = new.iter().filter(is_of_a_retry).copied().collect();
    change(
        transaction,
        "WITH sent AS ( \
             SELECT l.company, l.event, l.endpoint, l.failed_at, l.retry FROM dead_letters l \
             JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])) \
             AS u (company, event, endpoint, started_at) \
             ON l.company = u.company AND l.event = u.event AND l.endpoint = u.endpoint AND l.failed_at < u.started_at), \
         stays AS ( \
             UPDATE dead_letters l SET retried_at = NULL, retry = NULL FROM sent s \
             WHERE l.company = s.company AND l.event = s.event AND l.endpoint = s.endpoint AND l.failed_at = s.failed_at \
             RETURNING s.company, s.retry) \
         UPDATE retries r SET left_otherwise = r.left_otherwise + g.n \
         FROM (SELECT company, retry, count(*) AS n FROM stays GROUP BY company, retry) g \
         WHERE r.company = g.company AND r.id = g.retry",
        &records,
    )
    .await
}
