//! Manual retries of many: what somebody asked for is sent again, endpoint by endpoint, each at its own pace.

mod part; // one endpoint's

pub(crate) use self::part::now;

use std::collections::HashSet;
use std::time::Duration;

use hookline_common::ids::{CompanyId, EndpointId};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::warn;

use crate::app::App;

/// Endpoints that are sent to at once, of all companies. Each has a step of a few hundred kilobytes in memory.
const AT_ONCE: u32 = 16;
/// How often it is looked at whether another console was asked for a retry.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whose, and which.
type Key = (CompanyId, EndpointId);

/// Sends until it is dropped. Whoever goes on then repeats one step of each endpoint at most.
pub(crate) async fn run(app: App) {
    let mut sending: JoinSet<Key> = JoinSet::new();
    let mut busy: HashSet<Key> = HashSet::new();
    loop {
        match app.background_store().open_retry_parts(AT_ONCE).await {
            Ok(parts) => {
                for part in parts {
                    let key = (part.company.clone(), part.endpoint.clone());
                    let has_room = busy.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
                    if has_room && busy.insert(key.clone()) {
                        let app = app.clone();
                        sending.spawn(async move {
                            part::send(&app, part).await;
                            key
                        });
                    }
                }
            }
            Err(error) => warn!(%error, "it cannot be seen which retries were asked for; trying again"),
        }
        tokio::select! {
            Some(ended) = sending.join_next(), if !sending.is_empty() => match ended {
                Ok(key) => drop(busy.remove(&key)),
                Err(error) => {
                    warn!(%error, "a retry ended badly; it goes on in a moment");
                    busy.clear();
                    sending.shutdown().await;
                }
            },
            () = app.retries_asked().notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}
