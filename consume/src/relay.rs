//! Messages moved from a queue to another place as they are: each leaves the queue when it is stored there.

use hookline_common::broker::{BrokerError, Subscription};
use hookline_common::message::Message;
use tokio::task::JoinSet;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relayed {
    /// Messages that were moved.
    pub moved: usize,
    /// Whether the queue had no more ready. If not, one could not be stored, or no more was to be taken.
    pub is_empty: bool,
}

/// Takes messages from `subscription`, one after the other, for as long as `goes_on` says so, and hands each to `store`.
/// Where that says that it is stored, the message is acknowledged; where not, it goes back and no more is taken. The first
/// goes alone, since nobody knows yet whether any can be stored; then up to `at_once` are on their way.
///
/// # Errors
/// [`BrokerError`] when the subscription is lost. What was not acknowledged is in the queue again, and perhaps where it was
/// to be moved as well.
pub async fn relay<F>(
    subscription: &Subscription,
    at_once: usize,
    goes_on: impl Fn() -> bool,
    store: impl Fn(Message) -> F,
) -> Result<Relayed, BrokerError>
where
    F: Future<Output = bool> + Send + 'static,
{
    let acker = subscription.acker();
    let mut on_their_way = JoinSet::new();
    let mut relayed = Relayed {
        moved: 0,
        is_empty: false,
    };
    let (mut width, mut takes_more) = (1, true);
    loop {
        while takes_more && on_their_way.len() < width {
            takes_more = goes_on();
            if !takes_more {
                break;
            }
            match subscription.get().await? {
                Some(incoming) => {
                    let (tag, stored) = (incoming.tag, store(incoming.message));
                    on_their_way.spawn(async move { (tag, stored.await) });
                }
                None => {
                    takes_more = false;
                    relayed.is_empty = true;
                }
            }
        }
        match on_their_way.join_next().await {
            None => break,
            Some(Ok((tag, true))) => {
                acker.ack_each(vec![tag]).await?;
                relayed.moved += 1;
                width = at_once;
            }
            Some(Ok((tag, false))) => {
                acker.give_back_each(vec![tag]).await?;
                relayed.is_empty = false;
                takes_more = false;
            }
            // It panicked, which ends the process.
            Some(Err(_)) => takes_more = false,
        }
    }
    if relayed.moved > 0 {
        acker.reach_queue().await?;
    }
    Ok(relayed)
}
