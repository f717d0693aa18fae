//! Who of several consoles does what only one should do: a session's lock, which PostgreSQL takes away from a session that
//! is not heard of any more. It saves work that would be done twice, and no more than that: what is done is right without
//! it, too.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tokio::time::timeout;

use crate::connect::Store;
use crate::error::StoreError;

/// The lock's number: `leads` in ASCII.
const LOCK: i64 = 0x006c_6561_6473;
/// How long the connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take. What comes later is from a server that hangs, and somebody else may lead meanwhile.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// PostgreSQL ends the session of a console that asks nothing for so long: one that was stopped, or that the network has cut
/// off. Whoever is alive asks every second.
const SILENT_FOR: &str = "SET idle_session_timeout = '5s'";

/// A session that leads, or wants to. Dropped, it does neither.
pub struct Leadership(PgConnection);

impl Store {
    /// Opens a session that wants to lead, on a connection of its own.
    ///
    /// # Errors
    /// [`StoreError`] where the connection cannot be made.
    pub async fn leadership(&self) -> Result<Leadership, StoreError> {
        let connecting = timeout(CONNECT_WITHIN, PgConnection::connect_with(&self.options())).await;
        let mut connection =
            connecting.map_err(|_| StoreError::Unavailable("it accepts no connection".to_owned()))??;
        // Before PostgreSQL 14 there is no such limit, and only the system's own limits end such a session.
        let limited = in_time(async { Ok(connection.execute(SILENT_FOR).await?) }).await;
        if let Err(error) = limited
            && error.is_retryable()
        {
            return Err(error);
        }
        Ok(Leadership(connection))
    }
}

impl Leadership {
    /// Takes the lead if nobody has it. To be asked every second.
    ///
    /// # Errors
    /// [`StoreError`] where the session has ended, or does not answer.
    pub async fn try_lead(&mut self) -> Result<bool, StoreError> {
        let asked = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
        in_time(async { Ok(asked.fetch_one(&mut self.0).await?) }).await
    }

    /// Whether the session that took the lead still stands. To be asked every second.
    ///
    /// # Errors
    /// [`StoreError`] where it does not, or does not answer: somebody else may lead.
    pub async fn confirm(&mut self) -> Result<(), StoreError> {
        in_time(async { Ok(self.0.execute("SELECT 1").await.map(drop)?) }).await
    }

    /// Ends the session, so that the next one can lead at once.
    pub async fn give_up(self) {
        // A server that does not answer ends it by itself.
        drop(timeout(ANSWERED_WITHIN, self.0.close()).await);
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(ANSWERED_WITHIN, asked).await.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(format!(
            "no answer within {} s",
            ANSWERED_WITHIN.as_secs()
        )))
    })
}
