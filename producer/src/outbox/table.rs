//! The table as a relay sees it: which companies have events and are nobody else's, what those are, and what became of them.
//!
//! Everything happens on one connection, with whose end all locks end. So whoever lost its locks cannot delete anything either.

use std::time::Duration;

use hookline_common::event::Data;
use sqlx::postgres::{PgConnection, PgListener, PgPool, PgRow};
use sqlx::{Connection as _, Row as _};
use tokio::time::timeout;

use super::error::OutboxError;
use super::outcome::{Outcome, Place};
use super::row::Row;
use super::settings::RelaySettings;

/// What `hookline_outbox_wake` calls.
const CHANNEL: &str = "hookline_outbox";
/// How long one statement may take, and connecting. They take milliseconds; a database that hangs is left, and its locks with it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// Companies in one batch. Each costs the database a lock while the batch is published, of some thousand that it has in all.
const COMPANIES: i64 = 200;

/// How much is read of an id, a type or a part of a trace, in characters: none that is one has half as many.
const CUT_AT: i32 = 1_100;

/// Deleting need not reach the disk before it is answered: what a crash of the database brings back is published again. And
/// statistics of a table that is nearly always empty must not tempt anybody to read what a burst has left in it.
const SESSION: &str = "\
    SET synchronous_commit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET enable_nestloop = on; SET enable_indexscan = on; SET enable_indexonlyscan = on; \
    SET enable_tidscan = on; SET jit = off";

/// A relay whose machine is gone without a word has its companies locked until the database finds that out: within half a minute,
/// where systems take two hours by themselves. Locks of one that is only slow stay, as its system answers for it.
const NOTICED_SOON: &str = "\
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000";

/// What is done to rows later, done to none: a right that is missing, or a database that takes no changes, is known before anything
/// is published. What cannot be deleted afterwards would be published again and again.
const MAY_SETTLE: [&str; 2] = [
    "DELETE FROM hookline_outbox WHERE false",
    "INSERT INTO hookline_outbox_aside \
        (position, company, event_id, type, created_at, data, traceparent, tracestate, enqueued_at, reason) \
    SELECT position, company, event_id, type, created_at, data, traceparent, tracestate, enqueued_at, '' \
    FROM hookline_outbox WHERE false",
];

/// The locks are named after the table, so that outboxes in several schemas of a database keep out of each other's way.
const KEYS: &str = "\
    SELECT t AS id, hashtextextended('asleep', t) AS asleep, hashtextextended('awake', t) AS awake \
    FROM (SELECT 'hookline_outbox'::regclass::oid::bigint AS t) AS t";

/// Companies from `$1` on that have events, each by one step in the index, and only those that this relay could lock.
const LOCK: &str = "\
    WITH RECURSIVE heads(company) AS ( \
        (SELECT company FROM hookline_outbox WHERE company >= $1 ORDER BY company LIMIT 1) \
        UNION ALL \
        SELECT (SELECT o.company FROM hookline_outbox o WHERE o.company > heads.company ORDER BY o.company LIMIT 1) \
        FROM heads WHERE heads.company IS NOT NULL \
    ) \
    SELECT company FROM heads \
    WHERE company IS NOT NULL AND pg_try_advisory_lock(hashtextextended('company ' || company, $2)) LIMIT $3";

const UNLOCK: &str = "\
    SELECT count(pg_advisory_unlock(hashtextextended('company ' || company, $2))) FROM unnest($1::text[]) AS company";

/// Their first events. A statement of its own, as only one that begins after the locks were had sees what others have deleted.
/// A row may hold what is longer than any event's; as much is read of it as shows that. Its company is the one that was locked.
const READ: &str = "\
    SELECT o.position, heads.locked, left(o.event_id, $4) AS event_id, left(o.type, $4) AS type, \
        left(o.traceparent, $4) AS traceparent, left(o.tracestate, $4) AS tracestate, octet_length(o.data) AS bytes, \
        COALESCE(to_char(o.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), '') AS created_at, \
        CASE WHEN octet_length(o.data) <= $3 THEN o.data END AS data \
    FROM unnest($1::text[]) WITH ORDINALITY AS heads(company, locked) CROSS JOIN LATERAL ( \
        SELECT * FROM hookline_outbox WHERE company = heads.company ORDER BY position LIMIT $2 \
    ) AS o ORDER BY heads.locked, o.position";

// How rows are found that have these places, and then deleted. A plain join could as well begin with the table: it would read
// all of it in the order of its index for each batch, which looks cheap where statistics say that it is empty, as they do most
// of the time. Here nothing but the places can come first: what is lateral needs them, `OFFSET 0` keeps it as it is written, and
// a row by its `ctid` is found in one way alone.
macro_rules! rows_at_places {
    () => {
        "SELECT here.ctid AS found, place.* FROM place CROSS JOIN LATERAL ( \
            SELECT o.ctid FROM hookline_outbox o WHERE o.company = place.company AND o.position = place.position OFFSET 0 \
        ) AS here OFFSET 0"
    };
}

const DELETE: &str = concat!(
    "WITH place AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS place(company, position)) \
    DELETE FROM hookline_outbox o USING (",
    rows_at_places!(),
    ") AS done WHERE o.ctid = done.found"
);

const SET_ASIDE: &str = concat!(
    "WITH place AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]) AS place(company, position, reason)), \
    moved AS (DELETE FROM hookline_outbox o USING (",
    rows_at_places!(),
    ") AS bad WHERE o.ctid = bad.found RETURNING o.*, bad.reason) \
    INSERT INTO hookline_outbox_aside \
        (position, company, event_id, type, created_at, data, traceparent, tracestate, enqueued_at, reason) \
    SELECT position, company, event_id, type, created_at, data, traceparent, tracestate, enqueued_at, reason FROM moved"
);

/// The connection, and what is locked on it.
pub(super) struct Table {
    connection: PgConnection,
    id: i64,
    asleep: i64,
    awake: i64,
    /// Where the next batch begins: behind the company that the last one ended with, so that each has its turn.
    from: String,
    /// The companies that are locked for the batch.
    locked: Vec<String>,
    /// Whether others can see that this relay is awake.
    is_awake: bool,
}

/// One batch: each company's first events, in their order.
pub(super) type Batch = Vec<Vec<Row>>;

impl Table {
    /// Connects with the pool's options, and not in its place: a connection for the table, and one that hears of new events.
    pub(super) async fn open(pool: &PgPool) -> Result<(Self, PgListener), OutboxError> {
        within(async {
            // A pool tries until its time is over, and then says no more than that. This says at once what is wrong.
            let options = pool.connect_options();
            PgConnection::connect_with(&options).await?.close().await?;
            let own = pool.options().clone().min_connections(0).max_connections(2);
            let own = own
                .max_lifetime(None)
                .idle_timeout(None)
                .acquire_timeout(ANSWERED_WITHIN)
                .after_connect(|connection, _| {
                    Box::pin(async { sqlx::raw_sql(NOTICED_SOON).execute(connection).await.map(drop) })
                });
            let own = own.connect_lazy_with((*options).clone());
            let mut connection = own.acquire().await?.detach();
            let mut listener = PgListener::connect_with(&own).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            for nothing in MAY_SETTLE {
                sqlx::query(nothing).execute(&mut connection).await?;
            }
            let keys = sqlx::query(KEYS).fetch_one(&mut connection).await?;
            let table = Self {
                id: keys.try_get("id")?,
                asleep: keys.try_get("asleep")?,
                awake: keys.try_get("awake")?,
                from: String::new(),
                locked: Vec::new(),
                is_awake: false,
                connection,
            };
            Ok((table, listener))
        })
        .await
    }

    /// The next batch, whose companies are locked until [`Table::settle`]; empty where nothing is to be done, or others do it.
    pub(super) async fn take(&mut self, settings: &RelaySettings) -> Result<Batch, OutboxError> {
        let max = COMPANIES.min(i64::from(settings.batch));
        self.lock(max).await?;
        if self.locked.is_empty() && !self.from.is_empty() {
            self.from.clear();
            self.lock(max).await?;
        }
        let Some(last) = self.locked.last().cloned() else {
            return Ok(Batch::new());
        };
        let locked = i64::try_from(self.locked.len()).unwrap_or(max);
        self.from = if locked < max {
            String::new()
        } else {
            next_after(last)
        };
        let each = (i64::from(settings.batch) / locked).clamp(1, i64::from(settings.per_company));
        let query = sqlx::query(READ)
            .bind(&self.locked)
            .bind(each)
            .bind(i32::try_from(Data::MAX_BYTES).unwrap_or(i32::MAX))
            .bind(CUT_AT);
        let rows = within(async { Ok(query.fetch_all(&mut self.connection).await?) }).await?;
        let rows = rows
            .iter()
            .map(|row| self.row(row))
            .collect::<Result<Vec<Row>, sqlx::Error>>()?;
        if rows.is_empty() {
            // Another relay was faster.
            self.unlock().await?;
        }
        Ok(by_company(rows))
    }

    /// Deletes what was published, sets aside what cannot be, and lets go of the batch's companies.
    pub(super) async fn settle(&mut self, outcome: &Outcome) -> Result<(), OutboxError> {
        if !outcome.done.is_empty() {
            let (companies, positions) = columns(outcome.done.iter());
            let query = sqlx::query(DELETE).bind(companies).bind(positions);
            let deleted = within(async { Ok(query.execute(&mut self.connection).await?) }).await?;
            if deleted.rows_affected() == 0 {
                return Err(OutboxError::NothingDeleted(outcome.done.len()));
            }
        }
        if !outcome.aside.is_empty() {
            let (companies, positions) = columns(outcome.aside.iter().map(|(place, _)| place));
            let reasons: Vec<&str> = outcome.aside.iter().map(|(_, reason)| reason.as_str()).collect();
            let query = sqlx::query(SET_ASIDE)
                .bind(companies)
                .bind(positions)
                .bind(reasons);
            within(async { Ok(query.execute(&mut self.connection).await?) }).await?;
        }
        self.unlock().await
    }

    /// Whether another relay is awake. None is when this was had: `false` holds until [`Table::let_sleep`].
    pub(super) async fn is_watched(&mut self) -> Result<bool, OutboxError> {
        if std::mem::take(&mut self.is_awake) {
            self.ask("SELECT pg_advisory_unlock_shared($1)", self.awake)
                .await?;
        }
        // Those who are awake share this lock; alone it can only be had where there are none.
        Ok(!self.ask("SELECT pg_try_advisory_lock($1)", self.awake).await?)
    }

    /// Lets others find out whether they are watched.
    pub(super) async fn let_sleep(&mut self) -> Result<(), OutboxError> {
        self.ask("SELECT pg_advisory_unlock($1)", self.awake)
            .await
            .map(drop)
    }

    /// Is awake from now on, and others can see it.
    pub(super) async fn wake(&mut self) -> Result<(), OutboxError> {
        // Where another relay tries it at this instant, it is not had. Then more may be woken than need be, and no fewer.
        self.is_awake = self
            .ask("SELECT pg_try_advisory_lock_shared($1)", self.awake)
            .await?;
        Ok(())
    }

    /// The lock that whoever sleeps holds alone, so that those who commit wake somebody.
    pub(super) fn asleep(&self) -> i64 {
        self.asleep
    }

    /// Lets go of everything.
    pub(super) async fn close(self) {
        // Where nobody answers, the connection is closed without a word.
        drop(timeout(ANSWERED_WITHIN, self.connection.close()).await);
    }

    fn row(&self, row: &PgRow) -> Result<Row, sqlx::Error> {
        let nth: i64 = row.try_get("locked")?;
        let locked = usize::try_from(nth - 1).ok().and_then(|nth| self.locked.get(nth));
        Ok(Row {
            position: row.try_get("position")?,
            company: locked.cloned().ok_or(sqlx::Error::RowNotFound)?,
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("type")?,
            created_at: row.try_get("created_at")?,
            data: row.try_get("data")?,
            bytes: row.try_get("bytes")?,
            traceparent: row.try_get("traceparent")?,
            tracestate: row.try_get("tracestate")?,
        })
    }

    async fn lock(&mut self, max: i64) -> Result<(), OutboxError> {
        let query = sqlx::query_scalar(LOCK).bind(&self.from).bind(self.id).bind(max);
        self.locked = within(async { Ok(query.fetch_all(&mut self.connection).await?) }).await?;
        Ok(())
    }

    async fn unlock(&mut self) -> Result<(), OutboxError> {
        let companies = std::mem::take(&mut self.locked);
        let query = sqlx::query(UNLOCK).bind(companies).bind(self.id);
        within(async { Ok(query.execute(&mut self.connection).await.map(drop)?) }).await
    }

    /// A question about a lock.
    async fn ask(&mut self, sql: &'static str, key: i64) -> Result<bool, OutboxError> {
        let query = sqlx::query_scalar(sql).bind(key);
        within(async { Ok(query.fetch_one(&mut self.connection).await?) }).await
    }
}

/// One statement, within the time that any may take. The connection is not used any more after that.
pub(super) async fn within<T>(
    statement: impl Future<Output = Result<T, OutboxError>>,
) -> Result<T, OutboxError> {
    let late = Err(OutboxError::NoAnswer(ANSWERED_WITHIN.as_secs()));
    timeout(ANSWERED_WITHIN, statement).await.unwrap_or(late)
}

/// The first text behind `company`: there is none between the two, as U+0000 stands in no text of PostgreSQL.
fn next_after(mut company: String) -> String {
    company.push('\u{1}');
    company
}

/// Rows that are sorted by company, a list for each.
fn by_company(rows: Vec<Row>) -> Batch {
    let mut batch = Batch::new();
    for row in rows {
        match batch.last_mut() {
            Some(same) if same.last().is_some_and(|last| last.company == row.company) => same.push(row),
            _ => batch.push(vec![row]),
        }
    }
    batch
}

fn columns<'a>(places: impl Iterator<Item = &'a Place>) -> (Vec<&'a str>, Vec<i64>) {
    places
        .map(|place| (place.company.as_str(), place.position))
        .unzip()
}
