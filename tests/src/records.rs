//! The attempts stream, read from its beginning by a reader of the test's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_common::topology::Queue;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::eventually::eventually;
use crate::services::services;
use crate::world::World;

/// Follows the stream of a world.
pub struct Records {
    seen: Arc<Mutex<Vec<Value>>>,
    following: JoinHandle<()>,
}

impl Records {
    /// Starts to read at the first record. The stream must be there.
    ///
    /// # Panics
    /// When it is not.
    pub async fn of(world: &World) -> Self {
        Self::at(&services().amqp_url, world).await
    }

    /// The same on another broker than the shared one.
    ///
    /// # Panics
    /// When the stream is not there.
    pub async fn at(amqp_url: &str, world: &World) -> Self {
        // A stream's consumer wants a connection of its own: what goes wrong with it closes the whole connection.
        let properties =
            ConnectionProperties::default().with_connection_name("hookline-tests records".into());
        let connection = Connection::connect(amqp_url, properties)
            .await
            .expect("the broker answers");
        let channel = connection.create_channel().await.expect("a channel");
        channel
            .basic_qos(100, BasicQosOptions::default())
            .await
            .expect("a prefetch");
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
        let queue = world.queue(Queue::Attempts);
        let mut consumer = channel
            .basic_consume(
                queue.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                arguments,
            )
            .await
            .expect("the stream is there");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let following = tokio::spawn(async move {
            let _connection = connection;
            while let Some(Ok(delivery)) = consumer.next().await {
                let properties = &delivery.properties;
                let is = |field: &Option<lapin::types::ShortString>, text: &str| {
                    field.as_ref().is_some_and(|field| field.as_str() == text)
                };
                assert!(
                    is(properties.content_type(), "application/x-ndjson"),
                    "{properties:?}"
                );
                assert!(is(properties.content_encoding(), "zstd"), "{properties:?}");
                log.lock().unwrap().extend(decode(&delivery.data));
                delivery
                    .ack(BasicAckOptions::default())
                    .await
                    .expect("acknowledged");
            }
        });
        Self { seen, following }
    }

    /// All records so far.
    ///
    /// # Panics
    /// When the reader met something that is no batch.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }

    /// Each record once, by its id: what was not confirmed in time may stand in the stream twice.
    ///
    /// # Panics
    /// When a record has no id, or two of one id differ.
    #[must_use]
    pub fn distinct(&self) -> Vec<Value> {
        let mut by_id = BTreeMap::new();
        for record in self.all() {
            let id = record["id"].as_str().expect("an id").to_owned();
            let before = by_id.insert(id, record.clone());
            assert!(before.is_none_or(|before| before == record), "{record}");
        }
        by_id.into_values().collect()
    }

    /// Waits for at least `count` records, and returns all.
    pub async fn expect(&self, count: usize, within: Duration) -> Vec<Value> {
        eventually(within, &format!("{count} records"), async || {
            assert!(!self.following.is_finished(), "the reader ended");
            let all = self.all();
            (all.len() >= count).then_some(all)
        })
        .await
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// How long after the end of its attempt a record says that the next one is due, if there is to be one.
///
/// # Panics
/// When it is no record.
#[must_use]
pub fn delay_of(record: &Value) -> Option<Duration> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
    let due = time(record["next_attempt_at"].as_str()?);
    let began = time(record["started_at"].as_str().expect("a time"));
    let took = record["duration_ms"].as_i64().expect("milliseconds");
    let delay_ms = due.duration_since(began).as_millis() - i128::from(took);
    // All three are cut off to milliseconds, delays are whole seconds.
    let seconds = u64::try_from((delay_ms + 2).div_euclid(1000)).expect("not before its end");
    assert!((delay_ms + 2).rem_euclid(1000) <= 4, "{record}");
    Some(Duration::from_secs(seconds))
}

/// Not by the product's own reader, so that both could not be wrong alike.
fn decode(batch: &[u8]) -> Vec<Value> {
    let text = zstd::bulk::decompress(batch, 2 * 1024 * 1024).expect("zstd");
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(text.ends_with('\n'), "every record ends its line");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect()
}
