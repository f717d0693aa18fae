//! A message on its way to and from the client library's types.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, ShortString};

use crate::headers::{HeaderValue, Headers};
use crate::message::{Message, Sender, SenderProperties};

/// The `delivery_mode` of messages that are kept on disk.
const PERSISTENT: u8 = 2;

/// What a consumer received. Where it was published to stands beside the properties, and is not known here.
pub(super) fn from_broker(properties: &BasicProperties, body: Vec<u8>) -> Message {
    let text = |field: &Option<ShortString>| field.as_ref().map(|text| text.as_str().to_owned());
    Message {
        content_type: text(properties.content_type()),
        content_encoding: text(properties.content_encoding()),
        message_id: text(properties.message_id()),
        message_type: text(properties.kind()),
        timestamp: *properties.timestamp(),
        headers: properties
            .headers()
            .as_ref()
            .map(read_headers)
            .unwrap_or_default(),
        sender: Sender {
            properties: read_sender(properties),
            ..Sender::default()
        },
        body: Bytes::from(body),
    }
}

/// Most messages have none of these.
fn read_sender(properties: &BasicProperties) -> Option<Box<SenderProperties>> {
    let text = |field: &Option<ShortString>| field.as_ref().map(|text| text.as_str().to_owned());
    let sender = SenderProperties {
        app_id: text(properties.app_id()),
        user_id: text(properties.user_id()),
        correlation_id: text(properties.correlation_id()),
        reply_to: text(properties.reply_to()),
        cluster_id: text(properties.cluster_id()),
        expiration: text(properties.expiration()),
        priority: properties.priority().filter(|priority| *priority > 0),
        delivery_mode: properties.delivery_mode().filter(|mode| *mode != PERSISTENT),
    };
    (sender != SenderProperties::default()).then(|| Box::new(sender))
}

/// The properties to publish with: persistent always. Of what its sender said, `user_id` and `expiration` never go along:
/// they would refuse or expire the message.
pub(super) fn to_properties(message: &Message) -> BasicProperties {
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    if let Some(text) = short(message.content_type.as_deref()) {
        properties = properties.with_content_type(text);
    }
    if let Some(text) = short(message.content_encoding.as_deref()) {
        properties = properties.with_content_encoding(text);
    }
    if let Some(text) = short(message.message_id.as_deref()) {
        properties = properties.with_message_id(text);
    }
    if let Some(text) = short(message.message_type.as_deref()) {
        properties = properties.with_type(text);
    }
    if let Some(seconds) = message.timestamp {
        properties = properties.with_timestamp(seconds);
    }
    if !message.headers.is_empty() {
        properties = properties.with_headers(write_table(message.headers.iter()));
    }
    match &message.sender.properties {
        Some(sender) => with_sender(properties, sender),
        None => properties,
    }
}

fn with_sender(mut properties: BasicProperties, sender: &SenderProperties) -> BasicProperties {
    if let Some(text) = short(sender.app_id.as_deref()) {
        properties = properties.with_app_id(text);
    }
    if let Some(text) = short(sender.correlation_id.as_deref()) {
        properties = properties.with_correlation_id(text);
    }
    if let Some(text) = short(sender.reply_to.as_deref()) {
        properties = properties.with_reply_to(text);
    }
    if let Some(text) = short(sender.cluster_id.as_deref()) {
        properties = properties.with_cluster_id(text);
    }
    if let Some(priority) = sender.priority {
        properties = properties.with_priority(priority);
    }
    properties
}

/// About how many bytes a message takes in the library's hands and on the wire: what it carries, and as much again as its
/// frames, properties and bookkeeping take.
pub(super) fn size(message: &Message) -> usize {
    const OVERHEAD: usize = 512;
    OVERHEAD + message.headers.size() + message.body.len()
}

/// AMQP short strings hold at most 255 bytes; what came from the broker always fits.
fn short(text: Option<&str>) -> Option<ShortString> {
    text.and_then(|text| ShortString::try_new(text).ok())
}

fn read_headers(table: &FieldTable) -> Headers {
    table
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), read_value(value)))
        .collect()
}

fn read_value(value: &AMQPValue) -> HeaderValue {
    match value {
        AMQPValue::Boolean(value) => HeaderValue::Boolean(*value),
        AMQPValue::ShortShortInt(number) => HeaderValue::I8(*number),
        AMQPValue::ShortShortUInt(number) => HeaderValue::U8(*number),
        AMQPValue::ShortInt(number) => HeaderValue::I16(*number),
        AMQPValue::ShortUInt(number) => HeaderValue::U16(*number),
        AMQPValue::LongInt(number) => HeaderValue::I32(*number),
        AMQPValue::LongUInt(number) => HeaderValue::U32(*number),
        AMQPValue::LongLongInt(number) => HeaderValue::I64(*number),
        AMQPValue::Float(number) => HeaderValue::F32(*number),
        AMQPValue::Double(number) => HeaderValue::F64(*number),
        AMQPValue::DecimalValue(DecimalValue { scale, value }) => HeaderValue::Decimal {
            scale: *scale,
            value: *value,
        },
        AMQPValue::ShortString(text) => HeaderValue::ShortText(text.as_str().to_owned()),
        AMQPValue::LongString(text) => HeaderValue::Text(text.as_bytes().to_vec()),
        AMQPValue::FieldArray(values) => {
            HeaderValue::Array(values.as_slice().iter().map(read_value).collect())
        }
        AMQPValue::Timestamp(seconds) => HeaderValue::Timestamp(*seconds),
        AMQPValue::FieldTable(table) => HeaderValue::Table(
            table
                .into_iter()
                .map(|(name, value)| (name.as_str().to_owned(), read_value(value)))
                .collect(),
        ),
        AMQPValue::ByteArray(bytes) => HeaderValue::Bytes(bytes.as_slice().to_vec()),
        AMQPValue::Void => HeaderValue::Void,
    }
}

/// A name longer than AMQP allows cannot come from the broker and is none of ours.
fn write_table<'a>(entries: impl Iterator<Item = (&'a str, &'a HeaderValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        if let Ok(name) = ShortString::try_new(name) {
            table.insert(name, write_value(value));
        }
    }
    table
}

fn write_value(value: &HeaderValue) -> AMQPValue {
    match value {
        HeaderValue::Boolean(value) => AMQPValue::Boolean(*value),
        HeaderValue::I8(number) => AMQPValue::ShortShortInt(*number),
        HeaderValue::U8(number) => AMQPValue::ShortShortUInt(*number),
        HeaderValue::I16(number) => AMQPValue::ShortInt(*number),
        HeaderValue::U16(number) => AMQPValue::ShortUInt(*number),
        HeaderValue::I32(number) => AMQPValue::LongInt(*number),
        HeaderValue::U32(number) => AMQPValue::LongUInt(*number),
        HeaderValue::I64(number) => AMQPValue::LongLongInt(*number),
        HeaderValue::F32(number) => AMQPValue::Float(*number),
        HeaderValue::F64(number) => AMQPValue::Double(*number),
        HeaderValue::Decimal { scale, value } => AMQPValue::DecimalValue(DecimalValue {
            scale: *scale,
            value: *value,
        }),
        HeaderValue::ShortText(text) => ShortString::try_new(text.as_str()).map_or_else(
            |_| AMQPValue::LongString(text.as_str().into()),
            AMQPValue::ShortString,
        ),
        HeaderValue::Text(bytes) => AMQPValue::LongString(bytes.clone().into()),
        HeaderValue::Array(values) => AMQPValue::FieldArray(FieldArray::from(
            values.iter().map(write_value).collect::<Vec<_>>(),
        )),
        HeaderValue::Timestamp(seconds) => AMQPValue::Timestamp(*seconds),
        HeaderValue::Table(entries) => AMQPValue::FieldTable(write_table(
            entries.iter().map(|(name, value)| (name.as_str(), value)),
        )),
        HeaderValue::Bytes(bytes) => AMQPValue::ByteArray(bytes.as_slice().into()),
        HeaderValue::Void => AMQPValue::Void,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_message_survives_the_way_out_and_back_with_the_type_of_every_header() {
        let mut message = Message {
            content_type: Some("application/json".into()),
            content_encoding: Some("zstd".into()),
            message_id: Some("evt_1".into()),
            message_type: Some("booking.created".into()),
            timestamp: Some(1_700_000_000),
            sender: Sender {
                properties: Some(Box::new(SenderProperties {
                    app_id: Some("shop".into()),
                    correlation_id: Some("c1".into()),
                    reply_to: Some("answers".into()),
                    cluster_id: Some("east".into()),
                    priority: Some(7),
                    ..SenderProperties::default()
                })),
                ..Sender::default()
            },
            body: Bytes::from_static(b"{}"),
            headers: [
                ("a", HeaderValue::Boolean(true)),
                ("b", HeaderValue::I8(-1)),
                ("c", HeaderValue::U8(1)),
                ("d", HeaderValue::I16(-1)),
                ("e", HeaderValue::U16(1)),
                ("f", HeaderValue::I32(-1)),
                ("g", HeaderValue::U32(1)),
                ("h", HeaderValue::F32(1.5)),
                ("i", HeaderValue::F64(1.5)),
                ("j", HeaderValue::Decimal { scale: 2, value: 314 }),
                ("k", HeaderValue::ShortText("short".into())),
                (
                    "l",
                    HeaderValue::Array(vec![HeaderValue::Void, HeaderValue::I64(1)]),
                ),
                ("m", HeaderValue::Timestamp(1_700_000_000)),
                (
                    "n",
                    HeaderValue::Table(vec![("inner".into(), HeaderValue::Text(vec![0xff]))]),
                ),
                ("o", HeaderValue::Bytes(vec![0, 1])),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
        };
        message.headers.set_text("p", "acme");
        message.headers.set_integer("q", 3);
        let properties = to_properties(&message);
        // What limits are kept by is what goes over the wire, but for the four bytes that tell the table's length.
        let table = properties.headers().clone().unwrap_or_default();
        let written = lapin::types::generation::gen_field_table(&table)(Vec::new().into());
        let written: Vec<u8> = written.unwrap().into_inner().0;
        assert_eq!(message.headers.size() + 4, written.len());
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(from_broker(&properties, b"{}".to_vec()), message);
    }
    #[test]
    fn what_would_refuse_or_expire_a_message_is_read_and_not_published() {
        let properties = BasicProperties::default()
            .with_user_id("shop".into())
            .with_expiration("1".into())
            .with_delivery_mode(1);
        let message = from_broker(&properties, Vec::new());
        let sender = message.sender.properties.clone();
        let sender = sender.map(|sender| (sender.user_id, sender.expiration, sender.delivery_mode));
        assert_eq!(sender, Some((Some("shop".into()), Some("1".into()), Some(1))));
        let again = to_properties(&message);
        assert_eq!(
            (again.user_id(), again.expiration(), again.delivery_mode()),
            (&None, &None, &Some(2))
        );
        // What says no more than a message of ours does takes no room.
        let plain = BasicProperties::default().with_priority(0).with_delivery_mode(2);
        assert_eq!(from_broker(&plain, Vec::new()), Message::default());
    }
}
