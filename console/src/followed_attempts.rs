//! The attempts of test events, as the log tells them: one reader of its stream for all who wait, for as long as somebody
//! does. Batches that dispatchers spill because the stream does not take them are seen when they are moved there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::broker::{BrokerError, LinkSettings, StreamReader, StreamStart};
use hookline_common::ids::{CompanyId, EventId};
use hookline_common::message::Message;
use hookline_common::record::Batch;
use hookline_common::settings::BrokerSettings;
use hookline_common::topology::Queue;
use serde::Deserialize;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

/// Those who wait at once, at most: each is a request that somebody looks at a page for. One more gets no attempt.
const MAX_WAITING: usize = 64;
/// Of these, one company's at most: no company keeps all others from theirs.
const MAX_OF_COMPANY: usize = 8;
/// How long the reader stays when nobody waits any more: who sends one test event often sends another.
const STAYS_FOR: Duration = Duration::from_secs(10);
/// How often it is looked whether somebody waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Finds the attempts of events that are about to be published.
pub(crate) struct FollowedAttempts(Arc<Shared>);

struct Shared {
    link: LinkSettings,
    stream: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<String, (CompanyId, oneshot::Sender<Vec<u8>>)>,
    /// Whether the reader reads; none where there is no reader.
    reader: Option<watch::Receiver<bool>>,
}

impl State {
    fn has_room_for(&self, company: &CompanyId) -> bool {
        let of_company = self.waiting.values().filter(|(whose, _)| whose == company);
        self.waiting.len() < MAX_WAITING && of_company.count() < MAX_OF_COMPANY
    }

    /// Whoever waits for this event of this company. The ids of events are their publishers', so that another company's event may
    /// have the same.
    fn take(&mut self, event: String, company: &str) -> Option<oneshot::Sender<Vec<u8>>> {
        match self.waiting.entry(event) {
            Entry::Occupied(waiting) if waiting.get().0.as_str() == company => Some(waiting.remove().1),
            Entry::Occupied(_) | Entry::Vacant(_) => None,
        }
    }
}

/// Somebody who waits for an event's attempt. Dropped, nobody does.
pub(crate) struct Waiting {
    event: String,
    shared: Arc<Shared>,
    record: oneshot::Receiver<Vec<u8>>,
}

impl FollowedAttempts {
    pub(crate) fn new(broker: &BrokerSettings) -> Self {
        Self(Arc::new(Shared {
            link: broker.link("hookline-console attempts"),
            stream: broker.namespace.queue(Queue::Attempts),
            state: Mutex::default(),
        }))
    }

    /// Returns when the log is followed, so that no attempt of `event` from now on is missed; `None` where it cannot be until
    /// `deadline`, or too many wait, of all companies or of this one.
    pub(crate) async fn follow(
        &self,
        company: &CompanyId,
        event: &EventId,
        deadline: Instant,
    ) -> Option<Waiting> {
        let (sender, record) = oneshot::channel();
        let mut reader = {
            let mut state = self.0.state();
            if !state.has_room_for(company) {
                return None;
            }
            let waiting = (company.clone(), sender);
            state.waiting.insert(event.as_str().to_owned(), waiting);
            match &state.reader {
                Some(reader) => reader.clone(),
                None => {
                    let (reads, reader) = watch::channel(false);
                    state.reader = Some(reader.clone());
                    tokio::spawn(read(Arc::clone(&self.0), reads));
                    reader
                }
            }
        };
        let waiting = Waiting {
            event: event.as_str().to_owned(),
            shared: Arc::clone(&self.0),
            record,
        };
        let reads = timeout_at(deadline, reader.wait_for(|reads| *reads)).await;
        matches!(reads, Ok(Ok(_))).then_some(waiting)
    }
}

impl Waiting {
    /// The record of the attempt, a JSON object as the dispatcher wrote it; `None` where it did not come until `deadline`.
    pub(crate) async fn record(mut self, deadline: Instant) -> Option<Vec<u8>> {
        timeout_at(deadline, &mut self.record).await.ok()?.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.event);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_waiting(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    /// Hands the records of a batch to those who wait for them.
    fn hand_out(&self, message: &Message) {
        #[derive(Deserialize)]
        struct Line {
            event: String,
            company: String,
        }
        // Batches are read while others register, not under the lock.
        if !self.has_waiting() {
            return;
        }
        let Ok(text) = Batch::text(message) else {
            return;
        };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(Line { event, company }) = serde_json::from_slice(line) else {
                continue;
            };
            let waiting = self.state().take(event, &company);
            if let Some(sender) = waiting {
                // Whoever has gone meanwhile needs it no more.
                drop(sender.send(line.to_vec()));
            }
        }
    }

    /// There is no reader any more. Those who wait get nothing.
    fn end(&self) {
        *self.state() = State::default();
    }

    /// Returns when nobody has waited for a while. There is no reader from then on.
    async fn is_unused(&self) {
        let mut since = Instant::now();
        loop {
            sleep(LOOK_EVERY).await;
            let mut state = self.state();
            if !state.waiting.is_empty() {
                since = Instant::now();
            } else if since.elapsed() >= STAYS_FOR {
                state.reader = None;
                return;
            }
        }
    }
}

async fn read(shared: Arc<Shared>, reads: watch::Sender<bool>) {
    let opened = StreamReader::open(&shared.link, &shared.stream, StreamStart::Next).await;
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(error) => {
            warn!(%error, "the attempts of test events cannot be followed");
            shared.end();
            return;
        }
    };
    reads.send_replace(true);
    tokio::select! {
        error = read_all(&shared, &mut reader) => {
            warn!(%error, "the attempts of test events are no longer followed");
            shared.end();
        }
        () = shared.is_unused() => {}
    }
    reader.close().await;
}

async fn read_all(shared: &Shared, reader: &mut StreamReader) -> BrokerError {
    loop {
        match reader.next().await {
            Ok(item) => shared.hand_out(&item.message),
            Err(error) => return error,
        }
    }
}

#[cfg(test)]
mod tests {
    use hookline_common::broker::BrokerUrl;
    use hookline_common::topology::Namespace;

    use super::*;

    fn nowhere() -> FollowedAttempts {
        FollowedAttempts::new(&BrokerSettings {
            url: BrokerUrl::parse("amqp://127.0.0.1:1").unwrap(),
            namespace: Namespace::default(),
            ca_pem: None,
        })
    }

    fn company(name: &str) -> CompanyId {
        CompanyId::parse(name).unwrap()
    }

    #[tokio::test]
    async fn a_company_has_its_share_and_leaves_the_rest_to_others() {
        let attempts = nowhere();
        for number in 0..MAX_OF_COMPANY {
            let waiting = (company("acme"), oneshot::channel().0);
            attempts.0.state().waiting.insert(number.to_string(), waiting);
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        let acme = company("acme");
        assert!(attempts.follow(&acme, &EventId::new(), deadline).await.is_none());
        assert!(attempts.0.state().reader.is_none(), "it was not even tried");
        assert!(attempts.0.state().has_room_for(&company("globex")));
    }

    fn batch(lines: &[&str]) -> Message {
        let mut batch = Batch::default();
        for line in lines {
            batch.push(line.as_bytes().to_vec()).unwrap();
        }
        batch.to_message().unwrap()
    }

    #[tokio::test]
    async fn a_record_goes_to_whoever_waits_for_it_and_a_bad_line_costs_no_other() {
        let attempts = nowhere();
        let (sender, record) = oneshot::channel();
        let waiting = (company("acme"), sender);
        attempts.0.state().waiting.insert("evt_1".to_owned(), waiting);
        let line = r#"{"id":"i","event":"evt_1","company":"acme","more":{"a":1.0}}"#;
        let others = [
            r#"{"event":"evt_2","company":"acme"}"#,
            r#"{"event":"evt_1","company":"globex"}"#,
        ];
        attempts.0.hand_out(&batch(&["no JSON", others[0], others[1]]));
        assert!(attempts.0.has_waiting(), "another company's event is not the one");
        attempts.0.hand_out(&batch(&["no JSON", others[1], line]));
        assert_eq!(record.await.unwrap(), line.as_bytes());
        assert!(!attempts.0.has_waiting());
        attempts.0.hand_out(&Message::default());
    }

    #[tokio::test]
    async fn where_the_log_cannot_be_followed_nobody_waits_and_nothing_is_left_behind() {
        let attempts = nowhere();
        let deadline = Instant::now() + Duration::from_secs(30);
        let acme = company("acme");
        assert!(attempts.follow(&acme, &EventId::new(), deadline).await.is_none());
        assert!(!attempts.0.has_waiting() && attempts.0.state().reader.is_none());
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let attempts = nowhere();
        for number in 0..MAX_WAITING {
            let waiting = (company(&format!("c{}", number / 2)), oneshot::channel().0);
            attempts.0.state().waiting.insert(number.to_string(), waiting);
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        let acme = company("acme");
        assert!(attempts.follow(&acme, &EventId::new(), deadline).await.is_none());
        assert!(attempts.0.state().reader.is_none(), "it was not even tried");
    }
}
