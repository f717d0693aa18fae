//! Reading a stream: an append-only log, of which every reader sees everything from where it begins.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::time::sleep;

use super::connect::{LinkSettings, Opened, in_time, open, open_channel};
use super::depth::ask_depth;
use super::error::BrokerError;
use super::wire;
use crate::message::Message;

/// A batch of records is at most 1 MiB, so that this many are held in memory without harm.
const PREFETCH: u16 = 16;
/// How often a connection that says nothing is asked whether it still stands.
const CHECK_EVERY: Duration = Duration::from_millis(500);
const WHAT: &str = "following the stream";

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStart {
    /// With the oldest message that is still kept.
    First,
    /// With whatever comes from now on.
    Next,
    /// With the messages of this second since the epoch, or some that came shortly before.
    At(u64),
    /// With the last messages that were written together.
    Last,
    /// With the message of this number, or the oldest that is kept where that is gone.
    Offset(u64),
}

impl StreamStart {
    fn to_argument(self) -> AMQPValue {
        match self {
            Self::First => AMQPValue::LongString("first".into()),
            Self::Next => AMQPValue::LongString("next".into()),
            Self::At(seconds) => AMQPValue::Timestamp(seconds),
            Self::Last => AMQPValue::LongString("last".into()),
            // No stream has numbers beyond what the field holds.
            Self::Offset(offset) => AMQPValue::LongLongInt(i64::try_from(offset).unwrap_or(i64::MAX)),
        }
    }
}

/// A message of a stream.
#[derive(Debug)]
pub struct StreamItem {
    /// Its number in the stream.
    pub offset: u64,
    /// How many messages stood between the one read before and this one, and were removed unread: there was more of the
    /// stream than it may hold.
    pub removed: u64,
    /// The message itself.
    pub message: Message,
}

/// Follows one stream over a connection of its own: what a broker refuses a stream's reader can end the whole connection.
/// Nothing is taken away from anybody else.
pub struct StreamReader {
    opened: Opened,
    channel: Channel,
    stream: String,
    messages: lapin::Consumer,
    /// The number after that of the last message, once there was one.
    next_offset: Option<u64>,
}

impl StreamReader {
    /// Connects, once, and begins to read `stream`.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker cannot be reached; [`BrokerError::is_missing`] where there is no such stream.
    pub async fn open(
        settings: &LinkSettings,
        stream: &str,
        start: StreamStart,
    ) -> Result<Self, BrokerError> {
        let opened = open(settings).await?;
        let channel = open_channel(&opened.connection).await?;
        let prefetch = channel.basic_qos(PREFETCH, BasicQosOptions::default());
        in_time("setting the prefetch", prefetch).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), start.to_argument());
        let consume = channel.basic_consume(
            ShortString::try_new(stream).unwrap_or_default(),
            ShortString::default(),
            BasicConsumeOptions::default(),
            arguments,
        );
        let messages = in_time("consuming", consume).await?;
        Ok(Self {
            opened,
            channel,
            stream: stream.to_owned(),
            messages,
            next_offset: None,
        })
    }

    /// The next message, as soon as there is one.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection or the stream is gone.
    pub async fn next(&mut self) -> Result<StreamItem, BrokerError> {
        let delivery = loop {
            tokio::select! {
                delivery = self.messages.next() => break delivery,
                () = sleep(CHECK_EVERY) => if !self.opened.connection.status().connected() {
                    return Err(ended("the connection is closed"));
                },
            }
        };
        let delivery = match delivery {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Err(BrokerError::call(WHAT)(error)),
            None => return Err(ended("the connection or the stream is gone")),
        };
        // Nothing is removed by it: it asks for one more.
        let acked = in_time("acknowledging", delivery.acker.ack(BasicAckOptions::default())).await?;
        if !acked {
            return Err(ended("the connection is closed"));
        }
        Ok(self.item(wire::from_broker(&delivery.properties, delivery.data)))
    }

    /// How many messages the stream holds, or held some seconds ago. The answer comes behind what the broker does for this
    /// reader: one that hangs before it has found the place to begin with gets none.
    pub(super) async fn messages(&self) -> Result<u32, BrokerError> {
        match ask_depth(&self.channel, &self.stream).await? {
            Some(depth) => Ok(depth.ready),
            None => Err(ended("the stream is gone")),
        }
    }

    fn item(&mut self, message: Message) -> StreamItem {
        let numbered = message.headers.integer("x-stream-offset").ok().flatten();
        let expected = self.next_offset.unwrap_or(0);
        let offset = numbered
            .and_then(|offset| u64::try_from(offset).ok())
            .unwrap_or(expected);
        // What comes first is wherever it was asked to begin.
        let removed = self
            .next_offset
            .map_or(0, |expected| offset.saturating_sub(expected));
        self.next_offset = Some(offset + 1);
        StreamItem {
            offset,
            removed,
            message,
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.opened.close().await;
    }
}

fn ended(why: &'static str) -> BrokerError {
    BrokerError::Call {
        what: WHAT,
        source: why.into(),
    }
}
