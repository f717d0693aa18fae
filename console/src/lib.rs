//! The console: the API through which endpoints are registered and looked after, and events published. Read downwards, the modules follow a
//! request: in through a bounded connection, past the limits and whoever may ask, to the resource and its answer.

mod public_url; // where people see it
pub mod settings; // what an operator can set
mod publishing; // events, to the broker
mod guess_limits; // how many sessions and links that are nobody's are looked up
mod followed_attempts; // and what becomes of test events
mod queues; // which queues the broker has
mod queue_depths; // how deep they are
mod known_tokens; // who asked a moment ago
mod database_shares; // who may have how much of the database at once
mod feed_places; // how many answers of the feed are on their way at once
mod certificate_places; // how many certificates are played at once
mod certifying; // how endpoints do when a booking's life is played against them
mod app; // what every handler needs
mod server; // connections in, within bounds
mod giving_way; // and which of them goes where there is no room
mod unread_answers; // or where nobody reads what it is answered
mod peer; // who is at the other end of one
mod limits; // how much, how deep, how often
mod problem; // what went wrong, as RFC 9457 has it
mod auth; // who asks, and what they may
mod extract; // what they ask: body, query, path
mod meters; // what is counted
mod sign_in_limits; // how often somebody may try to sign in
mod sign_in_links; // by which one signs in once
pub mod api; // the resources, one a file
pub mod pages; // the dashboard: the same for people
mod router; // both together
mod error; // why it cannot run
mod filing; // dead letters, from their queue into the database
mod retrying; // and back to the broker, where somebody asks for it
mod sendings; // which is noted, whoever hangs up or stops in the middle of it
mod recorder; // attempts, from the stream into the log
mod retention; // and out of it when they are too old
mod health_watch; // what becomes of endpoints that only fail, or are gone
mod queue_age; // how long the oldest message of a queue has stood there, at most
mod queue_watch; // what stands in the queues, for the metrics
mod leader; // which of several consoles does that
mod schema; // the database's schema, at the start and ever after

use std::sync::Arc;

use hookline_common::shutdown::Shutdown;
use hookline_common::telemetry::Telemetry;
use hookline_store::{Resealed, SchemaError, Store, StoreError, StoreSettings};
use tokio::net::TcpListener;
use tracing::info;

use crate::app::App;
pub use crate::error::RunError;
pub use crate::public_url::{PublicUrl, guessed as guessed_address};
use crate::settings::Settings;

/// Serves until shutdown, then lets requests in flight finish. The caller owns the port and decides when to stop.
///
/// # Errors
/// [`RunError`] when only a person can mend what is wrong with the database.
pub async fn run(
    settings: Settings,
    telemetry: Telemetry,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    if let Ok(address) = listener.local_addr() {
        info!(%address, "serving the API");
    }
    let migrates = settings.migrate_on_start;
    let app = App::new(
        settings,
        Arc::new(telemetry),
        shutdown.clone(),
        api::description(),
    );
    meters::start(&app);
    recorder::observe();
    queue_watch::observe();
    let serving = tokio::spawn(server::serve(
        listener,
        router::router(app.clone()),
        shutdown.clone(),
    ));
    // Without the database, too: it is then that somebody needs to know what waits.
    let watching = tokio::spawn(queue_watch::run(app.clone()));
    let ended = tokio::select! {
        prepared = schema::prepare(&app, migrates) => prepared,
        () = shutdown.requested() => Ok(()),
    };
    if ended.is_ok() {
        tokio::select! {
            () = schema::watch(&app, migrates) => {}
            () = leader::run(app.clone()) => {}
        }
        if let Err(error) = serving.await {
            tracing::error!(%error, "the server ended badly");
        }
        app.sendings().end().await;
    } else {
        serving.abort();
    }
    watching.abort();
    app.publishing().close().await;
    app.store().close().await;
    app.background_store().close().await;
    app.telemetry().flush().await;
    ended
}

/// Brings the schema up to date and ends.
///
/// # Errors
/// [`SchemaError`].
pub async fn migrate(settings: StoreSettings) -> Result<(), SchemaError> {
    Store::new(settings).migrate().await
}

/// The path of a link that signs the operator in, once and within a quarter of an hour.
///
/// # Errors
/// [`StoreError`].
pub async fn sign_in_path(settings: StoreSettings) -> Result<String, StoreError> {
    let store = Store::new(settings);
    sign_in_links::for_operator(&store).await
}

/// Seals everything under the newest key and ends.
///
/// # Errors
/// [`StoreError`]; what was done before is kept.
pub async fn reseal(settings: StoreSettings) -> Result<Resealed, StoreError> {
    Store::new(settings).reseal().await
}
