//! A message on its way from one queue to another: everything that its publisher set, and nothing that would change its way.

use lapin::{Acker, BasicProperties};

use lapin::message::Delivery;
use lapin::types::FieldTable;

/// What the broker says of deliveries from the old queue, and what would send copies elsewhere.
const LEFT_BEHIND: [&str; 4] = ["x-delivery-count", "x-acquired-count", "CC", "BCC"];

/// A message that was received and is not known to be stored elsewhere.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
    pub(super) acker: Acker,
}

impl Carried {
    pub(super) fn of(delivery: Delivery) -> Self {
        Self {
            properties: to_publish_again(delivery.properties),
            body: delivery.data,
            acker: delivery.acker,
        }
    }
}

/// The broker refuses a message with somebody else's `user_id`, and would let one with an `expiration` end in a queue that
/// has nowhere to send it.
fn to_publish_again(properties: BasicProperties) -> BasicProperties {
    let mut again = BasicProperties::default();
    if let Some(value) = properties.content_type() {
        again = again.with_content_type(value.clone());
    }
    if let Some(value) = properties.content_encoding() {
        again = again.with_content_encoding(value.clone());
    }
    if let Some(value) = properties.headers() {
        again = again.with_headers(headers_to_publish_again(value));
    }
    if let Some(value) = properties.delivery_mode() {
        again = again.with_delivery_mode(*value);
    }
    if let Some(value) = properties.priority() {
        again = again.with_priority(*value);
    }
    if let Some(value) = properties.correlation_id() {
        again = again.with_correlation_id(value.clone());
    }
    if let Some(value) = properties.reply_to() {
        again = again.with_reply_to(value.clone());
    }
    if let Some(value) = properties.message_id() {
        again = again.with_message_id(value.clone());
    }
    if let Some(value) = properties.timestamp() {
        again = again.with_timestamp(*value);
    }
    if let Some(value) = properties.kind() {
        again = again.with_type(value.clone());
    }
    if let Some(value) = properties.app_id() {
        again = again.with_app_id(value.clone());
    }
    if let Some(value) = properties.cluster_id() {
        again = again.with_cluster_id(value.clone());
    }
    again
}

fn headers_to_publish_again(headers: &FieldTable) -> FieldTable {
    let mut again = FieldTable::default();
    for (name, value) in headers {
        if !LEFT_BEHIND.contains(&name.as_str()) {
            again.insert(name.clone(), value.clone());
        }
    }
    again
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lapin::types::AMQPValue;

    use super::*;

    #[test]
    fn everything_is_carried_but_what_would_change_its_way() {
        let mut headers = FieldTable::default();
        for name in ["company", "x-theirs", "x-death", "x-delivery-count", "CC", "BCC"] {
            headers.insert(name.into(), AMQPValue::LongString("v".into()));
        }
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_headers(headers)
            .with_delivery_mode(2)
            .with_priority(3)
            .with_correlation_id("c".into())
            .with_reply_to("r".into())
            .with_message_id("evt_1".into())
            .with_timestamp(7)
            .with_type("booking.created".into())
            .with_app_id("booking".into())
            .with_cluster_id("old".into());
        let expected = properties.clone();
        let again = to_publish_again(
            properties
                .with_expiration("1000".into())
                .with_user_id("somebody".into()),
        );
        let names: Vec<&str> = again
            .headers()
            .as_ref()
            .unwrap()
            .into_iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["company", "x-death", "x-theirs"]);
        let headers = again.headers().clone().unwrap();
        assert_eq!(again, expected.with_headers(headers));
    }
}
