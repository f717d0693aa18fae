//! Who sent a rejected message, and how, in words: so that a person can find the program that is to be mended. Pure.

use hookline_common::message::{Message, read_sender};

/// Names, as AMQP has them, and values of what is known, in the order in which they are shown.
pub(super) fn facts(message: &Message) -> Vec<(&'static str, String)> {
    let sender = read_sender(message);
    let properties = sender.properties.unwrap_or_default();
    let number = |number: u8| number.to_string();
    let is_said = |text: &String| !text.is_empty();
    let facts = [
        ("exchange", Some(sender.exchange).filter(is_said)),
        ("routing_key", Some(sender.routing_key).filter(is_said)),
        ("app_id", properties.app_id),
        ("user_id", properties.user_id),
        ("correlation_id", properties.correlation_id),
        ("reply_to", properties.reply_to),
        ("cluster_id", properties.cluster_id),
        ("expiration", properties.expiration),
        ("priority", properties.priority.map(number)),
        ("delivery_mode", properties.delivery_mode.map(number)),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
}
