//! One try to publish a message: how it ended, and whether that is known of this very message.

use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::confirm_channel::{Answer, ConfirmChannel, Sent};
use super::error::BrokerError;
use super::established::Established;
use super::publish_channel::PublishChannels;
use super::refusal::Refusal;
use crate::message::Message;

/// How old a channel is before it is opened anew. A queue that is full refuses everything that waits for it once a second, and
/// each of that would open another.
const ANEW_AFTER: Duration = Duration::from_secs(1);
/// The same of one that has brought something into its queue before: what it refuses may be what a full queue cannot take yet.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// How one try to publish ended.
pub(super) enum Tried {
    /// A queue has it.
    Stored,
    /// No queue takes it.
    Unroutable,
    /// A negative confirm: the queue is full, or has no quorum.
    Nacked {
        /// Whether the destination's next messages go over a new channel.
        is_anew: bool,
    },
    /// The broker closed the channel because of this very message, which is not stored.
    Refused(Refusal),
    /// The broker closed the channel because of a message, and it may have been this one.
    Suspected {
        error: BrokerError,
        /// Whether this one is not stored, whichever it was.
        is_unstored: bool,
    },
    /// There was no answer.
    Unknown(BrokerError),
}

/// Sends the message and waits for the answer, for as long as the connection lives. A suspect goes alone.
pub(super) async fn try_once(
    established: &Established<PublishChannels>,
    to: &Address,
    message: &Message,
    is_suspect: bool,
) -> Tried {
    let channels = &established.ready;
    let channel = match channel_to(established, to).await {
        Ok(channel) => channel,
        Err(error) => {
            established.give_up(format!("publishing to {:?}: {error}", to.destination()));
            return Tried::Unknown(error);
        }
    };
    let sending = async {
        if is_suspect {
            channels.send_alone(&established.connection, to, message).await
        } else {
            Ok(channel.send(to, message).await)
        }
    };
    let sent = tokio::select! {
        // An answer that has come counts, although the connection has ended since.
        biased;
        sent = sending => sent,
        lost = established.lost("publishing") => Err(lost),
    };
    let (error, was_alone) = match sent {
        Ok(Sent {
            answer: Ok(answer), ..
        }) => {
            return match answer {
                Answer::Stored => Tried::Stored,
                Answer::Unroutable => Tried::Unroutable,
                Answer::Nacked => Tried::Nacked {
                    is_anew: !is_suspect && begin_anew(established, to, &channel).await,
                },
            };
        }
        Ok(Sent {
            answer: Err(error),
            was_alone,
        }) => (error, was_alone),
        Err(error) => (error, false),
    };
    let refusal = error.refusal().cloned();
    if !is_suspect {
        recover(established, to, &channel, &error).await;
    }
    match refusal {
        Some(refusal) if refusal.is_of_an_acknowledgement() => Tried::Unknown(error),
        Some(refusal) if is_of_this_one(&refusal, was_alone, is_suspect) => Tried::Refused(refusal),
        Some(refusal) if refusal.is_of_the_channel() || refusal.is_of_the_message() => {
            let max = refusal.max_message_bytes();
            if max.is_some_and(|max| message.body.len() as u64 <= max) {
                return Tried::Unknown(error);
            }
            let is_unstored = max.is_some();
            Tried::Suspected { error, is_unstored }
        }
        _ => Tried::Unknown(error),
    }
}

/// Whether a message that met a refusal is what was refused: it was alone on its channel. Frames that cannot be read close
/// the whole connection, so of these only a suspect is known.
fn is_of_this_one(refusal: &Refusal, was_alone: bool, is_suspect: bool) -> bool {
    was_alone && (refusal.is_of_the_channel() || is_suspect && refusal.is_of_the_message())
}

async fn channel_to(
    established: &Established<PublishChannels>,
    to: &Address,
) -> Result<Arc<ConfirmChannel>, BrokerError> {
    let (channels, destination) = (&established.ready, to.destination());
    if let Some(channel) = channels.known(destination) {
        return Ok(channel);
    }
    tokio::select! {
        opened = channels.open(&established.connection, destination) => opened,
        lost = established.lost("opening a channel") => Err(lost),
    }
}

/// Opens the destination's channel anew where it is refused and has brought nothing into a queue, ever or for a while.
///
/// RabbitMQ 3.10 asks for a queue's leader once for each channel. One that was opened just after the leader's node had died goes
/// on asking that node, and refuses everything for as long as it is away, though another node leads by then. And
/// where a queue was full and has more room by a changed policy, channels that were refused are not told before something is taken
/// out of it, which of dead letters may be never. Says whether there is a new one.
async fn begin_anew(
    established: &Established<PublishChannels>,
    to: &Address,
    channel: &Arc<ConfirmChannel>,
) -> bool {
    let patience = if channel.has_stored() {
        STUCK_AFTER
    } else {
        ANEW_AFTER
    };
    if channel.stores_nothing_for() < patience {
        return false;
    }
    let (connection, destination) = (&established.connection, to.destination());
    let reopened = tokio::select! {
        reopened = established.ready.reopen(connection, destination, channel) => reopened,
        lost = established.lost("opening a channel") => Err(lost),
    };
    if let Err(error) = &reopened {
        established.give_up(format!("publishing to {destination:?}: {error}"));
    }
    reopened.is_ok_and(|is_anew| is_anew)
}

/// Makes good for an error: where it closed no more than the channel, that is opened again, else the connection is given up.
async fn recover(
    established: &Established<PublishChannels>,
    to: &Address,
    channel: &Arc<ConfirmChannel>,
    error: &BrokerError,
) {
    let destination = to.destination();
    // Who finds the channel closed by somebody else's message gets no code of the broker's.
    let is_channel_only = error.refusal().is_none_or(|refusal| refusal.is_of_the_channel());
    let is_standing = !established.is_gone() && established.connection.status().connected();
    let reopened = async {
        tokio::select! {
            reopened = established.ready.reopen(&established.connection, destination, channel) => reopened,
            lost = established.lost("opening a channel") => Err(lost),
        }
    };
    let is_recovered = is_channel_only && is_standing && !channel.is_open() && reopened.await.is_ok();
    if !is_recovered {
        established.give_up(format!("publishing to {destination:?}: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_that_was_alone_is_known_to_be_what_was_refused() {
        let refusal = |code| Refusal {
            code,
            text: String::new(),
        };
        for (code, was_alone, is_suspect, expected) in [
            (403, true, false, true),
            (403, false, false, false),
            (406, true, true, true),
            // These close the connection, and with it what was under way on other channels.
            (501, true, false, false),
            (501, true, true, true),
            (541, true, true, false),
        ] {
            let known = is_of_this_one(&refusal(code), was_alone, is_suspect);
            assert_eq!(known, expected, "{code} {was_alone} {is_suspect}");
        }
    }
}
