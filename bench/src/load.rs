//! The generator: a booking service that publishes with confirms, as fast as the broker takes it or at a given rate.

use std::collections::VecDeque;
use std::time::Duration;

use hookline_common::event::CreatedAt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use serde::{Deserialize, Serialize};
use tokio::time::{interval, timeout};

use crate::amqp::{ANSWER_TIME, connect, short};
use crate::child;
use crate::clock::now_ns;
use crate::error::{Context as _, Fault, Result};
use crate::names;
use crate::settings;

/// Messages under way to the broker at most. More gains nothing.
const WINDOW: usize = 100;
/// The type of every event.
pub(crate) const EVENT_TYPE: &str = "booking.created";
/// Memory for the texts that fill events up.
const FILLINGS_BYTES: usize = 4 << 20;

/// What is to be published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Goes into the ids of the events.
    pub(crate) run: u32,
    /// Where to.
    pub(crate) namespace: String,
    /// How many.
    pub(crate) count: u32,
    /// The data of each.
    pub(crate) payload: Payload,
    /// How many a second; as many as possible where it is not given.
    pub(crate) per_second: Option<u32>,
    /// The companies, which take turns: the number of the first, and how many.
    pub(crate) companies: (u32, u32),
    /// As what, and for whom.
    pub(crate) into: Destination,
    /// In traces of which one of so many is collected; in none where it is not given.
    pub(crate) collected: Option<u32>,
}

/// How long the data of events is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    /// So many bytes, all alike.
    Bytes(usize),
    /// Of [`SIZES`], in no order: about 9 KB on average.
    Mixed,
}

/// What is published, and where it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Destination {
    /// Events, for whoever is bound to the exchange.
    Events,
    /// Second attempts, in the delay queue of so many seconds.
    Retry(u32),
    /// Second attempts, in the queue of what has fallen due.
    Due,
}

/// The lengths of a mix: most events are short, and most bytes are in the long ones.
pub(crate) const SIZES: [usize; 16] = [
    100, 100, 100, 100, 100, 1024, 1024, 1024, 1024, 1024, 1024, 3_000, 10_000, 10_000, 10_000, 100_000,
];

impl Payload {
    /// How long the data of event `number` is.
    fn of(self, number: u32) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            // The companies take turns by the number as well: multiplied by Knuth's constant, its upper four bits have
            // nothing to do with them.
            Self::Mixed => SIZES[(number.wrapping_mul(0x9e37_79b1) >> 28) as usize],
        }
    }

    fn longest(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Mixed => SIZES.into_iter().max().unwrap_or_default(),
        }
    }
}

/// What was published: every message confirmed, and held by a queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Published {
    /// When the first message was handed to the broker.
    pub(crate) first_ns: u64,
    /// When the last one was confirmed.
    pub(crate) last_ns: u64,
}

/// Takes orders until the standard input ends.
///
/// # Errors
/// The broker does not answer, or does not confirm.
pub(crate) async fn run() -> Result<()> {
    let (_connection, channel) = connect(&settings::amqp_url()?, "hookline-bench load").await?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    confirms.await.context("switching to confirms")?;
    child::say(&()).await?;
    child::answer_questions(async |order: Order| publish(&channel, &order).await).await
}

async fn publish(channel: &Channel, order: &Order) -> Result<Published> {
    let fillings = Fillings::new(order.payload);
    let mut under_way = VecDeque::with_capacity(WINDOW);
    let mut ticks = order
        .per_second
        .map(|rate| interval(Duration::from_secs(1) / rate.max(1)));
    let first_ns = now_ns();
    for number in 0..order.count {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        if under_way.len() >= WINDOW {
            confirmed(under_way.pop_front()).await?;
        }
        under_way.push_back(send(channel, order, number, &fillings).await?);
    }
    for confirm in under_way {
        confirmed(Some(confirm)).await?;
    }
    Ok(Published {
        first_ns,
        last_ns: now_ns(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the generator is somebody else's program; it waits for every confirm itself"
)]
async fn send(
    channel: &Channel,
    order: &Order,
    number: u32,
    fillings: &Fillings,
) -> Result<PublisherConfirm> {
    let (first, count) = order.companies;
    let company = first + number % count.max(1);
    let namespace = &order.namespace;
    let (exchange, key) = match order.into {
        Destination::Events => (format!("{namespace}.events"), EVENT_TYPE.to_owned()),
        Destination::Retry(seconds) => (String::new(), format!("{namespace}.retry.{seconds}s")),
        Destination::Due => (String::new(), format!("{namespace}.due")),
    };
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = properties(order, number, company);
    let data = fillings.data(now_ns(), number);
    let sent = channel.basic_publish(short(&exchange), short(&key), options, &data, properties);
    let sent = timeout(ANSWER_TIME, sent).await;
    let sent = sent.map_err(|_| Fault::new("the broker takes no more messages"))?;
    sent.context("publishing")
}

async fn confirmed(confirm: Option<PublisherConfirm>) -> Result<()> {
    let Some(confirm) = confirm else { return Ok(()) };
    let answer = timeout(ANSWER_TIME, confirm).await;
    match answer.map_err(|_| Fault::new("the broker does not confirm"))? {
        Ok(Confirmation::Ack(None)) => Ok(()),
        Ok(other) => Err(Fault::new(format!("a message was not stored: {other:?}"))),
        Err(error) => Err(Fault::new(format!("publishing: {error}"))),
    }
}

fn properties(order: &Order, number: u32, company: u32) -> BasicProperties {
    let created_at = CreatedAt::now();
    let text = |value: String| AMQPValue::LongString(value.into());
    let mut headers = FieldTable::default();
    headers.insert(short("company"), text(names::company(company)));
    headers.insert(short("created-at"), text(created_at.to_millis_text()));
    if order.into != Destination::Events {
        headers.insert(short("endpoint"), text(names::endpoint(company, 0)));
        headers.insert(short("attempt"), AMQPValue::LongLongInt(2));
        headers.insert(short("origin"), text("event".to_owned()));
    }
    if let Some(one_of) = order.collected {
        let traceparent = names::traceparent(order.run, number, number.is_multiple_of(one_of.max(1)));
        headers.insert(short("traceparent"), text(traceparent));
    }
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type(short("application/json"))
        .with_message_id(short(&names::event_id(order.run, number)))
        .with_type(short(EVENT_TYPE))
        .with_timestamp(created_at.as_seconds())
        .with_headers(headers)
}

/// Texts that bring events to their length: words in no order, so that records of them compress about as well as
/// bookings do, and made beforehand, so that the generator's time goes into publishing.
pub(crate) struct Fillings {
    payload: Payload,
    texts: Vec<String>,
}

impl Fillings {
    pub(crate) fn new(payload: Payload) -> Self {
        let length = payload.longest().max(1);
        let count = (FILLINGS_BYTES / length).clamp(8, 4096);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let texts = (0..count).map(|_| words(length, &mut state)).collect();
        Self { payload, texts }
    }

    /// One JSON object, exactly as long as it should be unless that is too short for the numbers in it.
    pub(crate) fn data(&self, published_ns: u64, number: u32) -> Vec<u8> {
        let text = &self.texts[number as usize % self.texts.len()];
        let mut data = format!("{{\"t\":{published_ns},\"n\":{number},\"notes\":\"");
        let room = self.payload.of(number).saturating_sub(data.len() + 2);
        data.push_str(text.get(..room).unwrap_or_default());
        data.push_str("\"}");
        data.into_bytes()
    }
}

fn words(length: usize, state: &mut u64) -> String {
    const WORDS: &str = "booking guest room suite invoice tuesday march arrival breakfast window river paid deposit \
        cancelled name email phone berlin lisbon seat table course lesson morning evening confirmed by transfer card \
        person persons please call before late early child bed parking garage dog quiet floor key code";
    let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        // xorshift64: any sequence will do that is the same on every run.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        let index = *state as usize % (words.len() + 8);
        match words.get(index) {
            Some(word) => text.push_str(word),
            None => text.push_str(&format!("{:x}", *state >> 32)),
        }
        text.push(' ');
    }
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hookline_common::event::Data;

    #[test]
    fn data_is_as_long_as_was_asked_for_and_one_json_object() {
        for payload in [100, 1024, 10_000, 100_000] {
            let fillings = Fillings::new(Payload::Bytes(payload));
            let data = fillings.data(now_ns(), 39_999);
            assert_eq!(data.len(), payload);
            assert!(Data::new(data).is_ok());
        }
        let short = Fillings::new(Payload::Bytes(1)).data(now_ns(), 1);
        assert!(Data::new(short).is_ok());
    }

    #[test]
    fn a_mix_has_every_length_for_every_company() {
        let fillings = Fillings::new(Payload::Mixed);
        let lengths: Vec<usize> = (0..4_000).map(|number| fillings.data(1, number).len()).collect();
        for company in 0..4 {
            let of_company: Vec<usize> = lengths.iter().skip(company).step_by(4).copied().collect();
            assert!(SIZES.iter().all(|size| of_company.contains(size)), "{company}");
        }
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        assert!((8_000..10_000).contains(&mean), "{mean}");
    }

    #[test]
    fn no_two_events_in_a_row_are_filled_alike() {
        let fillings = Fillings::new(Payload::Bytes(200));
        let tail = |number| fillings.data(1, number)[60..].to_vec();
        assert_ne!(tail(1), tail(2));
    }
}
