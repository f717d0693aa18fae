//! Hears from the database which companies' endpoints have changed.

use std::time::Duration;

use hookline_store::StoreError;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::Registry;

/// How long to wait before a database that did not answer is asked again: changes count 2 s after they were made.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Hears for ever. What was changed while nobody heard is loaded again with everything else.
pub(super) async fn hear(registry: &Registry) {
    let mut told = String::new();
    loop {
        let Err(error) = hear_until_lost(registry).await;
        let text = error.to_string();
        if *registry.reached.borrow() {
            debug!(%error, "changes of the registry are not heard at the moment");
        } else if told != text {
            warn!(%error, "nothing is consumed until the registry was reached");
            told = text;
        }
        sleep(ASK_AGAIN_AFTER).await;
    }
}

async fn hear_until_lost(registry: &Registry) -> Result<std::convert::Infallible, StoreError> {
    let mut changes = registry.store.changes().await?;
    // Nothing of nobody, but only where there is a table that we may read.
    registry.store.companies(&[]).await?;
    if !registry.reached.send_replace(true) {
        info!("the registry was reached");
    }
    registry.load_all_again();
    loop {
        match changes.next().await? {
            Some(company) => registry.orders.want_again(company),
            None => registry.load_all_again(),
        }
    }
}
