//! Messages in hand of a broker that takes whatever it is given.

use std::future::ready;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use hookline_common::broker::{Address, BrokerError, Incoming, PublishFault, Stored};
use hookline_common::message::Message;
use hookline_consume::{AckLedger, Acknowledges, Supply, Taken};

use crate::outside::Keeps;

/// The broker.
#[derive(Clone, Copy)]
pub(crate) struct Willing;

impl Acknowledges for Willing {
    fn generation(&self) -> u64 {
        1
    }

    fn is_void(&self) -> bool {
        false
    }

    fn ack_through(&self, _: u64) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }

    fn ack_each(&self, _: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }

    fn give_back_each(&self, _: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }

    fn reach_channel(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }

    fn reach_queue(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }
}

impl Keeps for Willing {
    fn is_up(&self) -> bool {
        true
    }

    fn connected(&self) -> BoxFuture<'_, Result<(), PublishFault>> {
        Box::pin(ready(Ok(())))
    }

    fn publish_until_stored<'a>(
        &'a self,
        _: &'a Address,
        _: &'a Message,
    ) -> BoxFuture<'a, Result<Stored, PublishFault>> {
        Box::pin(ready(Ok(Stored)))
    }

    fn look_for_missing(&self) {}
}

/// The ledger of a working queue that is consumed.
pub(crate) fn ledger() -> Arc<AckLedger> {
    ledger_for(usize::MAX)
}

/// The same of one that may have so many bytes in hand.
fn ledger_for(bytes: usize) -> Arc<AckLedger> {
    let ledger = AckLedger::new("events");
    let messages = u16::MAX;
    let supply = Supply::Pushed { messages, bytes };
    ledger.subscribed(Arc::new(Willing), supply);
    ledger
}

/// The next message, taken in.
pub(crate) fn take_in(ledger: &Arc<AckLedger>, tag: u64, message: Message) -> Taken {
    let incoming = Incoming {
        tag,
        redelivered: false,
        returned: 0,
        message,
    };
    let in_hand = ledger.receive(&incoming).expect("a fresh message");
    Taken {
        in_hand,
        returned: 0,
        message: incoming.message,
    }
}

/// How many of so many messages that are settled in one moment are acknowledged in the first round, and how many in the next.
async fn rounds(bytes_in_hand: usize) -> [usize; 2] {
    const MESSAGES: usize = 300;
    let ledger = ledger_for(bytes_in_hand);
    let taken = (1..)
        .take(MESSAGES)
        .map(|tag| take_in(&ledger, tag, Message::default()));
    let taken: Vec<_> = taken.collect();
    taken.into_iter().for_each(|taken| taken.in_hand.settle());
    let acknowledging = tokio::spawn({
        let ledger = Arc::clone(&ledger);
        async move { ledger.acknowledge().await }
    });
    let mut untold = MESSAGES;
    let mut rounds = [0; 2];
    for round in &mut rounds {
        ledger.untold_at_most(untold - 1).await;
        *round = untold - ledger.untold();
        untold = ledger.untold();
        if untold == 0 {
            break;
        }
    }
    acknowledging.abort();
    rounds
}

/// Each acknowledgement makes room for another message, and where large ones follow small ones there would be room for too many.
#[tokio::test(start_paused = true)]
async fn few_are_acknowledged_at_once_where_more_bytes_are_in_hand_than_may_be() {
    assert_eq!(rounds(usize::MAX).await, [256, 44]);
    assert_eq!(rounds(1).await, [8, 8]);
}
