//! Dead letters on their way into the table, each once however often it comes.

use std::collections::HashSet;

use hookline_common::message::FiledDelivery;
use jiff::Timestamp;
use sqlx::{Acquire as _, PgConnection};

use super::model::{NewDeadLetter, attempts_made, failed_at, happened_at};
use super::{discarded, in_log};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::log::{DayTable, day_of, ensure, in_order};
use crate::moment::Moment;

/// Rows that may be there are looked for by index, whatever the planner thinks of a day's table: its plan is made while the
/// table is small, and is kept while it grows.
const BY_INDEX: &str = "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), \
     set_config('enable_mergejoin', 'off', true)";

impl Store {
    /// Files dead letters, all or none, and sees to it that the log knows of them. One that was filed before, with the same
    /// time of failing, changes nothing; one that was delivered after it failed, or that was discarded by hand, is not filed
    /// again. Of each delivery only the newest stays.
    ///
    /// # Errors
    /// [`StoreError`]; with [`StoreError::refuses_data`] one of them is at fault.
    pub async fn file_dead_letters(&self, letters: &[&NewDeadLetter]) -> Result<(), StoreError> {
        let mut keys = HashSet::with_capacity(letters.len());
        let letters: Vec<&NewDeadLetter> = letters
            .iter()
            .filter(|letter| keys.insert(key(letter)))
            .copied()
            .collect();
        match self.file_once(&letters).await {
            // A day was dropped, or this is another database.
            Err(error) if error.lacks_day() => {
                self.days.forget();
                self.file_once(&letters).await
            }
            filed => filed,
        }
    }

    async fn file_once(&self, letters: &[&NewDeadLetter]) -> Result<(), StoreError> {
        let now = Timestamp::now();
        ensure(self, DayTable::Events, day_of(now)).await?;
        let days = letters
            .iter()
            .map(|letter| day_of(in_log::first_seen(letter, now)));
        for day in days.collect::<HashSet<_>>() {
            ensure(self, DayTable::Deliveries, day).await?;
        }
        within(async {
            // Given up in the middle, it is closed and takes no place from anybody.
            let mut lent = self.lend().await?;
            let mut transaction = lent.connection()?.begin().await?;
            sqlx::query(BY_INDEX).execute(&mut *transaction).await?;
            in_order(&mut transaction).await?;
            let letters = discarded::without(&mut transaction, letters).await?;
            let letters = in_log::note(&mut transaction, &letters, now).await?;
            insert(&mut transaction, &letters).await?;
            // Somebody may have discarded one that was there until a moment ago, while its place was waited for.
            discarded::remove(&mut transaction, &letters).await?;
            transaction.commit().await?;
            lent.give_back();
            Ok(())
        })
        .await
    }
}

/// What tells one dead letter from another.
fn key(letter: &NewDeadLetter) -> (&str, &str, &str, i64) {
    let delivery = &letter.delivery;
    (
        delivery.event.company.as_str(),
        delivery.event.id.as_str(),
        delivery.endpoint.as_str(),
        letter.cause.failed_at.as_microsecond(),
    )
}

async fn insert(transaction: &mut PgConnection, letters: &[&NewDeadLetter]) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&NewDeadLetter) -> &str| letters.iter().map(|letter| of(letter)).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
         last_status, created_at, headers, data) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], \
         $8::integer[], $9::text[], $10::integer[], $11::timestamptz[], $12::bytea[], $13::bytea[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(texts(|letter| letter.delivery.event.company.as_str()))
    .bind(texts(|letter| letter.delivery.event.id.as_str()))
    .bind(texts(|letter| letter.delivery.endpoint.as_str()))
    .bind(failed_at(letters))
    .bind(texts(|letter| letter.delivery.event.event_type.as_str()))
    .bind(texts(|letter| letter.delivery.origin.as_str()))
    .bind(texts(|letter| letter.cause.reason.as_str()))
    .bind(letters.iter().map(|letter| attempts_made(letter)).collect::<Vec<_>>())
    .bind(
        letters
            .iter()
            .map(|letter| letter.cause.last_outcome.map(|outcome| outcome.as_str()))
            .collect::<Vec<_>>(),
    )
    .bind(
        letters
            .iter()
            .map(|letter| letter.cause.last_status.map(i32::from))
            .collect::<Vec<_>>(),
    )
    .bind(
        letters
            .iter()
            .map(|letter| Moment(happened_at(&letter.delivery)))
            .collect::<Vec<_>>(),
    )
    .bind(
        letters
            .iter()
            .map(|letter| FiledDelivery::headers_of(&letter.delivery))
            .collect::<Vec<_>>(),
    )
    .bind(
        letters
            .iter()
            .map(|letter| letter.delivery.event.data.as_bytes().to_vec())
            .collect::<Vec<_>>(),
    )
    .execute(&mut *transaction)
    .await?;
    give_way(transaction, letters).await
}

/// Of each delivery only the newest dead letter stays, since two of them would be sent as two. What was retried before that one failed
/// has come back, which its retry is told. What was retried since, or is just being sent, hands its retry on, which hears of what
/// becomes of it by the newer one then.
async fn give_way(transaction: &mut PgConnection, letters: &[&NewDeadLetter]) -> Result<(), StoreError> {
    let texts = |of: fn(&NewDeadLetter) -> &str| letters.iter().map(|letter| of(letter)).collect::<Vec<_>>();
    sqlx::query(
        "WITH newest AS ( \
             SELECT company, event, endpoint, max(failed_at) AS failed_at FROM dead_letters \
             JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[]) AS u (company, event, endpoint)) u \
             USING (company, event, endpoint) GROUP BY company, event, endpoint HAVING count(*) > 1), \
         gone AS ( \
             DELETE FROM dead_letters old USING newest n \
             WHERE old.company = n.company AND old.event = n.event AND old.endpoint = n.endpoint \
             AND old.failed_at < n.failed_at \
             RETURNING old.company, old.event, old.endpoint, old.retry, old.retried_at, n.failed_at AS newest), \
         handed_on AS ( \
             UPDATE dead_letters l SET retry = g.retry, retried_at = g.retried_at FROM gone g \
             WHERE l.company = g.company AND l.event = g.event AND l.endpoint = g.endpoint AND l.failed_at = g.newest \
             AND l.retried_at IS NULL \
             AND (g.retried_at >= g.newest OR g.retried_at IS NULL AND g.retry IS NOT NULL AND l.retry IS NULL)) \
         UPDATE retries r SET failed_again = r.failed_again + g.n \
         FROM (SELECT company, retry, count(*) AS n FROM gone WHERE retried_at < newest GROUP BY company, retry) g \
         WHERE r.company = g.company AND r.id = g.retry",
    )
    .bind(texts(|letter| letter.delivery.event.company.as_str()))
    .bind(texts(|letter| letter.delivery.event.id.as_str()))
    .bind(texts(|letter| letter.delivery.endpoint.as_str()))
    .execute(transaction)
    .await?;
    Ok(())
}
