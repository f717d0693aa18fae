//! The stream of attempts as the place that batches are written to, and whether it takes them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::broker::{Address, LinkSettings, PublishFault, Publisher};
use hookline_common::message::Message;
use hookline_common::topology::{Namespace, Queue};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::health::{StreamHealth, Told};
use crate::meters::Meters;

/// How often it is looked at whether the stream answers.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A broker that answers a question within this is there.
const BROKER_ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// How long a single batch may take, of a stream that was silent.
const TRY_WITHIN: Duration = Duration::from_secs(2);

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Written {
    /// The stream has it.
    Stored,
    /// The broker takes it in no such size.
    TooLarge(String),
    /// The stream does not answer; whether it has the batch is not known.
    Silent,
}

/// The stream, written to by a publisher that nothing else uses: what is stuck with it takes no other along.
pub(super) struct Stream {
    namespace: Namespace,
    name: String,
    to: Address,
    link: LinkSettings,
    publisher: Mutex<Publisher>,
    /// The link on which a silent broker is told from a silent stream, and which makes a missing one again.
    deliveries: Publisher,
    health: Mutex<StreamHealth>,
    /// Since when it has been silent.
    silent_since: watch::Sender<Option<Instant>>,
    /// The batch that was passed by last, to try the stream with when somebody else has moved it.
    passed_by: Mutex<Option<Message>>,
    told: Mutex<Told>,
    meters: Meters,
}

impl Stream {
    pub(super) fn new(
        link: LinkSettings,
        namespace: &Namespace,
        deliveries: Publisher,
        meters: Meters,
    ) -> Self {
        meters.stream_is_silent(false);
        Self {
            namespace: namespace.clone(),
            name: namespace.queue(Queue::Attempts),
            to: Address::queue(namespace, Queue::Attempts),
            publisher: Mutex::new(Publisher::start_for_records(link.clone())),
            link,
            deliveries,
            health: Mutex::new(StreamHealth::new(Instant::now())),
            silent_since: watch::Sender::new(None),
            passed_by: Mutex::default(),
            told: Mutex::default(),
            meters,
        }
    }

    /// Whether nothing new should be written to it.
    pub(super) fn is_silent(&self) -> bool {
        self.silent_since.borrow().is_some()
    }

    /// Returns when it is silent, or not, as asked for.
    pub(super) async fn becomes_silent(&self, silent: bool) {
        // The sender is a field of ours, so waiting cannot fail.
        let mut state = self.silent_since.subscribe();
        drop(state.wait_for(|since| since.is_some() == silent).await);
    }

    /// Writes a batch, for as long as the stream is not found silent.
    pub(super) async fn write(&self, batch: &Message) -> Written {
        if self.is_silent() {
            return Written::Silent;
        }
        let publisher = self.publisher();
        let waiting = Waiting::of(self);
        let written = tokio::select! {
            written = publisher.publish(&self.to, batch, None) => written,
            () = self.becomes_silent(true) => return Written::Silent,
        };
        match written {
            Ok(_) => {
                waiting.answered();
                Written::Stored
            }
            Err(PublishFault::Refused { refusal, .. }) if !refusal.is_of_the_message() => {
                waiting.answered();
                publisher.await_the_right(&self.to, &refusal).await;
                Written::Silent
            }
            Err(fault @ PublishFault::Refused { .. }) => {
                waiting.answered();
                Written::TooLarge(fault.to_string())
            }
            Err(PublishFault::Unroutable { .. }) => {
                self.deliveries.look_for_missing();
                self.is_now_silent("is missing");
                Written::Silent
            }
            // The link was closed under it, with its runtime or by its owner.
            Err(PublishFault::Late { .. }) => {
                sleep(LOOK_EVERY).await;
                Written::Silent
            }
            // Nothing is taken from this broker any more. The process ends, and what it holds goes to the next.
            Err(PublishFault::Final { .. }) => std::future::pending().await,
        }
    }

    /// Writes one batch, silent or not.
    pub(super) async fn try_to_write(&self, batch: &Message) -> bool {
        let deadline = Instant::now() + TRY_WITHIN;
        let publisher = self.publisher();
        let written = publisher.publish(&self.to, batch, Some(deadline)).await;
        if let Err(PublishFault::Unroutable { .. }) = written {
            self.deliveries.look_for_missing();
        }
        written.is_ok()
    }

    /// Writes the batch that was passed by last, once more: the records' ids tell.
    pub(super) async fn try_with_the_last(&self) -> bool {
        let last = lock(&self.passed_by).clone();
        match last {
            Some(batch) => self.try_to_write(&batch).await,
            None => false,
        }
    }

    /// Looks whether it answers, for ever.
    pub(super) async fn watch(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            let silent_since = *self.silent_since.borrow();
            if let Some(since) = silent_since {
                self.tell(since, 0);
            } else if self.publisher().is_blocked() || !self.deliveries.is_up() {
                self.health().is_excused(Instant::now());
            } else if self.health().is_silent(Instant::now()) && self.broker_answers().await {
                self.is_now_silent("does not confirm");
            }
        }
    }

    async fn broker_answers(&self) -> bool {
        let queues = [Queue::Events];
        let asked = timeout(
            BROKER_ANSWERS_WITHIN,
            self.deliveries.depths(&self.namespace, &queues),
        );
        asked.await.is_ok_and(|depths| depths.iter().any(Option::is_some))
            // The stream may have answered meanwhile, too.
            && self.health().is_silent(Instant::now())
    }

    fn is_now_silent(&self, why: &str) {
        let now = Instant::now();
        let is_new = self.silent_since.send_if_modified(|since| {
            let is_new = since.is_none();
            since.get_or_insert(now);
            is_new
        });
        if is_new {
            self.meters.stream_is_silent(true);
            lock(&self.told).happened(0, now);
            warn!(
                stream = self.name,
                "the stream of attempts {why}: records go to {} until it does again; deliveries go on",
                self.namespace.queue(Queue::AttemptsSpill)
            );
        }
    }

    /// A batch of so many records went elsewhere because it is silent.
    pub(super) fn was_passed_by(&self, batch: &Message, records: usize) {
        self.meters.records_spilled(records);
        *lock(&self.passed_by) = Some(batch.clone());
        let silent_since = *self.silent_since.borrow();
        if let Some(since) = silent_since {
            self.tell(since, records);
        }
    }

    fn tell(&self, since: Instant, records: usize) {
        if let Some(spilled) = lock(&self.told).happened(records, Instant::now()) {
            warn!(
                stream = self.name,
                for_seconds = since.elapsed().as_secs(),
                spilled,
                "the stream of attempts still does not confirm; its replica's node may be down (rabbitmq-streams \
                 stream_status shows it)"
            );
        }
    }

    /// It takes batches again.
    pub(super) fn is_well(&self) {
        if let Some(since) = self.silent_since.send_replace(None) {
            self.meters.stream_is_silent(false);
            *lock(&self.passed_by) = None;
            info!(
                stream = self.name,
                after_seconds = since.elapsed().as_secs(),
                "the stream of attempts confirms again; records go to it"
            );
        }
    }

    /// Makes another connection, for the one that stands may be stuck with what the stream was.
    pub(super) fn reconnect(&self) {
        let fresh = Publisher::start_for_records(self.link.clone());
        let old = std::mem::replace(&mut *lock(&self.publisher), fresh);
        tokio::spawn(async move { old.close().await });
    }

    /// Closes its connection.
    pub(super) async fn close(&self) {
        self.publisher().close().await;
    }

    fn publisher(&self) -> Publisher {
        lock(&self.publisher).clone()
    }

    fn health(&self) -> MutexGuard<'_, StreamHealth> {
        lock(&self.health)
    }
}

/// Nothing that is kept here can be left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A batch whose answer is waited for.
struct Waiting<'a>(&'a Stream);

impl<'a> Waiting<'a> {
    fn of(stream: &'a Stream) -> Self {
        stream.health().sent(Instant::now());
        Self(stream)
    }

    fn answered(self) {
        self.0.health().answered(Instant::now());
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.health().ended();
    }
}
