//! Making the topology so, and telling what stands in its way.

use std::fmt;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};
use tokio::time::Instant;

use super::connect::{LinkSettings, in_time, open, open_channel};
use super::error::{BrokerError, NOT_FOUND};
use crate::topology::{Argument, QueueSpec, Topology};

const ACCESS_REFUSED: u16 = 403;
const PRECONDITION_FAILED: u16 = 406;

/// An object on the broker that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// What it is called: `queue "hookline.retry.60s"`.
    pub object: String,
    /// In which way it differs.
    pub kind: DiscrepancyKind,
}

/// In which way an object differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscrepancyKind {
    /// It is not there.
    Missing,
    /// It is there, with another value of one argument.
    Differs {
        /// The argument's name.
        argument: String,
        /// What stands on the broker, if it stands there.
        found: Option<String>,
        /// What this program wants, if it wants any.
        wanted: Option<String>,
    },
    /// It is there and differs in a way that only the broker's own words tell.
    Other(String),
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match &self.kind {
            DiscrepancyKind::Missing => {
                return write!(f, "{object} is missing; `hookline topology apply` creates it");
            }
            DiscrepancyKind::Differs {
                argument,
                found,
                wanted,
            } => {
                write!(
                    f,
                    "{object} exists with {argument} = {}, but this program wants {}",
                    value(found.as_deref()),
                    value(wanted.as_deref())
                )?;
            }
            DiscrepancyKind::Other(text) => {
                write!(f, "{object} exists but is not as this program wants it: {text}")?
            }
        }
        write!(
            f,
            "; to migrate, stop the publishers and dispatchers, let it run empty or move its messages elsewhere, \
             delete it (rabbitmqctl delete_queue NAME, or the management page) and start again; \
             or keep it and set another HOOKLINE_NAMESPACE"
        )
    }
}

/// Declares `topology` over a connection of its own.
///
/// # Errors
/// [`BrokerError::Mismatch`] names the first object that exists with other arguments.
pub async fn declare(settings: &LinkSettings, topology: &Topology) -> Result<(), BrokerError> {
    let connection = open(settings).await?;
    declare_on(&connection, topology).await
}

/// Compares the broker with `topology` and changes nothing.
///
/// # Errors
/// [`BrokerError`] when the broker cannot be asked.
pub async fn check(settings: &LinkSettings, topology: &Topology) -> Result<Vec<Discrepancy>, BrokerError> {
    let connection = open(settings).await?;
    let mut found = Vec::new();
    for object in objects(topology) {
        let missing = || Discrepancy {
            object: object.to_string(),
            kind: DiscrepancyKind::Missing,
        };
        match Standing::of(&connection, &object).await? {
            Standing::Missing => found.push(missing()),
            Standing::Exists => match compare(&connection, &object).await {
                Ok(()) => {}
                Err(BrokerError::Mismatch(discrepancy)) => found.push(discrepancy),
                Err(error) => return Err(error),
            },
        }
    }
    Ok(found)
}

/// Declares what is missing, and compares what is there. An account without the right to configure can use a
/// topology that stands; then the comparison is left to the account that made it.
pub(super) async fn declare_on(connection: &Connection, topology: &Topology) -> Result<(), BrokerError> {
    for object in objects(topology) {
        match Standing::of(connection, &object).await? {
            Standing::Missing => declare_object(connection, &object, "declaring").await?,
            Standing::Exists => compare(connection, &object).await?,
        }
    }
    Ok(())
}

/// What waits in a queue, and who takes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Messages that nobody holds.
    pub ready: u32,
    /// Those who consume it.
    pub consumers: u32,
}

/// How deep `queue` is; `None` where there is no such queue.
///
/// A quorum queue whose leader is busy for 250 ms (giving back a hundred thousand messages takes that) is answered for
/// as if it were empty and nobody read it. So that answer counts only if it came fast, or came again and again.
pub(super) async fn depth_on(
    connection: &Connection,
    queue: &str,
) -> Result<Option<QueueDepth>, BrokerError> {
    const FAST: Duration = Duration::from_millis(200);
    const AGAIN: u32 = 10;
    let mut slow_answers = 0;
    loop {
        let asked = Instant::now();
        let depth = ask_depth(connection, queue).await?;
        if depth != Some(QueueDepth::default()) || asked.elapsed() < FAST || slow_answers == AGAIN {
            return Ok(depth);
        }
        slow_answers += 1;
    }
}

async fn ask_depth(connection: &Connection, queue: &str) -> Result<Option<QueueDepth>, BrokerError> {
    let channel = open_channel(connection).await?;
    let options = QueueDeclareOptions {
        passive: true,
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let ask = channel.queue_declare(short(queue), options, FieldTable::default());
    match in_time("asking how deep a queue is", ask).await {
        Ok(queue) => Ok(Some(QueueDepth {
            ready: queue.message_count(),
            consumers: queue.consumer_count(),
        })),
        Err(error) if error.reply_code() == Some(NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One thing to declare.
enum Object<'a> {
    Exchange(&'a str),
    Queue {
        spec: &'a QueueSpec,
        bound_to: Option<&'a str>,
    },
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(name) => write!(f, "exchange {name:?}"),
            Self::Queue { spec, .. } => write!(f, "queue {:?}", spec.name),
        }
    }
}

fn objects(topology: &Topology) -> impl Iterator<Item = Object<'_>> {
    let exchange = topology.events_exchange.as_str();
    let queues = topology.queues.iter();
    let queues = queues.map(move |spec| Object::Queue {
        spec,
        bound_to: spec.takes_events.then_some(exchange),
    });
    [Object::Exchange(exchange)].into_iter().chain(queues)
}

enum Standing {
    Missing,
    Exists,
}

impl Standing {
    async fn of(connection: &Connection, object: &Object<'_>) -> Result<Self, BrokerError> {
        // Each refusal closes its channel, so each question gets one of its own.
        let channel = open_channel(connection).await?;
        match in_time("looking up the topology", declare_call(&channel, object, true)).await {
            Ok(()) => Ok(Self::Exists),
            Err(error) if error.reply_code() == Some(NOT_FOUND) => Ok(Self::Missing),
            Err(error) => Err(error),
        }
    }
}

/// Declaring what exists changes nothing and fails where it differs.
async fn compare(connection: &Connection, object: &Object<'_>) -> Result<(), BrokerError> {
    match declare_object(connection, object, "comparing the topology").await {
        Err(error) if error.reply_code() == Some(ACCESS_REFUSED) => {
            tracing::debug!(%object, "not allowed to configure the broker; taking the object as it stands");
            Ok(())
        }
        compared => compared,
    }
}

async fn declare_object(
    connection: &Connection,
    object: &Object<'_>,
    what: &'static str,
) -> Result<(), BrokerError> {
    let channel = open_channel(connection).await?;
    match in_time(what, declare_call(&channel, object, false)).await {
        Err(error) if error.reply_code() == Some(PRECONDITION_FAILED) => {
            let kind = explain(&error.to_string());
            Err(BrokerError::Mismatch(Discrepancy {
                object: object.to_string(),
                kind,
            }))
        }
        declared => declared,
    }
}

async fn declare_call(channel: &Channel, object: &Object<'_>, passive: bool) -> lapin::Result<()> {
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
        Object::Queue { spec, bound_to } => {
            let options = QueueDeclareOptions {
                passive,
                durable: true,
                ..QueueDeclareOptions::default()
            };
            channel
                .queue_declare(short(&spec.name), options, arguments(spec))
                .await?;
            if let (Some(exchange), false) = (bound_to, passive) {
                let bind = QueueBindOptions::default();
                channel
                    .queue_bind(
                        short(&spec.name),
                        short(exchange),
                        short("#"),
                        bind,
                        FieldTable::default(),
                    )
                    .await?;
            }
            Ok(())
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

/// Names of ours are shorter than AMQP's 255 bytes by construction.
fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}

/// Reads RabbitMQ's sentence: `inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2000' but
/// current is '1000'`, or `received none but current is the value '1000' of type 'signedint'`, or the reverse.
fn explain(text: &str) -> DiscrepancyKind {
    let quoted_after = |text: &str, start: &str| {
        let rest = text.split_once(start)?.1;
        if rest.trim_start().starts_with("none") {
            return Some(None);
        }
        Some(Some(rest.split_once('\'')?.1.split_once('\'')?.0.to_owned()))
    };
    let parts = (
        quoted_after(text, "inequivalent arg"),
        quoted_after(text, "current is"),
        quoted_after(text, "received"),
    );
    match parts {
        (Some(Some(argument)), Some(found), Some(wanted)) => DiscrepancyKind::Differs {
            argument,
            found,
            wanted,
        },
        _ => DiscrepancyKind::Other(text.to_owned()),
    }
}

/// A value as people read it, the empty one included.
fn value(value: Option<&str>) -> &str {
    match value {
        None => "nothing",
        Some("") => "\"\"",
        Some(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_sentence_becomes_argument_and_both_values() {
        let explained = |received: &str, current: &str| {
            explain(&format!(
                "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received {received} but current is {current}"
            ))
        };
        let differs = |found: Option<&str>, wanted: Option<&str>| DiscrepancyKind::Differs {
            argument: "x-message-ttl".into(),
            found: found.map(str::to_owned),
            wanted: wanted.map(str::to_owned),
        };
        assert_eq!(explained("'2000'", "'1000'"), differs(Some("1000"), Some("2000")));
        assert_eq!(
            explained("none", "the value '1000' of type 'signedint'"),
            differs(Some("1000"), None)
        );
        assert_eq!(
            explained("the value '2000' of type 'signedint'", "none"),
            differs(None, Some("2000"))
        );
        assert_eq!(
            explain("something else"),
            DiscrepancyKind::Other("something else".into())
        );
    }
}
