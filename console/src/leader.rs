//! The work that one console does for all of them: whoever leads does it, and another takes over when that one is gone,
//! stopped, or cut off from the database.

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

/// Waits for the lead and does the work, again and again, until shutdown. The work ends where it stands, which costs nothing where
/// it is transactions; what is just sent to the broker is noted before the lead is given up. Where it is lost, others leave that
/// alone for a while (`RetryPart`).
pub(crate) async fn run(app: App) {
    loop {
        meters::leads(false);
        match lead(&app).await {
            Ok(Stopped) => return,
            Err(error) => tracing::debug!(%error, "not leading"),
        }
        tokio::select! {
            () = sleep(RETRY_AFTER) => {}
            () = app.shutdown().requested() => return,
        }
    }
}

/// It does not lead any more because the console stops.
struct Stopped;

async fn lead(app: &App) -> Result<Stopped, StoreError> {
    let mut session = tokio::select! {
        led = wait_for_lead(app) => led?,
        () = app.shutdown().requested() => return Ok(Stopped),
    };
    info!("this console leads: it records attempts and looks after the log");
    meters::leads(true);
    // Each on its own, so that none waits for another; all end with this set.
    let mut work = JoinSet::new();
    work.spawn(recorder::run(app.clone()));
    work.spawn(retention::run(app.clone()));
    work.spawn(filing::run(app.clone()));
    work.spawn(retrying::run(app.clone()));
    work.spawn(health_watch::run(app.clone()));
    let ended = tokio::select! {
        error = lost(&mut session) => Err(error),
        ended = work.join_next() => Err(StoreError::Unavailable(format!("its work ended: {ended:?}"))),
        () = app.shutdown().requested() => Ok(Stopped),
    };
    // Nothing more is begun.
    work.shutdown().await;
    if let Err(error) = &ended {
        warn!(%error, "this console does not lead any more, and tries to lead again");
    }
    // As long as the lead is had, which it is for as long as it is asked for.
    tokio::select! {
        () = app.sendings().end() => {}
        error = lost(&mut session) => tracing::debug!(%error, "the lead is lost before all that was sent is noted"),
    }
    session.give_up().await;
    ended
}

async fn wait_for_lead(app: &App) -> Result<Leadership, StoreError> {
    let mut session = app.background_store().leadership().await?;
    // Its tables are there from then on.
    while !app.is_migrated() || !session.try_lead().await? {
        sleep(LOOK_EVERY).await;
        session.confirm().await?;
    }
    Ok(session)
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
