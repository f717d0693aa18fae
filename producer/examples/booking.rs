//! A booking service that tells Hookline what happened.
//!
//! `cargo run --example booking` publishes one `booking.created` for company `acme`, to
//! the broker of `HOOKLINE_AMQP_URL` in the namespace `HOOKLINE_NAMESPACE`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to its reader"
)]

use std::error::Error;
use std::process::ExitCode;

use hookline_producer::{Event, Producer, PublishError, Receipt, Settings};
use serde::Serialize;

/// What receivers find in `data`.
#[derive(Serialize)]
struct BookingCreated {
    booking: Booking,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Booking {
    id: String,
    event_type_id: String,
    status: &'static str,
    starts_at: String,
    ends_at: String,
    attendee: Attendee,
    host: Host,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attendee {
    email: String,
    first_name: String,
    last_name: String,
    timezone: String,
}

#[derive(Serialize)]
struct Host {
    id: String,
    email: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?.with_connection_name("booking-service");
    let producer = Producer::connect(settings).await?;

    let event = Event::with_json(
        "acme",
        "booking.created",
        &BookingCreated { booking: a_booking() },
    )?;
    let receipt = publish_stubbornly(&producer, &event).await?;
    println!("published booking.created as {}", receipt.event);
    Ok(())
}

/// Tries three times. It is the same `Event`, and so the same id, each time: should the broker have stored an
/// earlier try after all, receivers see a duplicate that they recognise, and never a second booking.
async fn publish_stubbornly(producer: &Producer, event: &Event) -> Result<Receipt, PublishError> {
    for _ in 0..2 {
        match producer.publish(event).await {
            Ok(receipt) => return Ok(receipt),
            Err(error) => eprintln!("{error}"),
        }
    }
    producer.publish(event).await
}

fn a_booking() -> Booking {
    Booking {
        id: "bkg_7f3a91".into(),
        event_type_id: "evtype_intro".into(),
        status: "confirmed",
        starts_at: "2030-05-06T09:00:00Z".into(),
        ends_at: "2030-05-06T09:30:00Z".into(),
        attendee: Attendee {
            email: "ada@example.com".into(),
            first_name: "Ada".into(),
            last_name: "Lovelace".into(),
            timezone: "Europe/London".into(),
        },
        host: Host {
            id: "usr_12".into(),
            email: "host@example.com".into(),
        },
    }
}
