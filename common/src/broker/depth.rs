//! How deep queues are, asked by passive declares, and of the queue itself where those may not be believed.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use tokio::time::{Instant, timeout};

use super::connect::{CALL_TIMEOUT, LinkSettings, in_time, open, open_channel, short};
use super::error::BrokerError;

/// An answer after less than this is no answer for a leader that was too busy to give one, which takes 250 ms.
const FAST: Duration = Duration::from_millis(200);
/// How long a queue is waited for after another did not answer at all: whoever looks at all of them wants to see it.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(2);
const ASKING: &str = "asking the queue for a message";

/// What waits in a queue, and who takes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Messages that nobody holds.
    pub ready: u32,
    /// Those who consume it.
    pub consumers: u32,
}

/// Why a queue did not say how deep it is.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The broker answers, and the queue does not: most likely the node of its leader is down, or cut off from the others.
    #[error("{queue} cannot be asked: its leader is down ({why})")]
    NoLeader {
        /// The queue's name.
        queue: String,
        /// What was tried, and what came of it.
        why: String,
    },
    /// The broker itself cannot be used.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// For whom a queue that does not answer is one call among others that failed.
impl From<QueueError> for BrokerError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Broker(error) => error,
            QueueError::NoLeader { .. } => Self::Call {
                what: ASKING,
                source: error.to_string().into(),
            },
        }
    }
}

impl QueueError {
    /// What an error means that came where only the queue's leader can answer.
    pub(super) fn of_leader(queue: &str, error: BrokerError) -> Self {
        let why = match (&error, error.reply_code()) {
            (BrokerError::NoAnswer { seconds: 0, .. }, _) => "the broker broke off the reading".to_owned(),
            (BrokerError::NoAnswer { seconds, .. }, _) => format!("no answer within {seconds} s"),
            (_, Some(code)) => format!("the broker says {code}"),
            (_, None) => return Self::Broker(error),
        };
        Self::NoLeader {
            queue: queue.to_owned(),
            why,
        }
    }
}

/// What was learned of one queue.
pub(super) enum Asked {
    Missing,
    Depth(QueueDepth),
    /// It was said to be empty and is not: how deep it was, and its first message, which the channel holds.
    Head(QueueDepth, Channel, Box<Delivery>),
}

/// How deep `queue` is, as the queue itself answered within `patience`.
///
/// A passive declare is answered with "empty, and nobody reads it" for a quorum queue whose leader is busy for 250 ms
/// (giving back a hundred thousand messages takes that), and at once for one whose leader is down. So that answer counts
/// only if the queue has no message to give when it is asked for one.
pub(super) async fn ask_queue(
    connection: &Connection,
    queue: &str,
    patience: Duration,
) -> Result<Asked, QueueError> {
    let channel = open_channel(connection).await?;
    match ask_depth(&channel, queue).await? {
        None => return Ok(Asked::Missing),
        Some(depth) if depth != QueueDepth::default() => return Ok(Asked::Depth(depth)),
        Some(_) => {}
    }
    let get = channel.basic_get(short(queue), BasicGetOptions::default());
    let head = match timeout(patience, get).await {
        Ok(answer) => answer.map_err(BrokerError::call(ASKING)),
        Err(_) => Err(BrokerError::NoAnswer {
            what: ASKING,
            seconds: patience.as_secs(),
        }),
    };
    match head.map_err(|error| QueueError::of_leader(queue, error))? {
        // Asked again, because the leader has just answered: now its consumers are known too.
        None => Ok(ask_depth(&channel, queue)
            .await?
            .map_or(Asked::Missing, Asked::Depth)),
        Some(head) => {
            let depth = QueueDepth {
                ready: head.message_count.saturating_add(1),
                consumers: 0,
            };
            Ok(Asked::Head(depth, channel, Box::new(head.delivery)))
        }
    }
}

/// How deep each of several queues is, as each answered itself; the streams among them are believed without asking, because
/// they cannot be asked for a message.
///
/// # Errors
/// [`BrokerError`] when the broker cannot be reached. What one queue does not answer is told in its place.
pub async fn survey(
    settings: &LinkSettings,
    queues: &[SurveyedQueue],
) -> Result<Vec<Result<Option<QueueDepth>, QueueError>>, BrokerError> {
    let mut opened = open(settings).await?;
    let mut patience = CALL_TIMEOUT;
    let mut depths = Vec::with_capacity(queues.len());
    for SurveyedQueue { name, is_stream } in queues {
        let asked = if *is_stream {
            let channel = open_channel(&opened.connection).await?;
            ask_depth(&channel, name).await.map_err(QueueError::Broker)
        } else {
            ask_and_give_back(&opened.connection, name, patience).await
        };
        if asked.is_err() {
            // What was asked and not answered may have cost the connection.
            opened = open(settings).await?;
            patience = PATIENCE_WITH_OTHERS;
        }
        depths.push(asked);
    }
    opened.close().await;
    Ok(depths)
}

/// A queue to be asked how deep it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedQueue {
    /// Its name.
    pub name: String,
    /// Whether it is a stream.
    pub is_stream: bool,
}

/// How deep one queue is, as it answered itself; `None` if there is none.
pub(super) async fn depth_on(
    connection: &Connection,
    queue: &str,
) -> Result<Option<QueueDepth>, BrokerError> {
    Ok(ask_and_give_back(connection, queue, CALL_TIMEOUT).await?)
}

async fn ask_and_give_back(
    connection: &Connection,
    queue: &str,
    patience: Duration,
) -> Result<Option<QueueDepth>, QueueError> {
    Ok(match ask_queue(connection, queue, patience).await? {
        Asked::Missing => None,
        Asked::Depth(depth) => Some(depth),
        Asked::Head(depth, channel, _head) => {
            in_time("closing a channel", channel.close(200, "done".into())).await?;
            Some(depth)
        }
    })
}

/// How deep each of `queues` is, asked on the channel in `slot`, which is opened where there is none. `None` where there
/// is no such queue, or where the broker does not answer for it: that is nothing to wait for.
pub(super) async fn depths_on(
    connection: &Connection,
    slot: &mut Option<Channel>,
    queues: &[String],
) -> Vec<Option<QueueDepth>> {
    let mut depths = Vec::with_capacity(queues.len());
    let mut is_answering = true;
    for queue in queues {
        let asked = if is_answering {
            ask_in_slot(connection, slot, queue).await
        } else {
            Ok(None)
        };
        // Who does not answer for one queue is not asked for the next.
        is_answering &= asked.is_ok();
        depths.push(asked.ok().flatten());
    }
    depths
}

async fn ask_in_slot(
    connection: &Connection,
    slot: &mut Option<Channel>,
    queue: &str,
) -> Result<Option<QueueDepth>, BrokerError> {
    let channel = match slot.take() {
        Some(channel) if channel.status().connected() => channel,
        _ => open_channel(connection).await?,
    };
    let asked = Instant::now();
    let depth = ask_depth(&channel, queue).await?;
    if depth.is_some() {
        // The answer for a missing queue closes the channel.
        *slot = Some(channel);
    }
    // A slow "empty and unread" is what a busy leader is answered for with.
    Ok(depth.filter(|depth| *depth != QueueDepth::default() || asked.elapsed() < FAST))
}

pub(super) async fn ask_depth(channel: &Channel, queue: &str) -> Result<Option<QueueDepth>, BrokerError> {
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
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}
