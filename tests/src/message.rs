//! Messages made by hand, as services in other languages and people with a management page make them.

use hookline_common::topology::Queue;
use hookline_producer::EventId;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::broker::Broker;
use crate::world::World;

/// A message that is right in every part until a test breaks one.
#[derive(Debug, Clone)]
pub struct HandMade {
    properties: BasicProperties,
    headers: FieldTable,
    body: Vec<u8>,
}

/// A text as a header's value.
#[must_use]
pub fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

impl HandMade {
    /// An event of the company `acme`.
    #[must_use]
    pub fn event() -> Self {
        let id = EventId::new();
        let message = Self {
            properties: BasicProperties::default()
                .with_content_type("application/json".into())
                .with_delivery_mode(2)
                .with_message_id(id.as_str().into())
                .with_type("booking.created".into())
                .with_timestamp(1_705_329_000),
            headers: FieldTable::default(),
            body: b"{}".to_vec(),
        };
        message.header("company", text("acme"))
    }

    /// A delivery of such an event to an endpoint, before its first attempt.
    #[must_use]
    pub fn delivery(endpoint: &str) -> Self {
        Self::event()
            .header("endpoint", text(endpoint))
            .header("attempt", AMQPValue::LongInt(1))
            .header("origin", text("event"))
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: AMQPValue) -> Self {
        self.headers.insert(name.into(), value);
        self
    }

    /// Without this header.
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        let mut headers = FieldTable::default();
        for (other, value) in self.headers.inner() {
            if other.as_str() != name {
                headers.insert(other.clone(), value.clone());
            }
        }
        Self { headers, ..self }
    }

    /// With other properties.
    #[must_use]
    pub fn properties(mut self, change: impl FnOnce(BasicProperties) -> BasicProperties) -> Self {
        self.properties = change(self.properties);
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Its `message_id`.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn id(&self) -> String {
        let id = self.properties.message_id().as_ref();
        id.expect("a message_id").to_string()
    }

    /// Puts it into a queue.
    pub async fn send(&self, world: &World, queue: Queue) {
        let properties = self.properties.clone().with_headers(self.headers.clone());
        world
            .broker()
            .publish("", &world.queue(queue), properties, &self.body)
            .await;
    }

    /// Publishes it as an event.
    pub async fn publish(&self, world: &World) {
        self.publish_on(world.broker(), world).await;
    }

    /// The same on another broker.
    pub async fn publish_on(&self, broker: &Broker, world: &World) {
        let properties = self.properties.clone().with_headers(self.headers.clone());
        broker
            .publish(
                &world.namespace().events_exchange(),
                "booking.created",
                properties,
                &self.body,
            )
            .await;
    }
}
