//! What was discarded by hand, remembered for a while. The broker brings a message again whose acknowledgement was lost with
//! a connection, and what nobody wanted must not come back with it.

use std::collections::HashSet;

use hookline_common::ids::CompanyId;
use jiff::Timestamp;
use sqlx::PgConnection;

use super::model::{NewDeadLetter, failed_at};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;

/// Rows that are forgotten in one statement: some milliseconds.
const AT_ONCE: i64 = 10_000;

/// A dead letter that was discarded: event, endpoint, when it failed, and the retry that had sent it, where it was under way.
pub(super) type Discarded = (String, String, Moment, Option<String>);

impl Store {
    /// Forgets what was discarded before `until`, some thousands at most, and returns how many that were. To be called until
    /// there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_discarded(&self, until: Timestamp) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "DELETE FROM discarded_letters WHERE (company, event, endpoint, failed_at) IN \
             (SELECT company, event, endpoint, failed_at FROM discarded_letters WHERE discarded_at < $1 LIMIT $2)",
        )
        .bind(Moment(until))
        .bind(AT_ONCE);
        Ok(within(async { Ok(query.execute(&self.pool).await?) })
            .await?
            .rows_affected())
    }
}

/// Remembers them, and counts them for the retries that had sent them.
pub(super) async fn remember(
    transaction: &mut PgConnection,
    company: &CompanyId,
    gone: &[Discarded],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO discarded_letters (company, event, endpoint, failed_at) \
         SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS u ON CONFLICT DO NOTHING",
    )
    .bind(company.as_str())
    .bind(gone.iter().map(|(event, ..)| event.as_str()).collect::<Vec<_>>())
    .bind(
        gone.iter()
            .map(|(_, endpoint, ..)| endpoint.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        gone.iter()
            .map(|(_, _, failed_at, _)| *failed_at)
            .collect::<Vec<_>>(),
    )
    .execute(&mut *transaction)
    .await?;
    let retries: Vec<&str> = gone.iter().filter_map(|(.., retry)| retry.as_deref()).collect();
    if retries.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE retries r SET left_otherwise = r.left_otherwise + u.n \
         FROM (SELECT id, count(*) AS n FROM unnest($2::text[]) AS id GROUP BY id) u \
         WHERE r.company = $1 AND r.id = u.id",
    )
    .bind(company.as_str())
    .bind(retries)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Those that were not discarded.
pub(super) async fn without<'a>(
    transaction: &mut PgConnection,
    letters: &[&'a NewDeadLetter],
) -> Result<Vec<&'a NewDeadLetter>, StoreError> {
    let numbers: Vec<i64> = sqlx::query_scalar(
        "SELECT u.n FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY \
         AS u (company, event, endpoint, failed_at, n) JOIN discarded_letters d ON d.company = u.company \
         AND d.event = u.event AND d.endpoint = u.endpoint AND d.failed_at = u.failed_at",
    )
    .bind(texts(letters, |letter| letter.delivery.event.company.as_str()))
    .bind(texts(letters, |letter| letter.delivery.event.id.as_str()))
    .bind(texts(letters, |letter| letter.delivery.endpoint.as_str()))
    .bind(failed_at(letters))
    .fetch_all(transaction)
    .await?;
    let discarded: HashSet<i64> = numbers.into_iter().collect();
    let numbered = (1..).zip(letters.iter().copied());
    Ok(numbered
        .filter(|(number, _)| !discarded.contains(number))
        .map(|(_, letter)| letter)
        .collect())
}

/// Removes those again that were discarded meanwhile.
pub(super) async fn remove(
    transaction: &mut PgConnection,
    letters: &[&NewDeadLetter],
) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM dead_letters l USING discarded_letters d, \
         unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS u (company, event, endpoint, failed_at) \
         WHERE l.company = u.company AND l.event = u.event AND l.endpoint = u.endpoint AND l.failed_at = u.failed_at \
         AND d.company = u.company AND d.event = u.event AND d.endpoint = u.endpoint AND d.failed_at = u.failed_at",
    )
    .bind(texts(letters, |letter| letter.delivery.event.company.as_str()))
    .bind(texts(letters, |letter| letter.delivery.event.id.as_str()))
    .bind(texts(letters, |letter| letter.delivery.endpoint.as_str()))
    .bind(failed_at(letters))
    .execute(transaction)
    .await?;
    Ok(())
}

fn texts<'a>(letters: &[&'a NewDeadLetter], of: fn(&NewDeadLetter) -> &str) -> Vec<&'a str> {
    letters.iter().map(|letter| of(letter)).collect()
}
