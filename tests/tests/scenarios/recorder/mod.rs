//! The log in the console's database: each attempt once. What dies or hangs meanwhile is in the fault suite.

mod core; // what is recorded of what
mod odd; // what nobody should have sent
mod streams; // streams that lose messages, or are made anew
mod leaders; // one of two consoles
mod days; // and what becomes too old

use std::time::Duration;

use hookline_common::ids::EventId;
use hookline_common::record::Batch;
use hookline_common::topology::Queue;
use hookline_tests::database::Database;
use hookline_tests::recorded::{recorded_once, texts};
use hookline_tests::{World, eventually};
use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::AMQPValue;
use serde_json::{Value, json};

/// Waits until a query says `wanted`.
async fn says(database: &Database, sql: &str, wanted: &[&str], within: Duration) {
    let what = format!("{wanted:?} from {sql}");
    eventually(within, &what, async || {
        (texts(database.url(), sql).await? == wanted).then_some(())
    })
    .await;
}

/// A stream of attempts that the scenario fills by hand, in place of a dispatcher.
struct Stream<'a> {
    world: &'a World,
    name: String,
}

impl<'a> Stream<'a> {
    /// Declares it, in files of so many bytes, two of which it holds.
    async fn of(world: &'a World, segment: i64) -> Self {
        let name = world.queue(Queue::Attempts);
        let arguments = [
            ("x-queue-type", AMQPValue::LongString("stream".into())),
            ("x-stream-max-segment-size-bytes", AMQPValue::LongLongInt(segment)),
            ("x-max-length-bytes", AMQPValue::LongLongInt(2 * segment)),
        ];
        world.broker().declare(&name, &arguments).await;
        Self { world, name }
    }

    async fn delete(self) {
        self.world.broker().delete(&[self.name], &[]).await;
    }

    async fn publish(&self, body: &[u8]) {
        let properties = BasicProperties::default();
        self.world
            .broker()
            .publish("", &self.name, properties, body)
            .await;
    }

    /// One batch with these records.
    async fn batch(&self, records: &[Value]) {
        let mut batch = Batch::default();
        for record in records {
            batch.push(record.to_string().into_bytes()).unwrap();
        }
        self.publish(&batch.to_message().unwrap().body).await;
    }
}

/// A record of an event's first attempt, which was delivered now, with these members instead.
fn record(event: &str, changes: &[(&str, Value)]) -> Value {
    let mut record = json!({
        "id": EventId::new().as_str().trim_start_matches("evt_"), "event": event, "type": "booking.created",
        "company": "acme", "endpoint": "ep_crm", "url": "https://crm.example.com/hooks", "origin": "event", "attempt": 1,
        "started_at": Timestamp::now().to_string(), "duration_ms": 1, "outcome": "delivered", "status": 200, "final": true,
        "request_headers": {}, "response_headers": {}, "data": "{}"
    });
    for (name, value) in changes {
        record[*name] = value.clone();
    }
    record
}
