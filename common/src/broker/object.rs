//! One thing of the topology, and the call that declares it.

use std::fmt;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::connect::short;
use crate::topology::{Argument, QueueSpec, Topology};

/// One thing to declare.
#[derive(Clone, Copy)]
pub(super) enum Object<'a> {
    Exchange(&'a str),
    Queue(&'a QueueSpec),
    Binding { queue: &'a str, exchange: &'a str },
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(name) => write!(f, "exchange {name:?}"),
            Self::Queue(spec) => write!(f, "queue {:?}", spec.name),
            Self::Binding { queue, exchange } => write!(f, "queue {queue:?} bound to exchange {exchange:?}"),
        }
    }
}

/// Everything of `topology`, each after what it depends on.
pub(super) fn objects(topology: &Topology) -> impl Iterator<Item = Object<'_>> {
    let exchange = topology.events_exchange.as_str();
    let queues = topology.queues.iter().map(Object::Queue);
    let bindings = topology.queues.iter().filter(|spec| spec.takes_events);
    let bindings = bindings.map(move |spec| Object::Binding {
        queue: &spec.name,
        exchange,
    });
    [Object::Exchange(exchange)]
        .into_iter()
        .chain(queues)
        .chain(bindings)
}

/// Declares an object; `passive` only asks whether it is there, which a binding cannot be asked.
pub(super) async fn declare_call(channel: &Channel, object: &Object<'_>, passive: bool) -> lapin::Result<()> {
    match object {
        Object::Exchange(name) => {
            let options = ExchangeDeclareOptions {
                passive,
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            channel
                .exchange_declare(short(name), ExchangeKind::Topic, options, FieldTable::default())
                .await
        }
        Object::Queue(spec) => {
            let options = QueueDeclareOptions {
                passive,
                durable: true,
                ..QueueDeclareOptions::default()
            };
            channel
                .queue_declare(short(&spec.name), options, arguments(spec))
                .await
                .map(drop)
        }
        Object::Binding { queue, exchange } => {
            let (bind, table) = (QueueBindOptions::default(), FieldTable::default());
            channel
                .queue_bind(short(queue), short(exchange), short("#"), bind, table)
                .await
        }
    }
}

fn arguments(spec: &QueueSpec) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in &spec.arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert(short(name), value);
    }
    table
}
