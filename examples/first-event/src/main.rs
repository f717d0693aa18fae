//! The least that a booking service needs to tell Hookline what happened.

use hookline_producer::{Event, Producer, Settings};
use serde::Serialize;

#[derive(Serialize)]
struct Booking {
    id: &'static str,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let booking = Booking { id: "bkg_1" };

    let producer = Producer::connect(Settings::from_env()?).await?;
    let event = Event::with_json("acme", "booking.created", &booking)?;
    let receipt = producer.publish(&event).await?; // Ok: the broker has confirmed and routed it

    println!("published {}", receipt.event);
    Ok(())
}
