//! Hears from the database which companies' endpoints have changed.

use std::time::Duration;

use hookline_store::{Changed, StoreError};
use tokio::time::sleep;
use tracing::{info, warn};

use super::state::State;

/// How long to wait before a database that did not answer is asked again: changes count 2 s after they were made.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The same after a connection that had worked: most often the next one is to be had at once.
const REPLACE_AFTER: Duration = Duration::from_millis(100);

/// Hears for ever. What was changed while nobody heard is loaded again with everything else.
pub(super) async fn hear(registry: &State) {
    let mut told = String::new();
    loop {
        let mut was_heard = false;
        let Err(error) = hear_until_lost(registry, &mut was_heard, &mut told).await;
        let text = registry.unheard(&error);
        // Once for each outage, and again where the reason is another.
        if told != text {
            if registry.is_reached() {
                warn!("changes of endpoints are not heard; what has changed counts once they are: {text}");
            } else {
                warn!("nothing is consumed until the registry was reached: {text}");
            }
            told = text;
        }
        sleep(if was_heard { REPLACE_AFTER } else { ASK_AGAIN_AFTER }).await;
    }
}

async fn hear_until_lost(
    registry: &State,
    was_heard: &mut bool,
    told: &mut String,
) -> Result<std::convert::Infallible, StoreError> {
    let mut changes = registry.store.changes().await?;
    if !registry.is_reached() {
        // Nothing of nobody, but only where there is a table that we may read.
        registry.store.companies(&[]).await?;
    }
    *was_heard = true;
    if !registry.heard() {
        info!("the registry was reached");
        // Those of it that were known before this process began are known to nobody here.
        if !registry.allow_none && !registry.store.has_endpoints().await? {
            warn!(
                "the registry has no endpoint yet: what is published before one is registered is delivered nowhere. If it \
                 had some, they are lost: stop publishing, and restore the database"
            );
        }
    } else if !told.is_empty() {
        info!("changes of endpoints are heard again");
    }
    told.clear();
    loop {
        match changes.next().await? {
            Changed::Of(company) => registry.has_changed(company),
            Changed::All => registry.all_have_changed(),
        }
    }
}
