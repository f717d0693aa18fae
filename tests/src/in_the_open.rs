//! No secret in the open: where the secret of a world's endpoints is looked for, when it comes to rest.

use std::sync::Arc;

use hookline_common::topology::Queue;
use lapin::types::AMQPValue;
use serde_json::Value;
use tokio::time::timeout;

use crate::broker::Stored;
use crate::dispatcher::Dispatcher;
use crate::endpoint::SECRET;
use crate::eventually::SOON;
use crate::world::World;

/// Of many messages in a queue so many are looked at: whatever copies a secret does so each time.
const LOOKED_AT: usize = 20;

/// What makes it a secret, however it is written.
fn secret() -> &'static str {
    SECRET.trim_start_matches("whsec_")
}

/// No program has written it, whatever happened to it.
pub(crate) fn is_in_no_log(dispatchers: &[Arc<Dispatcher>]) {
    for dispatcher in dispatchers {
        let log = dispatcher.log();
        assert!(
            !log.contains(secret()),
            "{} has written a secret: {log}",
            dispatcher.name()
        );
    }
}

/// None that still answers shows it among its metrics.
pub(crate) async fn is_in_no_metric(dispatchers: &[Arc<Dispatcher>]) {
    for dispatcher in dispatchers {
        if let Ok(Ok(page)) = timeout(SOON, dispatcher.get("/metrics")).await {
            let name = dispatcher.name();
            assert!(
                !page.body.contains(secret()),
                "{name} shows a secret: {}",
                page.body
            );
        }
    }
}

/// No message that was set aside for people carries it.
pub(crate) async fn is_in_no_message(world: &World) {
    for queue in [Queue::Failed, Queue::Rejected].map(|queue| world.queue(queue)) {
        // What stands there may be no queue: getting from a stream ends the connection.
        if world.broker().ready(&queue).await.is_none_or(|ready| ready == 0) {
            continue;
        }
        for message in world.broker().some(&queue, LOOKED_AT).await {
            assert!(!carries(&message), "a secret lies in {queue}: {message:?}");
        }
    }
}

/// No record says it.
pub(crate) fn is_in_no_record(records: &[Value]) {
    for record in records {
        assert!(!record.to_string().contains(secret()), "a secret: {record}");
    }
}

fn carries(message: &Stored) -> bool {
    holds(&message.body) || message.headers.values().any(is_in)
}

fn holds(bytes: &[u8]) -> bool {
    let secret = secret().as_bytes();
    bytes.windows(secret.len()).any(|window| window == secret)
}

fn is_in(value: &AMQPValue) -> bool {
    match value {
        AMQPValue::LongString(text) => holds(text.as_bytes()),
        AMQPValue::FieldArray(values) => values.as_slice().iter().any(is_in),
        AMQPValue::FieldTable(table) => table.inner().values().any(is_in),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;
    use lapin::types::{FieldArray, FieldTable};

    use super::*;

    fn message(header: AMQPValue, body: &str) -> Stored {
        Stored {
            properties: BasicProperties::default(),
            headers: [("note".to_owned(), header)].into(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_secret_is_found_in_a_body_in_a_header_and_deep_within_one() {
        let text = |text: &str| AMQPValue::LongString(text.into());
        let told = text(&format!("signed with {SECRET}, it says"));
        let mut table = FieldTable::default();
        table.insert("inner".into(), told.clone());
        let list = FieldArray::from(vec![AMQPValue::FieldTable(table)]);
        assert!(carries(&message(text("nothing"), secret())));
        assert!(carries(&message(told, "{}")));
        assert!(carries(&message(AMQPValue::FieldArray(list), "{}")));
        assert!(!carries(&message(text("whsec_"), "{}")));
        assert!(!carries(&message(AMQPValue::LongInt(1), "")));
    }
}
