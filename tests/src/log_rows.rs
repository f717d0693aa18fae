//! Rows of the log written by hand, for scenarios about how it is read: as many and as odd ones as they need.

use std::sync::OnceLock;

use jiff::{Timestamp, ToSpan as _};

use crate::database::Database;

/// The days of the log, for this many days until tomorrow.
///
/// # Panics
/// When the database refuses.
pub async fn make_days(database: &Database, days: u32) {
    // One more, for what was written just before midnight.
    let days = days + 1;
    let sql = format!(
        "DO $$ DECLARE t text; d date; n text; BEGIN \
         FOREACH t IN ARRAY ARRAY['attempts', 'deliveries', 'events'] LOOP \
         FOR ago IN -1..{days} LOOP \
           d := (now() AT TIME ZONE 'UTC')::date - ago; n := t || '_' || to_char(d, 'YYYYMMDD'); \
           IF to_regclass(n) IS NULL THEN \
             EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', n, t, \
               d || ' 00:00:00+00', (d + 1) || ' 00:00:00+00'); \
           END IF; \
         END LOOP; END LOOP; END $$"
    );
    database.execute(&sql).await.unwrap();
}

/// Events of `acme` without a delivery, each with so many letters of data: `{prefix}1` and so on.
///
/// # Panics
/// When the database refuses.
pub async fn insert_large_events(database: &Database, prefix: &str, count: usize, letters: usize) {
    let sql = format!(
        "INSERT INTO events (recorded_at, company, id, type, data) SELECT now(), 'acme', '{prefix}' || i, 'a.b', \
         convert_to('{{\"a\":\"' || repeat('x', {letters}) || '\"}}', 'UTF8') FROM generate_series(1, {count}) i"
    );
    database.execute(&sql).await.unwrap();
}

/// So many seconds before the first row of this run, however long the others take to be written.
fn at(ago_s: u32) -> Timestamp {
    static NOW: OnceLock<Timestamp> = OnceLock::new();
    let now = NOW.get_or_init(|| Timestamp::from_second(Timestamp::now().as_second()).unwrap());
    *now - i64::from(ago_s).seconds()
}

/// A delivery of `booking.created`, made some seconds ago.
#[derive(Debug, Clone)]
pub struct Row {
    /// Whose it is.
    pub company: String,
    /// The event.
    pub event: String,
    /// The endpoint.
    pub endpoint: String,
    /// Its type.
    pub event_type: String,
    /// Why it was sent.
    pub origin: String,
    /// How far it has come.
    pub status: String,
    /// How the last attempt ended, and with which HTTP status: 0 for none.
    pub last: Option<(String, u16)>,
    /// How many seconds ago it was made.
    pub ago_s: u32,
}

impl Row {
    /// One that was delivered.
    #[must_use]
    pub fn of(event: &str, endpoint: &str, ago_s: u32) -> Self {
        Self {
            company: "acme".to_owned(),
            event: event.to_owned(),
            endpoint: endpoint.to_owned(),
            event_type: "booking.created".to_owned(),
            origin: "event".to_owned(),
            status: "delivered".to_owned(),
            last: Some(("delivered".to_owned(), 204)),
            ago_s,
        }
    }

    /// The same at another stage, with what the last attempt ended in.
    #[must_use]
    pub fn status(mut self, status: &str, outcome: &str, http_status: u16) -> Self {
        self.status = status.to_owned();
        self.last = Some((outcome.to_owned(), http_status));
        self
    }

    /// Writes it as a delivery.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn insert(&self, database: &Database) {
        let (outcome, status) = self.last();
        let Self {
            company,
            event,
            endpoint,
            event_type,
            origin,
            status: stage,
            ..
        } = self;
        let at = at(self.ago_s);
        let sql = format!(
            "INSERT INTO deliveries (company, event, endpoint, created_at, type, origin, status, attempts, last_attempt_at, \
             last_outcome, last_status, next_attempt_at) VALUES ('{company}', '{event}', '{endpoint}', \
             '{at}', '{event_type}', '{origin}', '{stage}', 1, \
             '{at}', {outcome}, {status}, \
             CASE WHEN '{stage}' = 'retrying' THEN now() + interval '1 minute' END)"
        );
        database.execute(&sql).await.unwrap();
    }

    /// Writes it as a dead letter with this data.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn insert_dead(&self, database: &Database, data: &str) {
        let (outcome, status) = self.last();
        let Self {
            company,
            event,
            endpoint,
            event_type,
            ..
        } = self;
        let at = at(self.ago_s);
        let sql = format!(
            "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
             last_status, created_at, data) VALUES ('{company}', '{event}', '{endpoint}', \
             '{at}', '{event_type}', 'event', 'retries_exhausted', 4, \
             {outcome}, {status}, '2030-01-15T14:30:00.250Z', convert_to('{data}', 'UTF8'))"
        );
        database.execute(&sql).await.unwrap();
    }

    fn last(&self) -> (String, String) {
        match &self.last {
            None => ("NULL".to_owned(), "NULL".to_owned()),
            Some((outcome, 0)) => (format!("'{outcome}'"), "NULL".to_owned()),
            Some((outcome, status)) => (format!("'{outcome}'"), status.to_string()),
        }
    }
}

/// Writes an event of a company as one that was recorded now, with its data where that was kept.
///
/// # Panics
/// When the database refuses.
pub async fn insert_event(database: &Database, company: &str, id: &str, data: Option<&str>) {
    let data = data.map_or("NULL".to_owned(), |data| {
        format!("convert_to('{}', 'UTF8')", data.replace('\'', "''"))
    });
    let sql = format!(
        "INSERT INTO events (recorded_at, company, id, type, created_at, data) VALUES \
         (now(), '{company}', '{id}', 'booking.created', '2030-01-15T14:30:00.250Z', {data})"
    );
    database.execute(&sql).await.unwrap();
}
