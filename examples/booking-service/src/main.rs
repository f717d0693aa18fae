//! A booking service in miniature: bookings are made, moved and cancelled over HTTP, kept in PostgreSQL, and told to Hookline by
//! way of an outbox, so that no booking is without its event, and no event without its booking.
//!
//! ```sh
//! export BOOKINGS_DATABASE_URL=postgres://…   # HOOKLINE_AMQP_URL and HOOKLINE_NAMESPACE say where events go
//! cargo run -p booking-service &
//! curl -d '{"eventTypeId":"et_intro","startsAt":"2031-05-14T09:00:00Z","endsAt":"2031-05-14T09:30:00Z",
//!           "attendee":"zoe@example.org","host":"usr_lena"}' localhost:3000/companies/acme/bookings
//! curl -d '{"by":"attendee","startsAt":"2031-05-15T14:00:00Z","endsAt":"2031-05-15T14:30:00Z"}' \
//!      localhost:3000/companies/acme/bookings/bkg_…/reschedule
//! curl -d '{"by":"host","reason":"Ill today"}' localhost:3000/companies/acme/bookings/bkg_…/cancel
//! ```

mod bookings; // what is kept, and the event of each change
mod refusal; // what is answered to what cannot be done
mod routes; // how it is asked for

use std::error::Error;

use hookline_producer::outbox::sqlx::PgPool;
use hookline_producer::outbox::{self, Relay, RelaySettings};
use hookline_producer::{Producer, Settings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::bookings::Bookings;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let url = variable("BOOKINGS_DATABASE_URL").ok_or("BOOKINGS_DATABASE_URL is not set: postgres://…")?;
    let address = variable("BOOKINGS_ADDR").unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let mut terminated = signal(SignalKind::terminate())?;

    let pool = PgPool::connect(&url).await?;
    outbox::migrate(&pool).await?;
    let bookings = Bookings::open(pool.clone()).await?;

    // It starts and takes bookings while the broker is away: their events wait in the outbox.
    let producer = Producer::start(Settings::from_env()?.with_connection_name("booking-service"));
    let (stop, stopped) = watch::channel(());
    let relay = Relay::new(&pool, producer, RelaySettings::default());
    let relaying = tokio::spawn(relay.run(until_dropped(stopped.clone())));

    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address} (BOOKINGS_ADDR): {error}"))?;
    say(&format!("taking bookings on http://{}", listener.local_addr()?));
    let serving =
        axum::serve(listener, routes::routes(bookings)).with_graceful_shutdown(until_dropped(stopped));
    let serving = tokio::spawn(serving.into_future());

    tokio::select! {
        _ = terminated.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    // Requests are answered before the relay stops only by chance: what it does not publish, the next start does.
    drop(stop);
    serving.await??;
    relaying.await?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "its log is its standard error")]
fn say(words: &str) {
    eprintln!("{words}");
}

async fn until_dropped(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}

#[expect(
    clippy::disallowed_methods,
    reason = "the settings of an example are no settings of the product"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
