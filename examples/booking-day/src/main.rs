//! A small booking day, so that a dashboard has something to show: companies with receivers that are well, slow, limited or
//! broken, and bookings that are made, moved and cancelled.
//!
//! It registers the companies' endpoints with the console (`HOOKLINE_API_URL`, `HOOKLINE_API_TOKEN_FILE`), plays their
//! receivers on 127.0.0.1, and publishes through the broker (`HOOKLINE_AMQP_URL`) as a booking service does. It listens on
//! `HOOKLINE_HTTP_ADDR`, and answers `/readyz` when all is registered. Ends with Ctrl-C or SIGTERM.

mod companies; // who there is, and how their receivers behave
mod receivers; // these receivers
mod registering; // their endpoints, with the console
mod bookings; // what happens, one thing after the other

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hookline_producer::{Producer, Settings};
use tokio::net::TcpListener;
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let address = variable("HOOKLINE_HTTP_ADDR")?;
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address} (HOOKLINE_HTTP_ADDR): {error}"))?;
    let port = listener.local_addr()?.port();
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let is_ready = Arc::new(AtomicBool::new(false));
    select! {
        served = receivers::serve(listener, Arc::clone(&is_ready)) => served,
        played = play(port, &is_ready) => played,
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
    }
}

/// The day itself, which has no end.
async fn play(port: u16, is_ready: &AtomicBool) -> Result<()> {
    let token = std::fs::read_to_string(variable("HOOKLINE_API_TOKEN_FILE")?)?;
    registering::register_all(&variable("HOOKLINE_API_URL")?, token.trim(), port).await?;
    let producer = Producer::connect(Settings::from_env()?).await?;
    is_ready.store(true, std::sync::atomic::Ordering::Relaxed);
    bookings::go_on(&producer).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the settings of an example are no settings of the product"
)]
fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| format!("{name} is not set: `DEMO=1 make up` does that").into())
}
