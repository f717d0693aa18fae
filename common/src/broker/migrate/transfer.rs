//! Moves messages from one queue into another, in their order: each is acknowledged there after it is confirmed here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Confirmation, Connection};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::super::connect::{CALL_TIMEOUT, LinkSettings, Opened, in_time, open, open_channel, short};
use super::super::depth::depth_on;
use super::super::error::BrokerError;
use super::super::returns::Returns;
use super::carried::Carried;
use super::step::MigrationStep;

/// Published and not confirmed at most; what is received beyond that waits. More gains nothing, and may be there twice after a
/// kill.
const IN_FLIGHT: usize = 100;
/// Confirmed messages that are acknowledged together; more gain nothing.
const ACK_EVERY: u32 = 50;
/// A queue without quorum for a while, or the broker short of memory: longer is no reason to hope.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// What does not come within this was not on its way.
const QUIET: Duration = Duration::from_millis(50);
/// Under load there is always something in flight. After so long without a moment of rest it does not matter any more.
const NO_REST: Duration = Duration::from_secs(10);
/// Between tries to store what is in no queue.
const STORE_PAUSE: Duration = Duration::from_millis(500);
const WHAT: &str = "moving messages";

type Confirming = BoxFuture<'static, lapin::Result<Confirmation>>;

/// A transfer under way.
pub(super) struct Transfer {
    from: ShortString,
    to: ShortString,
    incoming: Channel,
    messages: lapin::Consumer,
    outgoing: Channel,
    /// What came back on the connection of `outgoing`.
    returns: Returns,
    /// Published and not confirmed, oldest first, and the broker's answers to come in the same order.
    in_flight: VecDeque<Arc<Carried>>,
    answers: FuturesOrdered<Confirming>,
    /// Confirmed and not acknowledged: the newest, which acknowledges the older ones with it, and their number.
    to_ack: Option<Arc<Carried>>,
    unacked: u32,
    moved: u64,
}

impl Transfer {
    /// Begins to receive what is in `from`, at most `window` messages ahead.
    pub(super) async fn begin(
        incoming: &Connection,
        outgoing: &Opened,
        from: &str,
        to: &str,
        window: u16,
    ) -> Result<Self, BrokerError> {
        let returns = outgoing.heard.returns.clone();
        let outgoing = open_confirming(&outgoing.connection).await?;
        let incoming = open_channel(incoming).await?;
        let prefetch = incoming.basic_qos(window, BasicQosOptions::default());
        in_time("setting the prefetch", prefetch).await?;
        let consume = incoming.basic_consume(
            short(from),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let messages = in_time("consuming", consume).await?;
        Ok(Self {
            from: short(from),
            to: short(to),
            incoming,
            messages,
            outgoing,
            returns,
            in_flight: VecDeque::new(),
            answers: FuturesOrdered::new(),
            to_ack: None,
            unacked: 0,
            moved: 0,
        })
    }

    /// Moves until nothing is left in the queue, and all that it had is moved. What is published to it from then on is received
    /// at once. Over `asking` the queue is asked how much it has.
    pub(super) async fn catch_up(&mut self, asking: &Connection) -> Result<(), BrokerError> {
        loop {
            if let Ok(received) = timeout(QUIET, self.messages.next()).await {
                self.take(received).await?;
                self.settle(Instant::now() + NO_REST).await?;
            }
            let depth = depth_on(asking, self.from.as_str()).await?;
            let depth = depth.ok_or_else(|| lost("the queue is gone"))?;
            // While its leader is away a queue is answered for with a zero, and without the consumer that we are.
            if depth.ready == 0 && depth.consumers > 0 {
                break;
            }
        }
        // What was handed out before that answer may still wait in our channel, and comes before the answer to this.
        let answered = self.incoming.basic_qos(1, BasicQosOptions::default());
        in_time(WHAT, answered).await?;
        self.rest_within(NO_REST).await
    }

    /// Moves what comes until there is a moment in which nothing is in hand, for so long at most.
    pub(super) async fn rest_within(&mut self, time: Duration) -> Result<(), BrokerError> {
        let until = Instant::now() + time;
        loop {
            self.settle(until).await?;
            match self.messages.next().now_or_never() {
                Some(received) if Instant::now() < until => self.take(received).await?,
                Some(received) => return self.take(received).await,
                None => return Ok(()),
            }
        }
    }

    /// Moves what comes, for so long.
    pub(super) async fn go_on_for(&mut self, time: Duration) -> Result<(), BrokerError> {
        let until = Instant::now() + time;
        while let Ok(received) = timeout_at(until, self.messages.next()).await {
            self.take(received).await?;
            self.settle(until).await?;
        }
        self.rest_within(NO_REST).await
    }

    /// How many messages were moved so far.
    pub(super) fn moved(&self) -> u64 {
        self.moved
    }

    /// Ends it, and says how many messages were moved. What was received and not moved is back in its queue.
    pub(super) async fn end(mut self) -> Result<u64, BrokerError> {
        self.settle(Instant::now() + CONFIRM_TIMEOUT).await?;
        if !self.answers.is_empty() {
            return Err(no_answer());
        }
        // Acknowledgements on their way are lost when a channel closes; any call with an answer comes behind them.
        let answered = self.incoming.basic_qos(1, BasicQosOptions::default());
        in_time("acknowledging", answered).await?;
        in_time("closing a channel", self.incoming.close(200, "done".into())).await?;
        in_time("closing a channel", self.outgoing.close(200, "done".into())).await?;
        Ok(self.moved)
    }

    /// Everything that was received and is not known to be stored, after the queue was deleted: all that it ever confirmed
    /// reaches its consumer before the end of it does.
    pub(super) async fn into_rest(mut self) -> Vec<Arc<Carried>> {
        let mut received = Vec::new();
        // Where the call to delete it got no answer it may stand, and never tells of an end.
        let until = Instant::now() + CALL_TIMEOUT;
        while let Ok(Some(Ok(delivery))) = timeout_at(until, self.messages.next()).await {
            received.push(Arc::new(Carried::of(delivery)));
        }
        while let Ok(Some(answer)) = timeout(CALL_TIMEOUT, self.answers.next()).await {
            if is_stored(answer, &self.returns).is_err() {
                break;
            }
            self.in_flight.pop_front();
        }
        self.in_flight.into_iter().chain(received).collect()
    }

    /// Waits until nothing is in flight, or `until` has come, and moves what is received meanwhile.
    async fn settle(&mut self, until: Instant) -> Result<(), BrokerError> {
        while !self.answers.is_empty() && Instant::now() < until {
            let has_room = self.in_flight.len() < IN_FLIGHT;
            tokio::select! {
                biased;
                Some(answer) = self.answers.next() => self.confirmed(answer).await?,
                received = self.messages.next(), if has_room => self.take(received).await?,
                () = sleep(CONFIRM_TIMEOUT) => return Err(no_answer()),
            }
        }
        self.ack().await
    }

    async fn take(&mut self, received: Option<lapin::Result<Delivery>>) -> Result<(), BrokerError> {
        self.publish(Carried::of(intact(received)?)).await
    }

    async fn publish(&mut self, message: Carried) -> Result<(), BrokerError> {
        let message = Arc::new(message);
        // First, so that it is not forgotten whatever becomes of the call.
        self.in_flight.push_back(Arc::clone(&message));
        let answer = publish(&self.outgoing, &self.to, &message).await?;
        self.answers.push_back(answer);
        Ok(())
    }

    async fn confirmed(&mut self, answer: lapin::Result<Confirmation>) -> Result<(), BrokerError> {
        is_stored(answer, &self.returns)?;
        self.to_ack = self.in_flight.pop_front();
        self.unacked += 1;
        self.moved += 1;
        if self.unacked >= ACK_EVERY {
            self.ack().await?;
        }
        Ok(())
    }

    async fn ack(&mut self) -> Result<(), BrokerError> {
        let Some(newest) = self.to_ack.take() else {
            return Ok(());
        };
        self.unacked = 0;
        // They are confirmed in the order in which they were received.
        let acked = newest.acker.ack(BasicAckOptions { multiple: true });
        if in_time("acknowledging", acked).await? {
            Ok(())
        } else {
            Err(lost("the channel has ended"))
        }
    }
}

/// Stores what is in no queue. Does not end before all of it is stored: nobody else has it.
pub(super) async fn store(
    settings: &LinkSettings,
    to: &str,
    messages: Vec<Arc<Carried>>,
    tell: &(dyn Fn(MigrationStep<'_>) + Sync),
) {
    let mut left = VecDeque::from(messages);
    while !left.is_empty() {
        if let Err(error) = try_to_store(settings, to, &mut left).await {
            tell(MigrationStep::HoldingTheLast {
                messages: left.len(),
                error: &error,
            });
            sleep(STORE_PAUSE).await;
        }
    }
}

async fn try_to_store(
    settings: &LinkSettings,
    to: &str,
    left: &mut VecDeque<Arc<Carried>>,
) -> Result<(), BrokerError> {
    let opened = open(settings).await?;
    let channel = open_confirming(&opened.connection).await?;
    let to = short(to);
    while !left.is_empty() {
        let mut answers = Vec::new();
        for message in left.iter().take(IN_FLIGHT) {
            answers.push(publish(&channel, &to, message).await?);
        }
        for answer in answers {
            let answer = timeout(CONFIRM_TIMEOUT, answer).await;
            is_stored(answer.map_err(|_| no_answer())?, &opened.heard.returns)?;
            left.pop_front();
        }
    }
    opened.close().await;
    Ok(())
}

async fn open_confirming(connection: &Connection) -> Result<Channel, BrokerError> {
    let channel = open_channel(connection).await?;
    let selected = channel.confirm_select(ConfirmSelectOptions::default());
    in_time("switching to confirms", selected).await?;
    Ok(channel)
}

/// Hands a message to the broker; its answer comes later.
#[expect(
    clippy::disallowed_methods,
    reason = "the message stays as it is, and its confirm is waited for"
)]
async fn publish(channel: &Channel, to: &ShortString, message: &Carried) -> Result<Confirming, BrokerError> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let sent = channel.basic_publish(
        ShortString::default(),
        to.clone(),
        options,
        &message.body,
        message.properties.clone(),
    );
    let answer = in_time("publishing", sent).await?;
    Ok(answer.boxed())
}

/// The end of the consumer is the end of its queue, which somebody else must have deleted.
fn intact(received: Option<lapin::Result<Delivery>>) -> Result<Delivery, BrokerError> {
    match received {
        Some(delivery) => delivery.map_err(BrokerError::call(WHAT)),
        None => Err(lost("the consumer has ended")),
    }
}

fn lost(why: &str) -> BrokerError {
    BrokerError::Lost {
        what: WHAT,
        why: why.to_owned(),
    }
}

fn no_answer() -> BrokerError {
    BrokerError::NoAnswer {
        what: WHAT,
        seconds: CONFIRM_TIMEOUT.as_secs(),
    }
}

/// What comes back comes before its confirm, and the client library may hand it to another's: then none counts as stored.
fn is_stored(answer: lapin::Result<Confirmation>, returns: &Returns) -> Result<(), BrokerError> {
    let refused = |why: &'static str| BrokerError::Call {
        what: WHAT,
        source: why.into(),
    };
    match answer.map_err(BrokerError::call(WHAT))? {
        Confirmation::Ack(None) if returns.is_empty() => Ok(()),
        Confirmation::Ack(_) => Err(refused("the queue that they move into is gone")),
        Confirmation::Nack(_) => Err(refused(
            "the queue that they move into takes no more: it has no quorum, or a policy bounds its length (`hookline topology \
             check` with HOOKLINE_MANAGEMENT_URL names it)",
        )),
        Confirmation::NotRequested => Err(refused("confirms are off")),
    }
}
