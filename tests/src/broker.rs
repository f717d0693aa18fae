//! AMQP as a stranger speaks it: any message in, every queue looked at. Independent of the product's own broker code.

use std::time::Duration;

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Event};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::eventually::{SOON, eventually};

/// How often it is looked whether messages are back in their queue, and how many times.
const BACK_LOOK_EVERY: Duration = Duration::from_millis(10);
const BACK_LOOKS: usize = 500;

/// A connection of the test's own.
pub struct Broker {
    connection: Connection,
    /// What queues are looked at on, one look after the other.
    looking: Mutex<Option<Channel>>,
}

/// A message as it lies in a queue.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its properties.
    pub properties: BasicProperties,
    /// Its headers.
    pub headers: BTreeMap<String, AMQPValue>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Stored {
    fn new(properties: BasicProperties, body: Vec<u8>) -> Self {
        let headers = properties.headers().clone().unwrap_or_default();
        Self {
            headers: headers
                .inner()
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            properties,
            body,
        }
    }

    /// The `message_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.properties.message_id().as_ref().map_or("", |id| id.as_str())
    }

    /// A text header, or "" where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        match self.headers.get(name) {
            Some(AMQPValue::LongString(text)) => std::str::from_utf8(text.as_bytes()).unwrap_or_default(),
            _ => "",
        }
    }

    /// An integer header.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.headers.get(name) {
            Some(AMQPValue::LongLongInt(number)) => Some(*number),
            Some(AMQPValue::LongInt(number)) => Some(i64::from(*number)),
            _ => None,
        }
    }
}

impl Broker {
    /// Connects.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn connect(url: &str) -> Self {
        Self::connection(url)
            .await
            .unwrap_or_else(|error| panic!("the broker does not answer ({error}); is it up?"))
    }

    /// Connects, where the broker answers.
    pub async fn try_connect(url: &str) -> Option<Self> {
        Self::connection(url).await.ok()
    }

    async fn connection(url: &str) -> lapin::Result<Self> {
        let properties = ConnectionProperties::default().with_connection_name("hookline-tests".into());
        let connection = Connection::connect(url, properties).await?;
        let events = connection.events_listener();
        // Whoever finds the connection broken later is told that it is, and no more: why is said here alone.
        tokio::spawn(events.for_each(async |event| {
            if let Event::Error(error) = event {
                eprintln!("the tests' own connection to the broker: {error}");
            }
        }));
        Ok(Self {
            connection,
            looking: Mutex::default(),
        })
    }

    /// A channel for whatever else a test does.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn channel(&self) -> Channel {
        self.connection.create_channel().await.expect("a channel")
    }

    /// How many messages of `queue` are ready, or `None` where there is no such queue.
    pub async fn ready(&self, queue: &str) -> Option<u32> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let mut looking = self.looking.lock().await;
        let channel = match looking.take() {
            Some(channel) => channel,
            None => self.channel().await,
        };
        let declared = channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await;
        // A missing queue closes the channel, a present one does not.
        let count = declared.ok().map(|queue| queue.message_count());
        if count.is_some() {
            *looking = Some(channel);
        }
        count
    }

    /// The same by the queue's own word where the node says that it is empty, as in [`Broker::holding`].
    async fn certainly_ready(&self, queue: &str) -> Option<u32> {
        let ready = self.ready(queue).await?;
        if ready > 0 {
            return Some(ready);
        }
        let channel = self.channel().await;
        let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: false });
        let got = got.await.expect("an answer");
        // What is got goes back before anybody reads on, so that it is read first, as it stands.
        let ready = got.map_or(0, |got| got.message_count + 1);
        drop(channel.close(200, "done".into()).await);
        self.has_back(queue, ready as usize).await;
        Some(ready)
    }

    /// Publishes until it is confirmed. A queue that was declared a moment ago may refuse the first message of a channel, which is
    /// not stored then.
    ///
    /// # Panics
    /// When the message is not confirmed, or no queue takes it.
    pub async fn publish(&self, exchange: &str, key: &str, properties: BasicProperties, body: &[u8]) {
        eventually(SOON, &format!("{exchange:?} {key:?} takes it"), async || {
            let confirmation = self.try_publish(exchange, key, properties.clone(), body).await;
            let is_stored = matches!(confirmation, Confirmation::Ack(None));
            let is_refused = matches!(confirmation, Confirmation::Nack(None));
            assert!(is_stored || is_refused, "{exchange:?} {key:?}: {confirmation:?}");
            is_stored.then_some(())
        })
        .await;
    }

    async fn try_publish(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> Confirmation {
        let channel = self.channel().await;
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let confirmation = async {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties);
            sent.await?.await
        };
        let confirmation = confirmation.await.expect("published");
        drop(channel.close(200, "done".into()).await);
        confirmation
    }

    /// All ready messages of `queue`, oldest first; they go back to it, in their order.
    ///
    /// By one consumer and not by single gets: what many of those hold is given back shuffled.
    ///
    /// # Panics
    /// When the queue is missing, or somebody else takes its messages.
    pub async fn read(&self, queue: &str) -> Vec<Stored> {
        let ready = self.certainly_ready(queue).await;
        let ready = ready.expect("the queue is there");
        let channel = self.channel().await;
        // Without a prefetch a quorum queue hands out 2,000 messages and no more.
        let prefetch = u16::try_from(ready).unwrap_or(u16::MAX).max(1);
        let set = channel.basic_qos(prefetch, BasicQosOptions::default());
        set.await.expect("a prefetch");
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let mut consumer = consumer.await.expect("a consumer");
        let mut messages = Vec::new();
        while messages.len() < ready as usize {
            let next = timeout(SOON, consumer.next()).await;
            let delivery = next.ok().flatten().expect("a message").expect("a message");
            messages.push(Stored::new(delivery.properties, delivery.data));
        }
        drop(channel.close(200, "done".into()).await);
        self.has_back(queue, messages.len()).await;
        messages
    }

    /// Waits until what a closed channel held lies in its queue again, which is a moment after the broker says that it is closed.
    /// From a delay queue some of it may have moved on instead.
    async fn has_back(&self, queue: &str, count: usize) {
        for _ in 0..BACK_LOOKS {
            if self
                .ready(queue)
                .await
                .is_none_or(|ready| ready as usize >= count)
            {
                return;
            }
            sleep(BACK_LOOK_EVERY).await;
        }
    }

    /// Takes the oldest message of `queue` away, or nothing where it is empty.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn take(&self, queue: &str) -> Option<Stored> {
        let channel = self.channel().await;
        let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true });
        let got = got.await.expect("an answer")?;
        drop(channel.close(200, "done".into()).await);
        Some(Stored::new(got.delivery.properties, got.delivery.data))
    }

    /// So many ready messages of `queue` at most, or none where it is not there; they go back to it, in any order. Somebody else may
    /// take from it meanwhile.
    pub async fn some(&self, queue: &str, max: usize) -> Vec<Stored> {
        let channel = self.channel().await;
        let mut messages = Vec::new();
        while messages.len() < max {
            let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: false });
            let Ok(Some(got)) = got.await else { break };
            messages.push(Stored::new(got.delivery.properties, got.delivery.data));
        }
        drop(channel.close(200, "done".into()).await);
        messages
    }

    /// Those of `queues` that hand out a message, which goes back. Each answers for itself: what [`Broker::ready`] hears comes
    /// from the node, for which a quorum queue is empty that says nothing for a quarter of a second.
    pub async fn holding(&self, queues: &[&str]) -> Vec<String> {
        let mut channel = self.channel().await;
        let mut holding = Vec::new();
        for queue in queues {
            let got = channel.basic_get((*queue).into(), BasicGetOptions { no_ack: false });
            match got.await {
                Ok(Some(_)) => holding.push((*queue).to_owned()),
                Ok(None) => {}
                // A queue that is missing closes the channel.
                Err(_) => channel = self.channel().await,
            }
        }
        drop(channel.close(200, "done".into()).await);
        holding
    }

    /// Takes `count` messages of `queue` and gives all back, as a consumer does that dies with them in hand: the broker counts
    /// a return for each.
    ///
    /// # Panics
    /// When there are not as many.
    pub async fn give_back(&self, queue: &str, count: usize) {
        let ready = async || {
            self.ready(queue)
                .await
                .is_some_and(|ready| ready as usize >= count)
        };
        eventually(SOON, "they lie in the queue", async || {
            ready().await.then_some(())
        })
        .await;
        let channel = self.channel().await;
        let prefetch = u16::try_from(count).expect("no more than a window");
        let set = channel.basic_qos(prefetch, BasicQosOptions::default());
        set.await.expect("a prefetch");
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let mut consumer = consumer.await.expect("a consumer");
        for _ in 0..count {
            let next = timeout(SOON, consumer.next()).await;
            next.ok().flatten().expect("a message").expect("a message");
        }
        drop(channel.close(200, "done".into()).await);
    }

    /// Deletes queues, whatever they hold, and exchanges.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn delete(&self, queues: &[String], exchanges: &[String]) {
        let channel = self.channel().await;
        for queue in queues {
            let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
            deleted.await.expect("the queue goes");
        }
        for exchange in exchanges {
            let deleted = channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default());
            deleted.await.expect("the exchange goes");
        }
    }

    /// Declares a durable queue with arguments of the test's own.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn declare(&self, queue: &str, arguments: &[(&str, AMQPValue)]) {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let channel = self.channel().await;
        let declared = channel.queue_declare(queue.into(), options, table).await;
        declared.expect("the queue is declared");
        drop(channel.close(200, "done".into()).await);
    }
}
