//! A manual retry of many, endpoint by endpoint, step by step: what is read in one step is sent, and then noted together with
//! how far that is. Whoever starts again after a crash repeats one step at most.

use std::time::Duration;

use hookline_common::ids::{CompanyId, EndpointId, EventId};
use hookline_common::message::FiledDelivery;
use jiff::Timestamp;
use sqlx::{Postgres, QueryBuilder, Row as _};

use super::filter::DeadLetterFilter;
use super::model::{filed, letter, letter_columns};
use super::retry_one::set_retried;
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::{Moment, millis};

/// The part of a retry that belongs to one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPart {
    /// The company.
    pub company: CompanyId,
    /// The retry.
    pub retry: String,
    /// The endpoint.
    pub endpoint: EndpointId,
    pub(super) created_at: Timestamp,
    pub(super) filter: DeadLetterFilter,
    pub(super) after: i64,
    pub(super) through: i64,
    pub(super) done: i64,
}

/// How long nobody else reads a part of which a step is just sent, so that it can be noted when a database is back that was away for
/// less. After a crash it is as long until the part goes on.
const HELD_FOR: Duration = Duration::from_secs(20);

/// What a step is noted as.
#[derive(Debug, PartialEq)]
pub enum NotedStep {
    /// The part goes on so.
    On(Box<RetryPart>),
    /// It was the last.
    Done,
    /// Somebody else went on with the part, or this very note had been taken before: it is to be looked for again.
    Elsewhere,
}

/// What comes next of a part.
#[derive(Debug)]
pub struct RetryStep {
    /// What is to be sent; a row that cannot be read stands as its fault, and stays a dead letter.
    pub deliveries: Vec<Result<FiledDelivery, StoreError>>,
    last: i64,
    is_last: bool,
}

impl RetryStep {
    /// Not all of it was sent: the next one begins where this one began, and leaves out what was.
    pub fn begin_again(&mut self, part: &RetryPart) {
        self.last = part.after;
        self.is_last = false;
    }
}

impl Store {
    /// The next dead letters of a part, at most `limit`; none at its end. From now on they are this retry's, so that it is
    /// told what becomes of them, however soon that is. Nobody else finds the part for 20 s, or until the step is noted. Nothing where
    /// somebody else has found it: two consoles may both be at it for the moment in which one of them loses the lead.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn retry_step(&self, part: &RetryPart, limit: u32) -> Result<Option<RetryStep>, StoreError> {
        if !self.hold_retry_part(part).await? {
            return Ok(None);
        }
        let mut query = QueryBuilder::<Postgres>::new(
            "WITH wanted AS (SELECT company, event, endpoint, failed_at, retry FROM dead_letters",
        );
        push_rest(&mut query, part);
        query
            .push(" ORDER BY position LIMIT ")
            .push_bind(i64::from(limit));
        query
            .push("), taken AS (UPDATE dead_letters l SET retry = ")
            .push_bind(&part.retry)
            .push(concat!(
                " FROM wanted w WHERE l.company = w.company AND l.event = w.event AND l.endpoint = w.endpoint \
                 AND l.failed_at = w.failed_at RETURNING l.*, w.retry AS before), \
                 told AS (UPDATE retries r SET left_otherwise = r.left_otherwise + g.n FROM \
                 (SELECT company, before, count(*) AS n FROM taken WHERE before <> retry AND retried_at IS NOT NULL \
                 GROUP BY company, before) g WHERE r.company = g.company AND r.id = g.before) SELECT ",
                letter_columns!(),
                // Of a delivery that is there more than once, as former versions have left it, a step sends the newest.
                ", headers, data FROM taken t WHERE NOT EXISTS \
                 (SELECT 1 FROM taken n WHERE n.event = t.event AND n.failed_at > t.failed_at) ORDER BY position"
            ));
        let rows = within(async { Ok(query.build().fetch_all(&self.pool).await?) }).await?;
        let last = rows.last().map(|row| row.try_get("position")).transpose()?;
        Ok(Some(RetryStep {
            deliveries: rows
                .iter()
                .map(|row| letter(row).and_then(|_| filed(&part.company, row)))
                .collect(),
            last: last.unwrap_or(part.through),
            is_last: last.is_none_or(|last| last >= part.through),
        }))
    }

    /// Whether the part is where it was found, and nobody else has it: then nobody else finds it from now on.
    async fn hold_retry_part(&self, part: &RetryPart) -> Result<bool, StoreError> {
        let hold = sqlx::query(
            "UPDATE retry_parts SET ready_at = now() + $6::bigint * interval '1 millisecond' \
             WHERE company = $1 AND retry = $2 AND endpoint = $3 AND after_position = $4 AND done = $5 \
             AND finished_at IS NULL AND ready_at <= now()",
        )
        .bind(part.company.as_str())
        .bind(&part.retry)
        .bind(part.endpoint.as_str())
        .bind(part.after)
        .bind(part.done)
        .bind(millis(HELD_FOR));
        let held = within(async { Ok(hold.execute(&self.pool).await?) }).await?;
        Ok(held.rows_affected() == 1)
    }

    /// Notes that a step was sent at `now`, and that the part may go on after `pause`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_retry_step(
        &self,
        part: &RetryPart,
        step: &RetryStep,
        sent: &[EventId],
        now: Timestamp,
        pause: Duration,
    ) -> Result<NotedStep, StoreError> {
        let is_done = step.is_last;
        let count = i64::try_from(sent.len()).unwrap_or(i64::MAX);
        within(async {
            let mut transaction = self.begin().await?;
            let moved = sqlx::query(
                "UPDATE retry_parts SET after_position = $5, done = done + $6, \
                 finished_at = CASE WHEN $7 THEN now() END, ready_at = now() + $8::bigint * interval '1 millisecond' \
                 WHERE company = $1 AND retry = $2 AND endpoint = $3 AND after_position = $4 AND done = $9 \
                 AND finished_at IS NULL",
            )
            .bind(part.company.as_str())
            .bind(&part.retry)
            .bind(part.endpoint.as_str())
            .bind(part.after)
            .bind(step.last)
            .bind(count)
            .bind(is_done)
            .bind(millis(pause))
            .bind(part.done)
            .execute(&mut *transaction)
            .await?;
            if moved.rows_affected() == 0 {
                return Ok(NotedStep::Elsewhere);
            }
            let events: Vec<&str> = sent.iter().map(EventId::as_str).collect();
            let endpoints = vec![part.endpoint.as_str(); events.len()];
            set_retried(&mut transaction, &part.company, &events, &endpoints, now).await?;
            transaction.commit().await?;
            if is_done {
                return Ok(NotedStep::Done);
            }
            Ok(NotedStep::On(Box::new(RetryPart {
                after: step.last,
                done: part.done + count,
                ..part.clone()
            })))
        })
        .await
    }

    /// Ends a part whose endpoint was removed: its dead letters stay, and count as those of endpoints that were gone before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_retry_part(&self, part: &RetryPart) -> Result<(), StoreError> {
        within(async {
            let mut transaction = self.begin().await?;
            let ended = sqlx::query(
                "UPDATE retry_parts SET finished_at = now() \
                 WHERE company = $1 AND retry = $2 AND endpoint = $3 AND finished_at IS NULL",
            )
            .bind(part.company.as_str())
            .bind(&part.retry)
            .bind(part.endpoint.as_str())
            .execute(&mut *transaction)
            .await?;
            if ended.rows_affected() == 0 {
                return Ok(());
            }
            let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) FROM dead_letters");
            push_rest(&mut query, part);
            let left: i64 = query.build_query_scalar().fetch_one(&mut *transaction).await?;
            sqlx::query("UPDATE retries SET skipped = skipped + $3 WHERE company = $1 AND id = $2")
                .bind(part.company.as_str())
                .bind(&part.retry)
                .bind(left)
                .execute(&mut *transaction)
                .await?;
            Ok(transaction.commit().await?)
        })
        .await
    }
}

/// Those that the part has still to send. What was sent since it was asked for, by it or by somebody else, is not sent twice.
fn push_rest(query: &mut QueryBuilder<Postgres>, part: &RetryPart) {
    let filter = DeadLetterFilter {
        endpoint: Some(part.endpoint.clone()),
        ..part.filter.clone()
    };
    filter.push(query, &part.company);
    query.push(" AND position > ").push_bind(part.after);
    query.push(" AND position <= ").push_bind(part.through);
    query
        .push(" AND (retried_at IS NULL OR retried_at < ")
        .push_bind(Moment(part.created_at))
        .push(")");
}
