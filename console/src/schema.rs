//! The database's schema, at the start and ever after: brought up to date, or found to be so. A database that is away is
//! waited for. One that was away may come back as another: empty, from an older backup, or migrated by a newer version.

use std::time::Duration;

use hookline_store::{SchemaError, SchemaState, StoreError};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::app::App;
use crate::error::RunError;

/// The waits between two tries: short at first, as databases and consoles are often started together.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked at afterwards: two short queries.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Returns when the schema is the one that is needed.
pub(crate) async fn prepare(app: &App, migrates: bool) -> Result<(), RunError> {
    let mut wait = FIRST_WAIT;
    loop {
        match once(app, migrates).await {
            Ok(()) => {
                app.set_migrated(true);
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
        return match app.store().migrate().await {
            // A standby cannot be migrated, and perhaps needs not be.
            Err(SchemaError::Store(StoreError::ReadOnly)) => match app.store().schema().await? {
                SchemaState::Current => Ok(()),
                SchemaState::Older { .. } => Err(RunError::Schema(StoreError::ReadOnly.into())),
            },
            migrated => migrated.map_err(RunError::Schema),
        };
    }
    match app.store().schema().await? {
        SchemaState::Current => Ok(()),
        SchemaState::Older { found, needed } => Err(RunError::NotMigrated { found, needed }),
    }
}

/// Looks at the schema for as long as the console runs, and brings it up to date again where it may. What only a person can
/// mend makes the console not ready and is told once; the process goes on, as the database may be put right under it.
pub(crate) async fn watch(app: &App, migrates: bool) {
    let mut told: Option<String> = None;
    loop {
        sleep(LOOK_EVERY).await;
        match look(app, migrates).await {
            Ok(()) => {
                if told.take().is_some() {
                    info!("the database answers, and its schema is up to date again");
                }
                app.set_migrated(true);
            }
            // Nothing is known of the schema then.
            Err(RunError::Schema(error)) if error.is_retryable() => {
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    warn!(%error, "the database does not answer as it should");
                    told = Some(error);
                }
            }
            Err(error) => {
                app.set_migrated(false);
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    error!(%error, "the database's schema is not the one that is needed");
                    told = Some(error);
                }
            }
        }
    }
}

/// Most looks find nothing to do, and take no lock.
async fn look(app: &App, migrates: bool) -> Result<(), RunError> {
    match app.store().schema().await? {
        SchemaState::Current => Ok(()),
        SchemaState::Older { .. } => {
            app.set_migrated(false);
            once(app, migrates).await
        }
    }
}
