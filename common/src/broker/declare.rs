//! Making the topology so, and telling what stands in its way.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::Connection;
use lapin::types::FieldTable;
use tokio::time::timeout;

use super::connect::{LinkSettings, in_time, open, open_channel, short};
use super::depth::depth_on;
use super::discrepancy::{Discrepancy, DiscrepancyKind, explain};
use super::error::{ACCESS_REFUSED, BrokerError, NOT_FOUND, PRECONDITION_FAILED};
use super::object::{Object, declare_call, objects};
use super::tolerated::{as_it_stands, tell};
use crate::topology::{Argument, QueueSpec, Topology};

/// Declares `topology` over a connection of its own.
///
/// # Errors
/// [`BrokerError::Mismatch`] names the first object that exists with other arguments; any other, the first that cannot be had or
/// compared.
pub async fn declare(settings: &LinkSettings, topology: &Topology) -> Result<(), BrokerError> {
    let opened = open(settings).await?;
    let connection = &opened.connection;
    declare_on(connection, topology).await?;
    // Without what a program that has deliveries to make lets pass: a binding that takes long, a queue out of reach.
    for object in objects(topology) {
        match object {
            Object::Binding { .. } => compare(connection, &object).await?,
            Object::Exchange(_) | Object::Queue(_) => look_up(connection, &object).await?,
        }
    }
    opened.close().await;
    Ok(())
}

/// Compares the broker with `topology` and changes nothing, but that a binding cannot be asked for and is made again.
///
/// # Errors
/// [`BrokerError`] when the broker cannot be asked.
pub async fn check(settings: &LinkSettings, topology: &Topology) -> Result<Vec<Discrepancy>, BrokerError> {
    let opened = open(settings).await?;
    let connection = &opened.connection;
    let mut found = Vec::new();
    for object in objects(topology) {
        match look_at(connection, &object).await {
            Ok(()) => {}
            Err(BrokerError::Mismatch(discrepancy)) => found.push(discrepancy),
            Err(error) if error.is_out_of_reach() => found.push(Discrepancy {
                object: object.to_string(),
                kind: DiscrepancyKind::OutOfReach(error.to_string()),
            }),
            Err(error) => return Err(error),
        }
        if let Object::Queue(spec) = object {
            found.extend(unfinished(connection, spec).await?);
        }
    }
    opened.close().await;
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

/// How long it is looked for what has gone missing, and how long a binding that may be there may take. A broker answers in milliseconds, and with a node of its cluster frozen
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
/// There is no way to see whether a binding is there but to make it again. Where both of its ends stood already, another program
/// may have made them a moment ago and be about to bind them: so it is made here too, before anything is published. A node that
/// hangs can hold that up, so it is given little time then, and left to the upkeep and to [`declare`] after that.
pub(super) async fn declare_on(connection: &Connection, topology: &Topology) -> Result<(), BrokerError> {
    let mut is_new = false;
    for object in objects(topology) {
        match object {
            Object::Binding { .. } if is_new => {
                unless_out_of_reach(&object, declare_object(connection, &object, "binding").await)?;
            }
            Object::Binding { .. } => {
                unless_out_of_reach(&object, bind_in_passing(connection, &object).await)?
            }
            Object::Exchange(_) | Object::Queue(_) => match Standing::of(connection, &object).await? {
                Standing::Missing => {
                    is_new |= !matches!(object, Object::Queue(spec) if !spec.takes_events);
                    declare_object(connection, &object, "declaring").await?;
                }
                Standing::Exists => unless_out_of_reach(&object, compare(connection, &object).await)?,
            },
        }
    }
    Ok(())
}

/// One queue out of reach is no reason to leave all others. Whoever uses it learns of that.
fn unless_out_of_reach(object: &Object<'_>, done: Result<(), BrokerError>) -> Result<(), BrokerError> {
    match done {
        Err(error) if error.is_out_of_reach() => {
            tracing::debug!(%object, %error, "left as it is");
            Ok(())
        }
        done => done,
    }
}

async fn bind_in_passing(connection: &Connection, binding: &Object<'_>) -> Result<(), BrokerError> {
    match timeout(LOOK_TIMEOUT, compare(connection, binding)).await {
        Ok(bound) => bound,
        Err(_) => {
            tracing::debug!(%binding, "the broker is slow to bind; binding again later");
            Ok(())
        }
    }
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
        match look_up(connection, object).await {
            Ok(()) => Ok(Self::Exists),
            Err(error) if error.is_missing() => Ok(Self::Missing),
            Err(error) if error.is_out_of_reach() => Ok(Self::Exists),
            Err(error) => Err(error),
        }
    }
}

/// Asks for it, and makes nothing. Each refusal closes its channel, so each question gets one of its own.
async fn look_up(connection: &Connection, object: &Object<'_>) -> Result<(), BrokerError> {
    let channel = open_channel(connection).await?;
    in_time("looking up the topology", declare_call(&channel, object, true)).await
}

/// Declaring what exists changes nothing and fails where it differs.
async fn compare(connection: &Connection, object: &Object<'_>) -> Result<(), BrokerError> {
    let compared = match declare_tolerantly(connection, object, None, "comparing the topology").await {
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

/// Declares one object on a channel of its own; a queue that stands is taken with what it may differ in.
pub(super) async fn declare_object(
    connection: &Connection,
    object: &Object<'_>,
    what: &'static str,
) -> Result<(), BrokerError> {
    declare_tolerantly(connection, object, None, what).await.map(drop)
}

/// Declares one object on a channel of its own. A queue that exists and differs only in what it may is taken as it stands,
/// and returned, so that whoever asks again and again can begin with it as it is `known`: the broker logs each difference.
/// One that is missing is made as `object` says, however it was known.
pub(super) async fn declare_tolerantly(
    connection: &Connection,
    object: &Object<'_>,
    known: Option<&QueueSpec>,
    what: &'static str,
) -> Result<Option<QueueSpec>, BrokerError> {
    let mut standing = known.cloned();
    loop {
        let (declared, tried) = match (&standing, object) {
            (Some(standing), _) => (compare_queue(connection, standing, what).await?, standing),
            (None, Object::Queue(spec)) => (declare_once(connection, object, what).await?, *spec),
            (None, Object::Exchange(_) | Object::Binding { .. }) => {
                return match declare_once(connection, object, what).await? {
                    Declared::Differs(kind) => Err(mismatch(object, kind)),
                    Declared::Equal | Declared::Missing => Ok(None),
                };
            }
        };
        match declared {
            Declared::Equal => return Ok(standing),
            Declared::Missing => standing = None,
            Declared::Differs(kind) => match as_it_stands(tried, &kind) {
                Some(found) => standing = Some(found),
                None => return Err(mismatch(object, kind)),
            },
        }
    }
}

fn mismatch(object: &Object<'_>, kind: DiscrepancyKind) -> BrokerError {
    BrokerError::Mismatch(Discrepancy {
        object: object.to_string(),
        kind,
    })
}

/// How an object compares with what stands on the broker.
enum Declared {
    /// It stands there, perhaps since now.
    Equal,
    /// It stands there otherwise.
    Differs(DiscrepancyKind),
    /// It was only compared, and is not there.
    Missing,
}

async fn declare_once(
    connection: &Connection,
    object: &Object<'_>,
    what: &'static str,
) -> Result<Declared, BrokerError> {
    let channel = open_channel(connection).await?;
    compared(in_time(what, declare_call(&channel, object, false)).await)
}

/// Compares a queue as it was found with what stands, and makes none, for it was made otherwise than is wanted: in the moment
/// in which it is looked at somebody may delete it.
async fn compare_queue(
    connection: &Connection,
    found: &QueueSpec,
    what: &'static str,
) -> Result<Declared, BrokerError> {
    let channel = open_channel(connection).await?;
    let mut never_made = found.clone();
    let (name, value) = refused_argument(found);
    never_made.arguments.push((name, value));
    match compared(in_time(what, declare_call(&channel, &Object::Queue(&never_made), false)).await) {
        Ok(Declared::Differs(DiscrepancyKind::Other(text))) if text.contains(name) => Ok(Declared::Missing),
        compared => compared,
    }
}

/// What no queue of the type of `spec` can be made with. The broker compares one that exists by the arguments that its type
/// has, and looks at the others only when it makes one.
fn refused_argument(spec: &QueueSpec) -> (&'static str, Argument) {
    if spec.is_stream() {
        ("x-delivery-limit", Argument::Number(1))
    } else {
        ("x-max-age", Argument::Text("1D".to_owned()))
    }
}

fn compared(declared: Result<(), BrokerError>) -> Result<Declared, BrokerError> {
    match declared {
        Ok(()) => Ok(Declared::Equal),
        Err(error) if error.reply_code() == Some(PRECONDITION_FAILED) => {
            Ok(Declared::Differs(explain(&error.to_string())))
        }
        Err(error) => Err(error),
    }
}
