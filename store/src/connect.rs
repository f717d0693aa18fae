//! The connections to PostgreSQL, and how long anything may take there.

use std::fmt;
use std::future::Future;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use tokio::time::timeout;

use crate::error::StoreError;
use crate::log::KnownDays;
use crate::seal::Keyring;
use crate::shares::placed;

/// How long to wait for a connection, free or new. PostgreSQL accepts within milliseconds, also from another zone.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long one operation may take from our side: a server that hangs does not keep its own limits.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// The server's own limits, in milliseconds. No statement of ours takes a tenth of that.
const STATEMENT_MS: &str = "5000";
const LOCK_MS: &str = "3000";
const IDLE_IN_TRANSACTION_MS: &str = "10000";
/// The same for work in the background, whose statements may have thousands of rows.
const BACKGROUND_STATEMENT_MS: &str = "30000";
/// A console that was stopped in the middle of a transaction must not keep the next one waiting.
const BACKGROUND_IDLE_IN_TRANSACTION_MS: &str = "5000";
/// How long a connection that is given back may take to end what it does. Longer than any query of ours that goes well.
const AT_REST_WITHIN: Duration = Duration::from_secs(2);
/// Connections that nobody uses are closed after this.
const IDLE: Duration = Duration::from_secs(300);

/// Where the database is. It is never printed, as it holds a password.
#[derive(Clone)]
pub struct Database(PgConnectOptions);

impl Database {
    /// Reads `postgres://user:password@host:port/database`, with `?sslmode=…` and the like.
    ///
    /// # Errors
    /// [`InvalidDatabaseUrl`] says what is wanted, without a character of the text.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if !is_postgres {
            return Err(InvalidDatabaseUrl);
        }
        PgConnectOptions::from_str(text)
            .map(Self)
            .map_err(|_| InvalidDatabaseUrl)
    }

    pub(crate) fn options(&self, application: &str) -> PgConnectOptions {
        self.0.clone().application_name(application)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database(***)")
    }
}

/// A text that names no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a URL like postgres://user:password@host:5432/hookline?sslmode=verify-full")]
pub struct InvalidDatabaseUrl;

/// What a store needs.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where the database is.
    pub database: Database,
    /// What opens and seals secrets.
    pub keyring: Keyring,
    /// Who asks, as the database's administrator sees it.
    pub application: &'static str,
    /// Connections at most.
    pub max_connections: u32,
}

/// The database. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) pool: PgPool,
    pub(crate) keyring: Keyring,
    /// Days of the log that are there.
    pub(crate) days: KnownDays,
    settings: StoreSettings,
}

impl Store {
    /// A store that connects when it is first asked, and again whenever a connection was lost.
    #[must_use]
    pub fn new(settings: StoreSettings) -> Self {
        Self::limited(settings, STATEMENT_MS, IDLE_IN_TRANSACTION_MS)
    }

    /// The same for work in the background.
    #[must_use]
    pub fn for_background(settings: StoreSettings) -> Self {
        Self::limited(
            settings,
            BACKGROUND_STATEMENT_MS,
            BACKGROUND_IDLE_IN_TRANSACTION_MS,
        )
    }

    fn limited(settings: StoreSettings, statement_ms: &str, idle_in_transaction_ms: &str) -> Self {
        let limits = [
            ("statement_timeout", statement_ms),
            ("lock_timeout", LOCK_MS),
            ("idle_in_transaction_session_timeout", idle_in_transaction_ms),
        ];
        let options = settings.database.options(settings.application).options(limits);
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(CONNECT_WITHIN)
            .idle_timeout(IDLE)
            .after_release(|connection, _| Box::pin(is_at_rest(connection)))
            .connect_lazy_with(options);
        Self {
            pool,
            keyring: settings.keyring.clone(),
            days: KnownDays::default(),
            settings,
        }
    }

    /// Where the database is, for a connection with other limits.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.settings.database.options(self.settings.application)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and why.
    pub async fn ping(&self) -> Result<(), StoreError> {
        within(async {
            sqlx::query("SELECT 1").execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    /// A connection of the pool, for one read.
    pub(crate) async fn lend(&self) -> Result<Lent, StoreError> {
        Ok(Lent(Some(self.pool.acquire().await?)))
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// Closes all connections, those in use as soon as they are given back.
    pub async fn close(&self) {
        // A server that hangs does not take part in it.
        drop(timeout(CONNECT_WITHIN, self.pool.close()).await);
    }
}

/// A connection that is closed at once unless it is given back: given up in the middle of a query, it would wait for the
/// query's end in its place in the pool, and where the other end is gone, nobody else would get that for a quarter of an
/// hour.
pub(crate) struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    /// The connection. There is one until it is given back.
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        let connection = self.0.as_deref_mut();
        connection.ok_or_else(|| StoreError::Unavailable("the connection was given back".to_owned()))
    }

    /// It can be used again.
    pub(crate) fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

/// Whether a connection that was given back is ready for the next who wants it. One that was given up in the middle of a
/// query answers when the query has ended; where the other end hangs or is gone, that may be never, and its place in the pool
/// would be nobody's for as long. It is closed then, and the place is free.
async fn is_at_rest(connection: &mut PgConnection) -> sqlx::Result<bool> {
    match timeout(AT_REST_WITHIN, connection.ping()).await {
        Ok(answered) => answered.map(|()| true),
        // An error, as this way it is closed without a further word to the other end.
        Err(_) => {
            let words = "it was given up in the middle of a query, and is closed";
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, words)))
        }
    }
}

/// One operation, within the time that any may take. What is given up is rolled back.
pub(crate) async fn within<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(ANSWERED_WITHIN, placed(operation))
        .await
        .unwrap_or_else(|_| {
            Err(StoreError::Unavailable(format!(
                "no answer within {} s",
                ANSWERED_WITHIN.as_secs()
            )))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_url_and_is_never_printed() {
        let database = Database::parse("postgres://hookline:s3cret@127.0.0.1:5432/hookline").unwrap();
        assert!(!format!("{database:?}").contains("s3cret"));
        for bad in ["", "hookline", "mysql://s3cret@h/d", "postgres://s3cret@h:port/d"] {
            let told = Database::parse(bad).unwrap_err().to_string();
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}
