//! The database's schema at the start: brought up to date, or found to be so. A database that is away is waited for.

use std::time::Duration;

use hookline_store::SchemaState;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::app::App;
use crate::error::RunError;

/// The waits between two tries: short at first, as databases and consoles are often started together.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Returns when the schema is the one that is needed.
pub(crate) async fn prepare(app: &App, migrates: bool) -> Result<(), RunError> {
    let mut wait = FIRST_WAIT;
    loop {
        match once(app, migrates).await {
            Ok(()) => {
                app.set_migrated();
                info!("the database's schema is up to date");
                return Ok(());
            }
            Err(RunError::Schema(error)) if error.is_retryable() => {
                warn!(%error, "the database is waited for");
            }
            Err(error) => return Err(error),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn once(app: &App, migrates: bool) -> Result<(), RunError> {
    if migrates {
        return app.store().migrate().await.map_err(RunError::Schema);
    }
    match app.store().schema().await? {
        SchemaState::Current => Ok(()),
        SchemaState::Older { found, needed } => Err(RunError::NotMigrated { found, needed }),
    }
}
