//! A row of the fault suite: what was published, what became of it, and how long it took until deliveries went on.
//!
//! A test that is named for its fault (`d02_…`) makes one [`Trial`], tells it when the fault is over, and closes it with its judge.
//! Where `HOOKLINE_TEST_FAULTS_DIR` names a folder, the row is written there; `hookline-fault-report` makes the table of them.

use std::path::PathBuf;
use std::time::Duration;

use hookline_common::topology::Queue;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::eventually::{SOON, eventually};
use crate::in_the_open;
use crate::judge::Judge;
use crate::moment::Moment;
use crate::receiver::Receiver;
use crate::records::Records;
use crate::services::services;
use crate::world::World;

/// Waits until so many deliveries have been answered 2xx or lie in `failed`, without a look at each request: a judge, who takes
/// one, is asked afterwards.
///
/// # Panics
/// When there are not as many within this.
pub async fn are_found(world: &World, receivers: &[&Receiver], count: usize, within: Duration) {
    eventually(within, &format!("{count} deliveries are found"), async || {
        let delivered: usize = receivers.iter().map(|receiver| receiver.delivered()).sum();
        let missing = count.saturating_sub(delivered);
        let failed = if missing > 0 {
            world.broker().ready(&world.queue(Queue::Failed)).await?
        } else {
            0
        };
        (failed as usize >= missing).then_some(())
    })
    .await;
}

/// Makes sure that each request which a judge has seen is recorded, and nothing else; no record holds a secret. For a run in which
/// nothing may come again, and whose log is on the shared broker.
///
/// # Panics
/// When there is another number of records of a delivery than of its requests.
pub async fn are_recorded(world: &World, judge: &mut Judge) {
    let (records, requests) = (Records::of(world).await, judge.requests());
    records.expect(requests, 2 * SOON).await;
    let distinct = eventually(SOON, &format!("{requests} attempts are recorded"), async || {
        let distinct = records.distinct();
        (distinct.len() >= requests).then_some(distinct)
    })
    .await;
    in_the_open::is_in_no_record(&distinct);
    judge.recorded(&distinct);
    assert_eq!(judge.misrecorded(), [], "as many records as requests");
}

/// Says of a test what is shown where it fails. Why it did not run is for [`crate::hostile::not_run`] to say, which is always shown.
pub fn tell(what: &str) {
    eprintln!("{what}");
}

/// What is known of a fault when its run is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The test's name.
    pub fault: String,
    /// RabbitMQ's version, and how many nodes.
    pub broker: String,
    /// Deliveries that the broker had accepted, or may have.
    pub events: usize,
    /// Of them, those that were found nowhere.
    pub lost: usize,
    /// Deliveries that nobody asked for.
    pub unexpected: usize,
    /// Deliveries that were answered 2xx more than once.
    pub duplicated: usize,
    /// Requests of attempts that had been made before, whatever they were answered.
    #[serde(default)]
    pub copies: usize,
    /// Deliveries whose publish had no answer, and that were made all the same.
    pub recovered: usize,
    /// How long it took until deliveries went on, in seconds, as docs/GUARANTEES.md defines it for each kind of fault; none where they
    /// never stood still.
    pub recovery_s: Option<f64>,
    /// How long it was played, in seconds.
    pub played_s: f64,
}

/// What a fault may cost.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// Deliveries that are answered 2xx twice.
    pub duplicates: usize,
    /// Requests of attempts that were made before, whatever they are answered.
    pub copies: usize,
    /// How long it takes until deliveries go on.
    pub recovery: Duration,
}

impl Allowed {
    /// Nothing twice, and back within ten seconds.
    #[must_use]
    pub fn nothing() -> Self {
        Self::twice(0)
    }

    /// So many deliveries twice, each by one request too many, and back within ten seconds.
    #[must_use]
    pub fn twice(duplicates: usize) -> Self {
        Self {
            duplicates,
            copies: duplicates,
            recovery: Duration::from_secs(10),
        }
    }

    /// With another number of requests that repeat an attempt: more where a delivery that is doubled goes on failing, or is refused
    /// each time that it comes.
    #[must_use]
    pub fn copies(self, copies: usize) -> Self {
        Self { copies, ..self }
    }

    /// With another time to recover.
    #[must_use]
    pub fn back_within(self, recovery: Duration) -> Self {
        Self { recovery, ..self }
    }
}

/// A run with a fault.
pub struct Trial {
    name: String,
    nodes: usize,
    began: Instant,
    healed: Option<Moment>,
    back_after: Option<Duration>,
}

impl Trial {
    /// The run of the test that this is called in, by its name, on one broker.
    ///
    /// # Panics
    /// When it is not called from a test.
    #[must_use]
    pub fn here() -> Self {
        let thread = std::thread::current();
        let path = thread.name().expect("a test's thread has its name");
        Self::named(path.rsplit("::").next().unwrap_or(path))
    }

    /// A run of that name: where one test makes several rows.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nodes: 1,
            began: Instant::now(),
            healed: None,
            back_after: None,
        }
    }

    /// On a cluster of so many nodes.
    #[must_use]
    pub fn on_nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// The fault is over at this moment: from here on it counts how long it takes until an event is delivered that was
    /// made later. Where none is, until anything is.
    pub fn healed(&mut self) {
        self.healed_at(Moment::now());
    }

    /// The same, where it is known only later that the fault was over at that moment.
    pub fn healed_at(&mut self, moment: Moment) {
        self.healed = Some(moment);
    }

    /// It took so long until it went on, where the first delivery would not tell: it may be of what was in hand already.
    pub fn back_after(&mut self, time: Duration) {
        self.back_after = Some(time);
    }

    /// Closes the run: the verdict is asserted, and the row written.
    ///
    /// # Panics
    /// When something was lost, unexpected, changed, hasty or stale, came again more often than allowed, or took longer.
    pub async fn closes(self, judge: &Judge, allowed: Allowed) -> Row {
        let verdict = judge.verdict();
        let since_healed = self.healed.map(|healed| {
            let first = judge.first_after(healed);
            first.map(|first| first.duration_since(healed.at()))
        });
        let recovery = self.back_after.map(Some).or(since_healed);
        let row = Row {
            fault: self.name,
            broker: broker(self.nodes).await,
            events: judge.expected() + verdict.recovered.len(),
            lost: verdict.lost.len(),
            unexpected: verdict.unexpected.len(),
            duplicated: verdict.duplicated.len(),
            copies: verdict.copies.len(),
            recovered: verdict.recovered.len(),
            recovery_s: recovery.flatten().map(|time| time.as_secs_f64()),
            played_s: self.began.elapsed().as_secs_f64(),
        };
        // Written before it is judged: the table shows what failed.
        row.write();
        judge.nothing_is_lost_and_few_come_again(allowed.duplicates, allowed.copies);
        if let Some(recovery) = recovery {
            let recovery = recovery.expect("something is delivered after the fault");
            assert!(
                recovery <= allowed.recovery,
                "{recovery:?} until deliveries went on, at most {:?} is allowed",
                allowed.recovery
            );
        }
        row
    }
}

impl Row {
    fn write(&self) {
        let Ok(folder) = std::env::var("HOOKLINE_TEST_FAULTS_DIR") else {
            return;
        };
        let path =
            PathBuf::from(folder).join(format!("{}.{}.json", self.fault, self.broker.replace(' ', "-")));
        let json = serde_json::to_vec_pretty(self).expect("JSON");
        std::fs::write(path, json).expect("a row is written");
    }
}

/// The broker's version and how many nodes it has, in the words of the table.
async fn broker(nodes: usize) -> String {
    let version = services().rabbitmq_version().await;
    match nodes {
        1 => version,
        nodes => format!("{version} x {nodes}"),
    }
}
