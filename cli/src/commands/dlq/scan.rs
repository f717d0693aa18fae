//! Reading a queue from its head to where it ended when the reading began.

use hookline_common::broker::{Browser, Held, HeldReceipt, QueueError};
use hookline_common::settings::BrokerSettings;
use hookline_common::shutdown::Shutdown;

use super::dead_letter::DeadLetter;
use super::kind::Kind;
use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out;

/// A queue being read. [`QueueScan::close`] and [`QueueScan::give_back`] give back what it holds.
pub(crate) struct QueueScan {
    browser: Browser,
    broker: BrokerSettings,
    kind: Kind,
    unseen: Unseen,
    shutdown: Shutdown,
}

/// What others hold of a queue, and is not seen therefore: told beside what was found, or with why something was not.
#[derive(Debug, Default)]
pub(crate) struct Unseen(Option<String>);

impl Unseen {
    fn of(queue: &str, consumers: u32, kind: Kind) -> Self {
        let who = match consumers {
            0 => return Self(None),
            1 => "1 other reads".to_owned(),
            others => format!("{others} others read"),
        };
        Self(Some(format!(
            "{who} {queue:?} too; what is held there is not seen here ({})",
            kind.other_reader()
        )))
    }

    /// Tells it beside a result.
    pub(crate) fn tell(self) {
        if let Some(what) = self.0 {
            out::note(&format!("notice: {what}"));
        }
    }

    /// Why a command failed, with it.
    pub(crate) fn beside(self, fault: String) -> CliError {
        CliError::Failed(match self.0 {
            Some(what) => format!("{fault}; {what}"),
            None => fault,
        })
    }
}

impl QueueScan {
    /// Connects.
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
        Ok(Self {
            unseen: Unseen::of(&queue, browser.depth().consumers, kind),
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

    /// Asks a question, while the queue is held. Whoever answers it is told before what was not seen.
    pub(crate) async fn ask(&mut self, question: &str) -> Result<bool, CliError> {
        std::mem::take(&mut self.unseen).tell();
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

    /// Gives back what is held, and returns with what was done what was not seen meanwhile. What went wrong before counts more than
    /// what goes wrong now.
    pub(crate) async fn close<T>(self, done: Result<T, CliError>) -> Result<(T, Unseen), CliError> {
        let (given_back, unseen) = self.give_back().await;
        let done = done?;
        given_back?;
        Ok((done, unseen))
    }

    /// The same for whoever takes messages out and has to tell how many, whatever went wrong: returns whether the broker has seen
    /// all that was taken out, and what was not seen meanwhile.
    pub(crate) async fn give_back(self) -> (Result<(), CliError>, Unseen) {
        let closed = self.browser.close().await;
        let closed = closed.map_err(|error: QueueError| CliError::queue(&error, &self.broker.url));
        (closed, self.unseen)
    }
}

fn interrupted() -> CliError {
    CliError::Failed("interrupted; what was not finished is still in the queue, run it again".to_owned())
}
