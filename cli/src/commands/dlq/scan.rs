//! Reading a queue from its head to where it ended when the reading began.

use hookline_common::broker::{Browser, Held, HeldReceipt, QueueError};
use hookline_common::settings::BrokerSettings;
use hookline_common::shutdown::Shutdown;

use super::dead_letter::DeadLetter;
use super::kind::Kind;
use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out;

/// A queue being read. [`QueueScan::close`] gives back what it holds.
pub(crate) struct QueueScan {
    browser: Browser,
    broker: BrokerSettings,
    kind: Kind,
    shutdown: Shutdown,
}

impl QueueScan {
    /// Connects, and says on stderr what will not be seen.
    pub(crate) async fn open(broker: &BrokerSettings, kind: Kind) -> Result<Self, CliError> {
        let shutdown = on_signals()?;
        let queue = broker.namespace.queue(kind.queue());
        let opened = Browser::open(&broker.link("hookline dlq"), &queue).await;
        let browser = opened
            .map_err(|error| CliError::queue(&error, &broker.url))?
            .ok_or_else(|| {
                CliError::Failed(format!(
                    "there is no queue {queue:?} on the broker; check --namespace, or create it with \
                 `hookline topology apply`"
                ))
            })?;
        let others = browser.depth().consumers;
        if others > 0 {
            let who = if others == 1 {
                "1 other reads".to_owned()
            } else {
                format!("{others} others read")
            };
            out::note(&format!(
                "hookline: {who} {queue:?} too; what is held there is not seen here ({})",
                kind.other_reader()
            ));
        }
        Ok(Self {
            browser,
            broker: broker.clone(),
            kind,
            shutdown,
        })
    }

    /// How many messages there are to read.
    pub(crate) fn depth(&self) -> u64 {
        u64::from(self.browser.depth().ready)
    }

    /// The next message, or `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(DeadLetter, Held)>, CliError> {
        // Looked at between messages: a read that is broken off half-way could leave a window that nobody
        // reads.
        if self.shutdown.is_requested() {
            return Err(interrupted());
        }
        let held = self
            .browser
            .next()
            .await
            .map_err(|error| CliError::queue(&error, &self.broker.url))?;
        Ok(held.map(|held| (DeadLetter::read(self.kind, &held.message), held)))
    }

    /// Asks a question, while the queue is held.
    pub(crate) async fn ask(&self, question: &str) -> Result<bool, CliError> {
        tokio::select! {
            answer = out::ask(question) => Ok(answer.unwrap_or(false)),
            () = self.shutdown.requested() => Err(interrupted()),
        }
    }

    /// Takes one message out of the queue.
    pub(crate) async fn take_out(&mut self, receipt: HeldReceipt) -> Result<(), CliError> {
        self.browser
            .ack(receipt)
            .await
            .map_err(|error| CliError::broker(&error, &self.broker.url))
    }

    /// Waits until the broker has received the acknowledgements of what was taken out.
    pub(crate) async fn flush_acks(&self) -> Result<(), CliError> {
        self.browser
            .flush_acks()
            .await
            .map_err(|error| CliError::broker(&error, &self.broker.url))
    }

    /// Gives back what is held. What went wrong before counts more than what goes wrong now.
    pub(crate) async fn close<T>(self, done: Result<T, CliError>) -> Result<T, CliError> {
        let closed = self.browser.close().await;
        let done = done?;
        closed.map_err(|error: QueueError| CliError::queue(&error, &self.broker.url))?;
        Ok(done)
    }
}

fn interrupted() -> CliError {
    CliError::Failed("interrupted; what was not finished is still in the queue, run it again".to_owned())
}
