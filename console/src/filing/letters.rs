//! Which messages are dead letters, and where those go that are none.

use hookline_common::message::{Message, Rejection, read_dead_letter};
use hookline_consume::{InHand, Taken};
use hookline_store::NewDeadLetter;
use tracing::warn;

use crate::app::App;
use crate::meters;

/// A dead letter in hand, with the message that it came as.
pub(super) struct DeadLetterInHand {
    pub(super) in_hand: InHand,
    pub(super) dead_letter: NewDeadLetter,
    message: Message,
}

/// A message in hand that is no dead letter, and why.
pub(super) struct NoDeadLetter {
    in_hand: InHand,
    message: Message,
    rejection: Rejection,
}

/// Reads a message; nothing where it is not ours any more.
pub(super) fn read(taken: Taken) -> Option<Result<DeadLetterInHand, NoDeadLetter>> {
    let Taken { in_hand, message, .. } = taken;
    let in_hand = in_hand.begin()?;
    Some(match read_dead_letter(&message) {
        Ok((delivery, cause)) => Ok(DeadLetterInHand {
            in_hand,
            dead_letter: NewDeadLetter { delivery, cause },
            message,
        }),
        Err(rejection) => Err(NoDeadLetter {
            in_hand,
            message,
            rejection,
        }),
    })
}

impl DeadLetterInHand {
    /// The database does not take it.
    pub(super) fn not_filed(self, why: String) -> NoDeadLetter {
        NoDeadLetter {
            in_hand: self.in_hand,
            message: self.message,
            rejection: Rejection::NotFiled(why),
        }
    }
}

impl NoDeadLetter {
    /// Sends it to where people look at it, however long that takes. Only then is it settled.
    pub(super) async fn reject(self, app: App) {
        let Self {
            in_hand,
            message,
            rejection,
        } = self;
        warn!(
            message_id = message.message_id.as_deref(),
            reason = rejection.name(),
            "a message among the dead letters goes to the rejected queue: {rejection}"
        );
        match app.publishing().rejected(&message, &rejection).await {
            Ok(()) => {
                meters::not_filed();
                in_hand.settle();
            }
            // It stays in its queue, and comes again with the next connection.
            Err(fault) => warn!(%fault, "a message that is no dead letter cannot be set aside, and stays"),
        }
    }
}
