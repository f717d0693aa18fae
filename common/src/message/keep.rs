//! What its sender said of a message, kept when it is set aside for people to look at: as it was, or under another name where
//! the broker would act on it.

use super::sender::Sender;
use super::{Message, header, limits};
use crate::headers::{HeaderValue, Headers};

/// A message on its way to where it is looked at, with those headers that are meant, and what had to be left out of those
/// that count.
pub(super) fn kept(
    message: &Message,
    is_meant: impl Fn(&str) -> bool,
    counts: impl Fn(&str) -> bool,
) -> (Message, Option<String>) {
    // Whoever publishes to an exchange cannot know what was set at a hop before.
    let is_first_hop = !message.sender.exchange.is_empty();
    let stays = |name: &str| {
        is_meant(name) && !header::is_count_of_broker(name) && !(is_first_hop && header::is_of_sender(name))
    };
    let headers = message.headers.iter().filter(|(name, _)| stays(name));
    let mut headers: Headers = headers
        .map(|(name, value)| (header::kept_as(name).to_owned(), value.clone()))
        .collect();
    let left_out = limits::fit(&mut headers, counts);
    let sender = keep_sender(&message.sender, &mut headers);
    let kept = Message {
        content_type: message.content_type.clone(),
        content_encoding: message.content_encoding.clone(),
        message_id: message.message_id.clone(),
        message_type: message.message_type.clone(),
        timestamp: message.timestamp,
        headers,
        sender,
        body: message.body.clone(),
    };
    (kept, left_out)
}

/// Moves into headers what its sender set and the broker would act on, and gives back what can be said again as it was.
fn keep_sender(sender: &Sender, headers: &mut Headers) -> Sender {
    let is_known = !(sender.exchange.is_empty() && sender.routing_key.is_empty());
    let was_kept_before = sender.exchange.is_empty() && headers.get(header::SENT_EXCHANGE).is_some();
    if is_known && !was_kept_before {
        headers.set_text(header::SENT_EXCHANGE, &sender.exchange);
        headers.set_text(header::SENT_ROUTING_KEY, &sender.routing_key);
    }
    let Some(properties) = &sender.properties else {
        return Sender::default();
    };
    let mut properties = properties.clone();
    // The broker answers by itself where this is written, or refuses the message.
    let reply_to = properties
        .reply_to
        .take_if(|reply_to| reply_to.starts_with("amq.rabbitmq."));
    for (name, text) in [
        // Another account than the one that publishes is refused.
        (header::SENT_USER_ID, properties.user_id.take()),
        (header::SENT_EXPIRATION, properties.expiration.take()),
        (header::SENT_REPLY_TO, reply_to),
    ] {
        if let Some(text) = text {
            headers.set_text(name, &text);
        }
    }
    // All that we publish is kept on disk.
    if let Some(mode) = properties.delivery_mode.take() {
        headers.set_integer(header::SENT_DELIVERY_MODE, i64::from(mode));
    }
    Sender {
        properties: Some(properties),
        ..Sender::default()
    }
}

/// Who sent a message of the `rejected` queue, as far as that was kept: what it was published with, and not what brought it
/// there.
#[must_use]
pub fn read_sender(message: &Message) -> Sender {
    let headers = &message.headers;
    let text = |name| headers.text(name).ok().flatten().map(str::to_owned);
    let mut properties = message.sender.properties.as_deref().cloned().unwrap_or_default();
    properties.user_id = text(header::SENT_USER_ID).or(properties.user_id);
    properties.reply_to = text(header::SENT_REPLY_TO).or(properties.reply_to);
    properties.expiration = text(header::SENT_EXPIRATION).or(properties.expiration);
    let mode = headers.integer(header::SENT_DELIVERY_MODE).ok().flatten();
    let mode = mode.and_then(|mode| u8::try_from(mode).ok());
    properties.delivery_mode = mode.or(properties.delivery_mode);
    let death = first_death(headers);
    Sender {
        exchange: text(header::SENT_EXCHANGE).or(death.0).unwrap_or_default(),
        routing_key: text(header::SENT_ROUTING_KEY).or(death.1).unwrap_or_default(),
        properties: Some(Box::new(properties)),
    }
}

/// The exchange and the routing key of a message that nobody but the broker set aside, as it wrote them down: of the first
/// death, which stands last.
fn first_death(headers: &Headers) -> (Option<String>, Option<String>) {
    let Some(HeaderValue::Array(deaths)) = headers.get("x-death") else {
        return (None, None);
    };
    let Some(HeaderValue::Table(death)) = deaths.last() else {
        return (None, None);
    };
    let member = |wanted: &str| {
        death
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    };
    let text = |value: &HeaderValue| {
        let bytes = value.as_bytes()?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    };
    let key = match member("routing-keys") {
        Some(HeaderValue::Array(keys)) => keys.first().and_then(text),
        _ => None,
    };
    (member("exchange").and_then(text), key)
}
