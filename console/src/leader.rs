//! The work that one console does for all of them: whoever leads does it, and another takes over when that one is gone,
//! stopped, or cut off from the database.

use std::convert::Infallible;
use std::time::Duration;

use hookline_store::{Leadership, StoreError};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::app::App;
use crate::{filing, health_watch, meters, recorder, retention, retrying};

/// How often whoever waits tries to take the lead, and whoever has it looks whether that is still so.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two tries to reach the database.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Waits for the lead and does the work, again and again. Dropped, the work ends where it stands, which costs nothing: all of
/// it is transactions.
pub(crate) async fn run(app: App) {
    loop {
        meters::leads(false);
        match lead(&app).await {
            Ok(never) => match never {},
            Err(error) => tracing::debug!(%error, "not leading"),
        }
        sleep(RETRY_AFTER).await;
    }
}

async fn lead(app: &App) -> Result<Infallible, StoreError> {
    let mut session = app.background_store().leadership().await?;
    // Its tables are there from then on.
    while !app.is_migrated() || !session.try_lead().await? {
        sleep(LOOK_EVERY).await;
        session.confirm().await?;
    }
    info!("this console leads: it records attempts and looks after the log");
    meters::leads(true);
    // Each on its own, so that none waits for another; all end with this set.
    let mut work = JoinSet::new();
    work.spawn(recorder::run(app.clone()));
    work.spawn(retention::run(app.clone()));
    work.spawn(filing::run(app.clone()));
    work.spawn(retrying::run(app.clone()));
    work.spawn(health_watch::run(app.clone()));
    let error = tokio::select! {
        error = lost(&mut session) => error,
        ended = work.join_next() => StoreError::Unavailable(format!("its work ended: {ended:?}")),
    };
    drop(work);
    warn!(%error, "this console does not lead any more, and tries to lead again");
    session.give_up().await;
    Err(error)
}

/// Returns when it is not certain any more that nobody else leads.
async fn lost(session: &mut Leadership) -> StoreError {
    loop {
        sleep(LOOK_EVERY).await;
        if let Err(error) = session.confirm().await {
            return error;
        }
    }
}
