//! Dead letters are filed: from their queue into the database, many in one transaction, and only then acknowledged.

mod batch; // what is at hand, together
mod letters; // which of it are dead letters

use std::sync::Arc;
use std::time::Duration;

use hookline_common::broker::Consumer;
use hookline_common::shutdown::Shutdown;
use hookline_common::topology::Queue;
use hookline_consume::{AckLedger, Handler, Intake, Supply, Taken, WorkQueue};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::error;

use crate::app::App;

/// Messages in hand at most: two batches, so that one is read while the other is stored.
const MESSAGES: u16 = 1_000;
/// Bytes in hand at most: what a batch takes in memory twice over stays small beside what the process takes.
const BYTES: usize = 8 << 20;
/// How long the end may take: what was stored is acknowledged, and the rest goes back.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Files until it is dropped. What is in hand then is stored and acknowledged, or goes back to its queue.
pub(crate) async fn run(app: App) {
    // The trigger goes with this future.
    let (_trigger, shutdown) = Shutdown::new();
    if let Err(error) = tokio::spawn(work(app, shutdown)).await {
        error!(%error, "dead letters are not filed any more");
    }
}

async fn work(app: App, shutdown: Shutdown) {
    let broker = &app.settings().broker;
    let consumer = Consumer::start(broker.link("hookline-console failed"));
    let ledger = AckLedger::new("failed");
    let acknowledging = {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.acknowledge().await })
    };
    let (sender, receiver) = mpsc::channel(usize::from(MESSAGES));
    let intake = Intake {
        queue: WorkQueue {
            label: ledger.label(),
            queue: broker.namespace.queue(Queue::Failed),
            supply: Supply::Pushed {
                messages: MESSAGES,
                bytes: BYTES,
            },
        },
        consumer: consumer.clone(),
        ledger: Arc::clone(&ledger),
    };
    let desk = Desk {
        sender,
        app: app.clone(),
    };
    tokio::join!(
        intake.run(desk, shutdown.clone()),
        batch::file(app, receiver, shutdown)
    );
    ledger.close();
    let closing = async {
        if let Err(error) = acknowledging.await {
            error!(%error, "dead letters that were filed may not be acknowledged; they come again");
        }
        consumer.close().await;
    };
    // The broker redelivers what it does not hear of.
    drop(timeout(CLOSE_WITHIN, closing).await);
}

/// Where messages come in.
struct Desk {
    sender: mpsc::Sender<Taken>,
    app: App,
}

impl Handler for Desk {
    async fn take(&self, taken: Taken) {
        // Where nobody files any more, it goes back to its queue.
        drop(self.sender.send(taken).await);
    }

    fn queue_is_missing(&self) {
        self.app.publishing().look_for_missing();
    }
}
