//! A stream full of attempts, as dispatchers leave it.

use std::collections::VecDeque;

use hookline_common::ids::EventId;
use hookline_common::record::Batch;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use serde_json::json;

use crate::amqp::{connect, short};
use crate::error::{Context as _, Fault, Result};

/// Records of a batch: what a dispatcher gathers in 3 ms at some thousand deliveries a second is less, and one that is
/// behind sends as many as it may.
const IN_A_BATCH: u32 = 100;
/// Companies that the attempts are of.
const COMPANIES: u32 = 500;
/// Bytes of each event's data.
const DATA: usize = 1024;
/// Batches under way at once.
const WINDOW: usize = 64;

/// Fills the stream of `namespace` with first attempts, of which one in fifty failed.
///
/// # Errors
/// The broker does not take them.
pub(crate) async fn fill(amqp_url: &str, namespace: &str, count: u32) -> Result<()> {
    let (_connection, channel) = connect(amqp_url, "hookline-bench records").await?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    confirms.await.context("switching to confirms")?;
    let stream = format!("{namespace}.attempts");
    let mut under_way = VecDeque::new();
    let mut number = 0;
    while number < count {
        let mut batch = Batch::default();
        for _ in 0..IN_A_BATCH.min(count - number) {
            let line = line(number).into_bytes();
            batch.push(line).map_err(|_| Fault::new("a batch is full"))?;
            number += 1;
        }
        let body = batch.to_message().context("a batch")?.body;
        under_way.push_back(publish(&channel, &stream, &body).await?);
        if under_way.len() >= WINDOW {
            confirmed(under_way.pop_front()).await?;
        }
    }
    for confirm in under_way {
        confirmed(Some(confirm)).await?;
    }
    Ok(())
}

fn line(number: u32) -> String {
    let now = now();
    let id = EventId::new();
    let event = EventId::new();
    let has_failed = number.is_multiple_of(50);
    let company = number % COMPANIES;
    // Text that compresses about as well as bookings do.
    let filling: String = (0..DATA / 16)
        .map(|place| {
            format!(
                "{:016x}",
                u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ place as u64)
            )
        })
        .collect();
    json!({
        "id": id.as_str().trim_start_matches("evt_"), "event": event.as_str(), "type": "booking.created",
        "company": format!("company-{company}"), "endpoint": format!("ep_{company}"),
        "url": format!("https://customer-{company}.example.com/webhooks/bookings"), "origin": "event", "attempt": 1,
        "started_at": now, "duration_ms": 12,
        "outcome": if has_failed { "http_status" } else { "delivered" }, "status": if has_failed { 500 } else { 200 },
        "final": !has_failed, "response": "{\"ok\":true}",
        "request_headers": {
            "content-type": "application/json", "user-agent": "Hookline/0.1.0", "webhook-id": event.as_str(),
            "webhook-timestamp": "1764300000", "webhook-attempt": "1"
        },
        "response_headers": {
            "content-type": "application/json", "content-length": "11", "date": "Fri, 28 Nov 2025 03:20:00 GMT",
            "server": "nginx", "connection": "keep-alive"
        },
        "created_at": now, "data": format!("{{\"text\":\"{filling}\"}}")
    })
    .to_string()
}

/// The current time as records have it.
fn now() -> String {
    hookline_common::event::CreatedAt::now().to_millis_text()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the generator plays a dispatcher; it waits for every confirm itself"
)]
async fn publish(channel: &Channel, stream: &str, body: &[u8]) -> Result<lapin::PublisherConfirm> {
    let properties = BasicProperties::default()
        .with_content_type(short("application/x-ndjson"))
        .with_content_encoding(short("zstd"));
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish(short(""), short(stream), options, body, properties);
    published.await.context("publishing a batch")
}

async fn confirmed(confirm: Option<lapin::PublisherConfirm>) -> Result<()> {
    let Some(confirm) = confirm else { return Ok(()) };
    match confirm.await.context("a confirm")? {
        Confirmation::Ack(None) => Ok(()),
        other => Err(Fault::new(format!("a batch was not taken: {other:?}"))),
    }
}
