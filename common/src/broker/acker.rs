//! Acknowledging what a subscription took, or giving it back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::ShortString;
use tokio::time::timeout;

use super::connect::in_time;
use super::error::BrokerError;
use super::established::Established;

/// How long a broker that is asked for no more messages may take. It is asked at the end of a process, which a silent broker must
/// not hold up.
pub(super) const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the last acknowledgements may take, for the same reason: what the broker did not take in, it gives out again. A busy
/// one has taken more than 300 ms, and a stop has five seconds for this and for closing its connections.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

const WHAT: &str = "acknowledging";

/// Acknowledges the messages of one subscription, or gives them back. Its tags mean nothing on any other.
#[derive(Clone)]
pub struct Acker {
    pub(super) queue: ShortString,
    pub(super) channel: Channel,
    pub(super) established: Arc<Established<()>>,
}

impl Acker {
    /// Acknowledges these messages. All go out together: waiting for one after the other would cost several times as much.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone: the broker gives the messages to somebody again.
    pub async fn ack_each(&self, tags: Vec<u64>) -> Result<(), BrokerError> {
        let sent = join_all(tags.into_iter().map(|tag| self.ack(tag, false))).await;
        sent.into_iter().collect()
    }

    /// Acknowledges every message up to this one.
    ///
    /// # Errors
    /// As [`Acker::ack_each`].
    pub async fn ack_through(&self, tag: u64) -> Result<(), BrokerError> {
        self.ack(tag, true).await
    }

    /// Gives these messages back to their queue, for whoever asks next. RabbitMQ counts that as a return up to 4.2.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is gone, and with it all that it held given back.
    pub async fn give_back_each(&self, tags: Vec<u64>) -> Result<(), BrokerError> {
        let sent = join_all(tags.into_iter().map(|tag| self.give_back(tag))).await;
        sent.into_iter().collect()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Acker")]
    async fn ack(&self, tag: u64, multiple: bool) -> Result<(), BrokerError> {
        let ack = self.channel.basic_ack(tag, BasicAckOptions { multiple });
        self.giving_up(in_time(WHAT, ack).await)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Acker")]
    async fn give_back(&self, tag: u64) -> Result<(), BrokerError> {
        let options = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        let nack = self.channel.basic_nack(tag, options);
        self.giving_up(in_time("giving a message back", nack).await)
    }

    fn giving_up(&self, sent: Result<(), BrokerError>) -> Result<(), BrokerError> {
        if let Err(error) = &sent {
            self.give_up(error);
        }
        sent
    }

    pub(super) fn give_up(&self, error: &BrokerError) {
        let (queue, advice) = (self.queue.as_str(), error.advice());
        self.established
            .give_up(format!("consuming {queue:?}: {error}; {advice}"));
    }

    /// Returns when the broker's channel has every acknowledgement sent before.
    ///
    /// # Errors
    /// [`BrokerError`] when it does not answer within three seconds.
    pub async fn reach_channel(&self) -> Result<(), BrokerError> {
        // Any call with an answer does; this one changes nothing for a consumer that was cancelled.
        let asked = async {
            let answered = self.channel.basic_qos(1, BasicQosOptions::default()).await;
            answered.map_err(BrokerError::call(WHAT))
        };
        within_a_stop(asked).await
    }

    /// Returns when the queue has taken every acknowledgement sent before. The broker's channel hands a quorum queue 32 at once, holds
    /// the rest back until those are written down, says nothing of it, and forgets what it holds back when it closes.
    ///
    /// What is asked of the queue itself is answered after what the channel handed over before. So a first question is answered
    /// after the 32, whose end lets the channel hand over the rest; and a second after the rest. The third is for a channel that
    /// heard of that end only after the second. What is got is given back, which counts as a return as it does for whatever else a
    /// process gives back.
    ///
    /// # Errors
    /// [`BrokerError`] when it does not answer within three seconds.
    pub async fn reach_queue(&self) -> Result<(), BrokerError> {
        let asked = async {
            let mut got = Vec::new();
            for _ in 0..3 {
                let get = BasicGetOptions { no_ack: false };
                let answer = self.channel.basic_get(self.queue.clone(), get).await;
                let message = answer.map_err(BrokerError::call(WHAT))?;
                if let Some(message) = &message {
                    self.established.heard.unread.taken(message.delivery.data.len());
                }
                got.extend(message);
            }
            let given_back = got
                .iter()
                .map(|message| self.give_back(message.delivery.delivery_tag));
            join_all(given_back).await.into_iter().collect()
        };
        within_a_stop(asked).await
    }

    /// Whether the connection that these acknowledgements belong to is gone.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.established.is_gone()
    }

    /// Counts the connections: a later subscription has a higher number.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.established.generation
    }
}

async fn within_a_stop(asked: impl Future<Output = Result<(), BrokerError>>) -> Result<(), BrokerError> {
    timeout(FLUSH_TIMEOUT, asked).await.unwrap_or_else(|_| {
        Err(BrokerError::NoAnswer {
            what: WHAT,
            seconds: FLUSH_TIMEOUT.as_secs(),
        })
    })
}
