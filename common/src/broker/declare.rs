//! Making the topology so, and telling what stands in its way.

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};
use tokio::time::timeout;

use super::connect::{LinkSettings, in_time, open, open_channel, short};
use super::depth::depth_on;
use super::discrepancy::{Discrepancy, DiscrepancyKind, explain};
use super::error::{ACCESS_REFUSED, BrokerError, NOT_FOUND, PRECONDITION_FAILED};
use super::tolerated::{as_it_stands, tell};
use crate::topology::{Argument, QUEUE_REPLICAS, QueueSpec, STREAM_REPLICAS, Topology};

/// Declares `topology` over a connection of its own.
///
/// # Errors
/// [`BrokerError::Mismatch`] names the first object that exists with other arguments.
pub async fn declare(settings: &LinkSettings, topology: &Topology) -> Result<(), BrokerError> {
    let connection = open(settings).await?;
    declare_on(&connection, topology).await?;
    for object in objects(topology) {
        if let Object::Binding { .. } = object {
            compare(&connection, &object).await?;
        }
    }
    Ok(())
}

/// Compares the broker with `topology` and changes nothing, but that a binding cannot be asked for and is made again.
///
/// # Errors
/// [`BrokerError`] when the broker cannot be asked.
pub async fn check(settings: &LinkSettings, topology: &Topology) -> Result<Vec<Discrepancy>, BrokerError> {
    let connection = open(settings).await?;
    let mut found = Vec::new();
    for object in objects(topology) {
        match look_at(&connection, &object).await {
            Ok(()) => {}
            Err(BrokerError::Mismatch(discrepancy)) => found.push(discrepancy),
            Err(error) => return Err(error),
        }
        if let Object::Queue(spec) = object {
            found.extend(unfinished(&connection, spec).await?);
        }
    }
    Ok(found)
}

/// A migration of this queue that was begun and not ended.
async fn unfinished(connection: &Connection, spec: &QueueSpec) -> Result<Option<Discrepancy>, BrokerError> {
    if spec.is_stream() {
        return Ok(None);
    }
    let temporary = spec.temporary();
    let depth = depth_on(connection, &temporary.name).await?;
    Ok(depth.map(|depth| Discrepancy {
        object: Object::Queue(spec).to_string(),
        kind: DiscrepancyKind::Unfinished {
            temporary: temporary.name,
            messages: depth.ready,
        },
    }))
}

async fn look_at(connection: &Connection, object: &Object<'_>) -> Result<(), BrokerError> {
    if let Object::Binding { .. } = object {
        return match compare(connection, object).await {
            // One of its ends is missing, and told of already.
            Err(error) if error.reply_code() == Some(NOT_FOUND) => Ok(()),
            bound => bound,
        };
    }
    match Standing::of(connection, object).await? {
        Standing::Exists => compare(connection, object).await,
        Standing::Missing => Err(BrokerError::Mismatch(Discrepancy {
            object: object.to_string(),
            kind: DiscrepancyKind::Missing,
        })),
    }
}

/// How long it is looked for what has gone missing. A broker answers in milliseconds, and with a node of its cluster frozen
/// in a third of a second; what it does not answer for by then is left to the upkeep.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Makes good what has gone missing since [`declare_on`], as long as nothing holds that up. All is asked for at once.
pub(super) async fn declare_missing(connection: &Connection, topology: &Topology) -> Result<(), BrokerError> {
    let asked = objects(topology)
        .filter(|object| !matches!(object, Object::Binding { .. }))
        .map(|object| async move { Standing::of(connection, &object).await });
    let is_missing = |standing: &Result<Standing, BrokerError>| matches!(standing, Ok(Standing::Missing));
    match timeout(LOOK_TIMEOUT, join_all(asked)).await {
        Ok(standing) if standing.iter().any(is_missing) => declare_on(connection, topology).await,
        Ok(_) => Ok(()),
        Err(_) => {
            tracing::debug!("the broker does not say what is missing; looking again later");
            Ok(())
        }
    }
}

/// Declares what is missing, and compares what is there. An account without the right to configure can use a
/// topology that stands; then the comparison is left to the account that made it.
///
/// A binding is made where one of its ends is new, and has none yet. Else there is no way to see whether it is there but to
/// make it again, for which the broker may wait for a node that hangs: that is left to the upkeep, and to [`declare`].
pub(super) async fn declare_on(connection: &Connection, topology: &Topology) -> Result<(), BrokerError> {
    let mut is_new = false;
    for object in objects(topology) {
        match object {
            Object::Binding { .. } if is_new => declare_object(connection, &object, "binding").await?,
            Object::Binding { .. } => {}
            Object::Exchange(_) | Object::Queue(_) => match Standing::of(connection, &object).await? {
                Standing::Missing => {
                    is_new = true;
                    declare_object(connection, &object, "declaring").await?;
                }
                Standing::Exists => compare(connection, &object).await?,
            },
        }
    }
    Ok(())
}

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

/// Whether an exchange or a queue is there, with whatever arguments.
pub(super) async fn is_there(connection: &Connection, object: &Object<'_>) -> Result<bool, BrokerError> {
    Ok(matches!(
        Standing::of(connection, object).await?,
        Standing::Exists
    ))
}

/// Has a queue take all events. Where one of both is missing nothing is bound.
pub(super) async fn bind(connection: &Connection, queue: &str, exchange: &str) -> Result<(), BrokerError> {
    let channel = open_channel(connection).await?;
    let binding = Object::Binding { queue, exchange };
    none_is_fine(in_time("binding", declare_call(&channel, &binding, false)).await)
}

/// Ends it.
pub(super) async fn unbind(connection: &Connection, queue: &str, exchange: &str) -> Result<(), BrokerError> {
    let channel = open_channel(connection).await?;
    let unbind = channel.queue_unbind(short(queue), short(exchange), short("#"), FieldTable::default());
    none_is_fine(in_time("unbinding", unbind).await)
}

fn none_is_fine(done: Result<(), BrokerError>) -> Result<(), BrokerError> {
    match done {
        Err(error) if error.reply_code() == Some(NOT_FOUND) => Ok(()),
        done => done,
    }
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
    let compared = match declare_tolerantly(connection, object, "comparing the topology").await {
        Ok(Some(standing)) => {
            if let Object::Queue(spec) = object {
                tell(spec, &standing, connection.status().vhost().as_str());
            }
            return Ok(());
        }
        compared => compared.map(drop),
    };
    match compared {
        Err(error) if error.reply_code() == Some(ACCESS_REFUSED) => {
            tracing::debug!(%object, "not allowed to configure the broker; taking the object as it stands");
            Ok(())
        }
        compared => compared,
    }
}

/// Declares one object on a channel of its own. With how many replicas a queue began is nobody's business: one that stands
/// is taken with whatever number it was declared with.
pub(super) async fn declare_object(
    connection: &Connection,
    object: &Object<'_>,
    what: &'static str,
) -> Result<(), BrokerError> {
    match (declare_once(connection, object, what).await, object) {
        (Err(BrokerError::Mismatch(found)), Object::Queue(spec)) => match with_found_replicas(spec, &found) {
            Some(spec) => declare_once(connection, &Object::Queue(&spec), what).await,
            None => Err(BrokerError::Mismatch(found)),
        },
        (declared, _) => declared,
    }
}

/// The queue with the number of first replicas that it was found to be declared with, if it is that which differs.
fn with_found_replicas(spec: &QueueSpec, found: &Discrepancy) -> Option<QueueSpec> {
    let DiscrepancyKind::Differs { argument, found, .. } = &found.kind else {
        return None;
    };
    let name = [QUEUE_REPLICAS, STREAM_REPLICAS]
        .into_iter()
        .find(|name| name == argument)?;
    let mut spec = spec.clone();
    spec.arguments.retain(|(argument, _)| *argument != name);
    if let Some(found) = found {
        spec.arguments.push((name, Argument::Number(found.parse().ok()?)));
    }
    Some(spec)
}

async fn declare_once(
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

/// As [`declare_object`]; a queue that exists and differs only in what it may is taken as it stands, and returned, so that
/// whoever asks again and again can ask for that: the broker logs each difference.
pub(super) async fn declare_tolerantly(
    connection: &Connection,
    object: &Object<'_>,
    what: &'static str,
) -> Result<Option<QueueSpec>, BrokerError> {
    let mut standing = None;
    loop {
        let tried = standing.as_ref().map_or(*object, Object::Queue);
        match (declare_once(connection, &tried, what).await, tried) {
            (Ok(()), _) => return Ok(standing),
            (Err(BrokerError::Mismatch(discrepancy)), Object::Queue(spec)) => {
                let replicas = with_found_replicas(spec, &discrepancy).filter(|found| found != spec);
                match replicas.or_else(|| as_it_stands(spec, &discrepancy.kind)) {
                    Some(spec) => standing = Some(spec),
                    None => return Err(BrokerError::Mismatch(discrepancy)),
                }
            }
            (Err(error), _) => return Err(error),
        }
    }
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
