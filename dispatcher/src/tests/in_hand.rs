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
    let ledger = AckLedger::new("events");
    let supply = Supply::Pushed {
        messages: u16::MAX,
        bytes: usize::MAX,
    };
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
