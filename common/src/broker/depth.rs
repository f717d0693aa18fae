//! How deep queues are, asked by passive declares.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use tokio::time::Instant;

use super::connect::{in_time, open_channel, short};
use super::error::{BrokerError, NOT_FOUND};

/// An answer after less than this is no answer for a leader that was too busy to give one, which takes 250 ms.
const FAST: Duration = Duration::from_millis(200);

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
    const AGAIN: u32 = 10;
    let mut slow_answers = 0;
    loop {
        let asked = Instant::now();
        let channel = open_channel(connection).await?;
        let depth = ask_depth(&channel, queue).await?;
        if depth != Some(QueueDepth::default()) || asked.elapsed() < FAST || slow_answers == AGAIN {
            return Ok(depth);
        }
        slow_answers += 1;
    }
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

async fn ask_depth(channel: &Channel, queue: &str) -> Result<Option<QueueDepth>, BrokerError> {
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
