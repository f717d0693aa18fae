//! Which companies' endpoints have changed, as the database tells it to dispatchers.

use std::time::Duration;

use hookline_common::ids::CompanyId;
use sqlx::postgres::{PgConnection, PgListener, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _};
use tokio::time::timeout;

use crate::connect::{Store, within};
use crate::error::StoreError;

/// What the database calls when endpoints have changed, with the company.
const CHANNEL: &str = "hookline_endpoints";
/// After how long a silence it is asked whether anybody is there: a connection whose other end is gone, or frozen, is as
/// silent as one on which nothing happens.
const ASK_AFTER: Duration = Duration::from_secs(5);
/// How long the answer may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// How long the connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

impl Store {
    /// Hears from now on which companies' endpoints have changed, on a connection of its own.
    ///
    /// # Errors
    /// [`StoreError`] where that connection cannot be made.
    pub async fn changes(&self) -> Result<Changes, StoreError> {
        // Apart from the pool: a connection whose other end is gone may be given up long before the system closes it, and
        // would keep a place there as long.
        let own: PgPool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(CONNECT_WITHIN)
            .connect_lazy_with(self.options());
        within(async {
            // A pool tries until its time is over, and then says no more than that. This says at once what is wrong.
            PgConnection::connect_with(&self.options()).await?.close().await?;
            let mut listener = PgListener::connect_with(&own).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(Changes(listener))
        })
        .await
    }
}

/// Whose endpoints have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// This company's.
    Of(CompanyId),
    /// Everybody's: the table was truncated.
    All,
}

/// Companies whose endpoints have changed, as they change.
pub struct Changes(PgListener);

impl Changes {
    /// What has changed next.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the connection is lost, or the database does not answer on it: whatever changes
    /// from now on is not heard, so everything has to be looked at again as soon as there are new [`Changes`].
    pub async fn next(&mut self) -> Result<Changed, StoreError> {
        loop {
            // Half a message is kept where this is given up.
            let Ok(heard) = timeout(ASK_AFTER, self.0.try_recv()).await else {
                self.ask().await?;
                continue;
            };
            let Some(told) = heard? else {
                return Err(StoreError::Unavailable("the connection was closed".to_owned()));
            };
            if told.payload().is_empty() {
                return Ok(Changed::All);
            }
            if let Ok(company) = CompanyId::parse(told.payload()) {
                return Ok(Changed::Of(company));
            }
        }
    }

    /// What is told meanwhile is not lost.
    async fn ask(&mut self) -> Result<(), StoreError> {
        match timeout(ANSWERED_WITHIN, self.0.execute("SELECT 1")).await {
            Ok(answered) => Ok(answered.map(drop)?),
            Err(_) => Err(StoreError::Unavailable(format!(
                "no answer within {} s",
                ANSWERED_WITHIN.as_secs()
            ))),
        }
    }
}
