//! Endpoints that only fail, or answer 410: disabled, and their companies told. What is told waits in the database until the
//! broker has it, so that nothing is told of what was not done, and nothing that was done goes untold.

use std::time::Duration;

use hookline_common::event::{CreatedAt, Data, Event, InvalidData};
use hookline_common::trace_context::TraceContext;
use hookline_store::{OperationalEvent, StoreError};
use tokio::time::{Instant, sleep};
use tracing::{error, warn};

use crate::app::App;
use crate::meters;
use crate::publishing::{NotStored, PUBLISH_WITHIN};

/// How often endpoints are looked at: a query over those that fail. What was to be delivered in between fails like all
/// before it.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The longest wait where the database or the broker is away.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Events that are published before endpoints are looked at again.
const EVENTS_AT_ONCE: u32 = 100;

/// Why a look came to nothing. What it did before stands.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("an event of ours is not published: {}", .0.why)]
    NotStored(NotStored),
    #[error("an event of ours cannot be published: {0}")]
    Data(#[from] InvalidData),
}

/// Looks for as long as the console runs. It may be dropped at any moment: endpoints are disabled in a transaction each, and
/// events that were published and not removed are published again.
pub(crate) async fn run(app: App) {
    let mut wait = LOOK_EVERY;
    loop {
        match look(&app).await {
            Ok(()) => wait = LOOK_EVERY,
            Err(fault) => {
                wait = (wait * 2).min(LONGEST_WAIT);
                tell(&fault);
            }
        }
        sleep(wait).await;
    }
}

/// A database that is away is told by whoever asks it most.
fn tell(fault: &Fault) {
    match fault {
        Fault::Store(error) if error.is_retryable() || error.lacks_schema() => {}
        Fault::NotStored(_) => warn!(%fault, "the health of endpoints is told later"),
        fault => error!(%fault, "the health of endpoints cannot be looked after"),
    }
}

async fn look(app: &App) -> Result<(), Fault> {
    if let Some(after) = app.settings().disable_after {
        disable(app, after).await?;
    }
    publish(app).await
}

async fn disable(app: &App, after: Duration) -> Result<(), Fault> {
    for (company, endpoint) in app.background_store().ailing(after).await? {
        let Some(disabled) = app
            .background_store()
            .disable_ailing(&company, &endpoint, after)
            .await?
        else {
            continue;
        };
        meters::endpoint_disabled(disabled.reason.as_str());
        warn!(
            company = %disabled.company,
            endpoint = %disabled.endpoint,
            reason = %disabled.reason,
            "an endpoint is disabled; what it would get goes to the failed ones, until somebody resumes it"
        );
    }
    Ok(())
}

/// Publishes what waits for it, the oldest first.
async fn publish(app: &App) -> Result<(), Fault> {
    for waiting in app.background_store().operational_events(EVENTS_AT_ONCE).await? {
        let id = waiting.id.clone();
        let published = app
            .publishing()
            .event(&event(waiting)?, Instant::now() + PUBLISH_WITHIN)
            .await;
        published.map_err(Fault::NotStored)?;
        app.background_store().remove_operational_event(&id).await?;
    }
    Ok(())
}

fn event(waiting: OperationalEvent) -> Result<Event, InvalidData> {
    Ok(Event {
        id: waiting.id,
        company: waiting.company,
        event_type: waiting.event_type,
        created_at: CreatedAt::parse(&waiting.created_at.to_string()).unwrap_or_else(CreatedAt::now),
        data: Data::new(waiting.data.into_bytes())?,
        trace: TraceContext::default(),
    })
}
