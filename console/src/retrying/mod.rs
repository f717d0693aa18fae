//! Manual retries of many: what somebody asked for is sent again, endpoint by endpoint, each at its own pace, and each company's
//! in its turn.

mod slots; // whose is sent next
mod part; // one endpoint's

pub(crate) use self::part::now;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::warn;

use self::slots::{ALL, Key, OF_ONE, Slots};
use crate::app::App;

/// How often it is looked at whether another console was asked for a retry.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Parts that are looked at: as many as have a slot, and as many that may have one next.
const LOOKED_AT: usize = 2 * ALL;

/// Sends until it is dropped. Steps that are under way then end by themselves; where this process does not live so long, whoever
/// goes on after a while repeats one step of each endpoint at most.
pub(crate) async fn run(app: App) {
    // Also steps of an earlier lead: what they have sent and not noted yet would be read again.
    app.sendings().ended().await;
    let mut sending: JoinSet<Key> = JoinSet::new();
    let mut slots = Slots::default();
    loop {
        match app.background_store().open_retry_parts(OF_ONE, LOOKED_AT).await {
            Ok(parts) => {
                let waiting: Vec<Key> = parts
                    .iter()
                    .map(|part| (part.company.clone(), part.endpoint.clone()))
                    .collect();
                while let Some((key, part)) = slots
                    .next(&waiting)
                    .and_then(|next| Some((waiting.get(next)?, parts.get(next)?)))
                {
                    slots.take(key.clone());
                    let (app, key, part) = (app.clone(), key.clone(), part.clone());
                    let share = app.database_shares().of_retries(&part.company);
                    sending.spawn(async move {
                        share.hold(part::send(&app, part)).await;
                        key
                    });
                }
            }
            Err(error) => warn!(%error, "it cannot be seen which retries were asked for; trying again"),
        }
        tokio::select! {
            Some(ended) = sending.join_next(), if !sending.is_empty() => match ended {
                Ok(key) => slots.give_back(&key),
                Err(error) => {
                    warn!(%error, "a retry ended badly; it goes on in a moment");
                    slots = Slots::default();
                    sending.shutdown().await;
                    app.sendings().ended().await;
                }
            },
            () = app.retries_asked().notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}
