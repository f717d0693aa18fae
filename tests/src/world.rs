//! A namespace of its own for each scenario, and a look at what the scenario leaves behind.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use hookline_common::topology::{Namespace, Queue, Topology};
use hookline_producer::{Event, Producer, Settings};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use crate::broker::{Broker, Stored};
use crate::dispatcher::{Dispatcher, RETRY_SCHEDULE, Setup};
use crate::endpoint::{Endpoint, file};
use crate::eventually::{SOON, eventually};
use crate::in_the_open;
use crate::services::{name, services};
use crate::wire::Wire;

/// What the names of all our namespaces start with.
const OURS: &str = "scenario-";
/// Namespaces of runs that were killed are older than this.
const STALE_S: i64 = 1800;
/// How often it is looked whether the queues are empty, which asks the broker about each.
const REST_LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a scenario plays in.
pub struct World {
    namespace: Namespace,
    folder: TempDir,
    broker: Broker,
    producer: OnceCell<Producer>,
    dispatchers: Mutex<Vec<Arc<Dispatcher>>>,
    wires: Mutex<Vec<Arc<Wire>>>,
    left_on_purpose: Mutex<BTreeSet<String>>,
}

/// Runs a scenario in a world of its own, and refuses what it leaves behind: programs that do not stop as they should,
/// and messages in queues that it did not name with [`World::leaves`].
///
/// # Panics
/// When the scenario does, or leaves something behind. The programs' logs are printed then.
pub async fn scenario(body: impl AsyncFnOnce(&World)) {
    let world = World::new().await;
    let mut ended = AssertUnwindSafe(body(&world)).catch_unwind().await;
    if ended.is_ok() {
        ended = AssertUnwindSafe(world.come_to_rest()).catch_unwind().await;
    }
    if ended.is_err() {
        world.tell().await;
    }
    for dispatcher in world.dispatchers() {
        dispatcher.kill().await;
    }
    delete_later(&world).await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

impl World {
    async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = jiff::Timestamp::now().as_second();
        let broker = Broker::connect(&services().amqp_url).await;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        if count == 0 {
            sweep(&broker, now).await;
        }
        let namespace = format!("{OURS}{now}-{}-{count}", std::process::id());
        Self {
            namespace: Namespace::parse(&namespace).expect("a namespace"),
            folder: TempDir::new().expect("a folder"),
            broker,
            producer: OnceCell::new(),
            dispatchers: Mutex::default(),
            wires: Mutex::default(),
            left_on_purpose: Mutex::default(),
        }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A connection of the test's own to the shared broker.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The name of `queue` here.
    #[must_use]
    pub fn queue(&self, queue: Queue) -> String {
        self.namespace.queue(queue)
    }

    /// A link to the shared broker that stands until all has come to rest: what a program still has in hand, and records that a busy
    /// machine's log set aside, are settled over it when the scenario's own part is over.
    pub async fn wire(&self) -> Arc<Wire> {
        let wire = Arc::new(Wire::to(&services().amqp_url).await);
        self.wires.lock().unwrap().push(Arc::clone(&wire));
        wire
    }

    /// A path for a file of the scenario's.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The endpoints file.
    #[must_use]
    pub fn endpoints_file(&self) -> PathBuf {
        self.path("endpoints.toml")
    }

    /// Writes the endpoints file, as a careful operator does: whole, or not at all.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn endpoints(&self, endpoints: impl AsRef<[Endpoint]>) {
        self.endpoints_text(&file(endpoints.as_ref()));
    }

    /// The same with a text that need not be a valid file.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn endpoints_text(&self, text: &str) {
        let draft = self.path("endpoints.draft");
        std::fs::write(&draft, text).expect("written");
        std::fs::rename(draft, self.endpoints_file()).expect("renamed");
    }

    /// A dispatcher of this world, to be started.
    #[must_use]
    pub fn dispatcher(&self) -> Setup<'_> {
        Setup::new(self)
    }

    /// The world looks after a program until the end.
    pub(crate) fn adopt(&self, dispatcher: Arc<Dispatcher>) {
        self.dispatchers.lock().unwrap().push(dispatcher);
    }

    fn dispatchers(&self) -> Vec<Arc<Dispatcher>> {
        self.dispatchers.lock().unwrap().clone()
    }

    /// The producer of a booking service.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn producer(&self) -> &Producer {
        let connect = async || {
            let settings = Settings::new(&services().amqp_url).expect("a broker's URL");
            let settings = settings.with_namespace(self.namespace.clone());
            Producer::connect(settings).await.expect("connected")
        };
        self.producer.get_or_init(connect).await
    }

    /// Publishes an event of the company `acme`.
    ///
    /// # Panics
    /// When it is not stored.
    pub async fn publish(&self, event_type: &str, data: &str) -> Event {
        let event = Event::new("acme", event_type, data.to_owned()).expect("an event");
        self.producer().await.publish(&event).await.expect("stored");
        event
    }

    /// Publishes `count` events of the company `acme`, many at once.
    ///
    /// # Panics
    /// When one is not stored.
    pub async fn publish_many(&self, count: usize, event_type: &str) -> Vec<Event> {
        use futures_util::StreamExt as _;
        let events: Vec<Event> = (0..count)
            .map(|number| {
                Event::new("acme", event_type, format!("{{\"number\":{number}}}")).expect("an event")
            })
            .collect();
        let mut receipts = self
            .producer()
            .await
            .publish_all(futures_util::stream::iter(events.clone()));
        while let Some(receipt) = receipts.next().await {
            receipt.expect("stored");
        }
        events
    }

    /// Publishes `each` events for each company, by turns and many at once.
    ///
    /// # Panics
    /// When one is not stored.
    pub async fn publish_for(&self, companies: &[&str], each: usize) -> Vec<Event> {
        use futures_util::StreamExt as _;
        let events: Vec<Event> = (0..each)
            .flat_map(|number| {
                companies.iter().map(move |company| {
                    Event::new(company, "booking.created", format!("{{\"n\":{number}}}")).expect("an event")
                })
            })
            .collect();
        let stream = futures_util::stream::iter(events.clone());
        let mut receipts = self.producer().await.publish_all(stream);
        while let Some(receipt) = receipts.next().await {
            receipt.expect("stored");
        }
        events
    }

    /// Messages may lie in this queue when the scenario is over.
    ///
    /// # Panics
    /// When another thread panicked here.
    pub fn leaves(&self, queue: Queue) {
        self.left_on_purpose.lock().unwrap().insert(self.queue(queue));
    }

    /// The messages of `queue`, oldest first; they stay there.
    pub async fn read(&self, queue: Queue) -> Vec<Stored> {
        self.broker.read(&self.queue(queue)).await
    }

    /// Waits until `queue` holds `count` ready messages, and returns them; they stay there.
    ///
    /// # Panics
    /// When there are not as many, or more.
    pub async fn expect_in(&self, queue: Queue, count: usize, within: Duration) -> Vec<Stored> {
        let what = format!("{count} messages in {}", self.queue(queue));
        let messages = eventually(within, &what, async || {
            // Read when all are there: who reads a queue holds its messages, and gives them back.
            let ready = self.broker.ready(&self.queue(queue)).await.unwrap_or(0);
            if (ready as usize) < count {
                return None;
            }
            let messages = self.read(queue).await;
            (messages.len() >= count).then_some(messages)
        })
        .await;
        assert_eq!(messages.len(), count, "{what}: {messages:#?}");
        messages
    }

    /// Waits until no queue holds anything but those that the scenario named.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub async fn is_empty_within(&self, within: Duration) {
        let mut left = Vec::new();
        // Looks are counted, not the time: see `eventually`.
        for _ in 0..=within.as_millis() / REST_LOOK_EVERY.as_millis() {
            left = self.leftovers().await;
            if left.is_empty() {
                return;
            }
            tokio::time::sleep(REST_LOOK_EVERY).await;
        }
        panic!("messages are left behind: {left:?}");
    }

    /// Waits until no queue holds anything but those that the scenario named, and no running dispatcher has anything in hand: what
    /// one has may be on its way into a queue that is looked at next.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub async fn is_settled_within(&self, within: Duration) {
        eventually(within, "all is settled, and nothing in hand", async || {
            // In hand first and last: between two looks at nothing, nothing moved.
            let is_settled = !self.has_in_hand().await && self.leftovers().await.is_empty();
            (is_settled && !self.has_in_hand().await).then_some(())
        })
        .await;
    }

    /// Whether a running dispatcher has a message in hand.
    async fn has_in_hand(&self) -> bool {
        for dispatcher in self.dispatchers() {
            let in_hand = dispatcher.metric("hookline_messages_in_hand").await;
            if in_hand.is_some_and(|in_hand| in_hand > 0.0) {
                return true;
            }
        }
        false
    }

    /// Waits until no queue of the default schedule's topology holds anything on another broker than the shared one, but the log
    /// and those that the scenario named, and no running dispatcher has anything in hand.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub async fn rests_on(&self, amqp_url: &str, within: Duration) {
        self.rests_with(amqp_url, RETRY_SCHEDULE, within).await;
    }

    /// The same with the topology of another schedule.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub async fn rests_with(&self, amqp_url: &str, schedule: &str, within: Duration) {
        let schedule = schedule.parse().expect("a schedule");
        let queues = Topology::whole(&self.namespace, &schedule).queues;
        eventually(within, "all is settled, and nothing in hand", async || {
            if self.has_in_hand().await {
                return None;
            }
            let broker = Broker::try_connect(amqp_url).await?;
            for queue in &queues {
                let is_left = self.left_on_purpose.lock().unwrap().contains(&queue.name);
                if queue.name != self.queue(Queue::Attempts)
                    && !is_left
                    && broker.ready(&queue.name).await != Some(0)
                {
                    return None;
                }
            }
            (!self.has_in_hand().await).then_some(())
        })
        .await;
    }

    /// What lies ready in queues where nothing should.
    async fn leftovers(&self) -> Vec<(String, u32)> {
        let prefix = format!("{}.", self.namespace);
        let mut left = Vec::new();
        for queue in services().names("queues", &prefix).await {
            if self.may_hold_messages(&queue) {
                continue;
            }
            match self.broker.ready(&queue).await {
                Some(0) | None => {}
                Some(ready) => left.push((queue, ready)),
            }
        }
        if left.is_empty() {
            let all = services().queues(&prefix).await;
            // What else stands there may be a stream: getting from one ends the connection.
            let quorum = all
                .iter()
                .filter(|queue| queue["arguments"]["x-queue-type"] == "quorum");
            let to_ask: Vec<&str> = quorum
                .map(name)
                .filter(|queue| !self.may_hold_messages(queue))
                .collect();
            let holding = self.broker.holding(&to_ask).await;
            left.extend(holding.into_iter().map(|queue| (queue, 1)));
        }
        left
    }

    /// Whether a queue is the log, or one that the scenario named.
    fn may_hold_messages(&self, queue: &str) -> bool {
        queue == self.queue(Queue::Attempts) || self.left_on_purpose.lock().unwrap().contains(queue)
    }

    /// Twice, because what a dispatcher holds is only seen when it has let go of it.
    async fn come_to_rest(&self) {
        self.is_empty_within(SOON).await;
        let dispatchers = self.dispatchers();
        in_the_open::is_in_no_metric(&dispatchers).await;
        for dispatcher in &dispatchers {
            dispatcher.stop().await;
        }
        let left = self.leftovers().await;
        assert!(left.is_empty(), "programs held messages to the end: {left:?}");
        in_the_open::is_in_no_log(&dispatchers);
        in_the_open::is_in_no_message(self).await;
    }

    async fn tell(&self) {
        for dispatcher in self.dispatchers() {
            eprintln!("--- dispatcher {}\n{}", dispatcher.name(), dispatcher.log());
        }
        for queue in services().names("queues", &format!("{}.", self.namespace)).await {
            let ready = self.broker.ready(&queue).await;
            eprintln!("--- queue {queue}: {ready:?} ready");
        }
    }
}

/// How long a queue has stood at least before it is deleted, or bounded. RabbitMQ 3.10 starts a dead-letter worker with each; one that is
/// deleted in that moment makes its supervisor give up, and with it every queue of the broker. Nothing tells that a worker
/// has started, which takes it milliseconds.
pub const STOOD_FOR: Duration = Duration::from_secs(2);

/// Deletes what earlier scenarios have left, and leaves this one's to a later one. What nobody comes to is swept up by the
/// next run.
async fn delete_later(world: &World) {
    static LEFT: Mutex<Vec<(Instant, String)>> = Mutex::new(Vec::new());
    let old = {
        let mut left = LEFT.lock().unwrap();
        left.push((Instant::now(), world.namespace.to_string()));
        let (young, old) = left.drain(..).partition(|(since, _)| since.elapsed() < STOOD_FOR);
        *left = young;
        let old: Vec<(Instant, String)> = old;
        old
    };
    for (_, namespace) in old {
        delete_namespace(&world.broker, &namespace).await;
    }
}

async fn delete_namespace(broker: &Broker, namespace: &str) {
    let prefix = format!("{namespace}.");
    let queues = services().names("queues", &prefix).await;
    let exchanges = services().names("exchanges", &prefix).await;
    broker.delete(&queues, &exchanges).await;
}

/// Removes what runs left behind that were killed.
async fn sweep(broker: &Broker, now: i64) {
    let mut stale = BTreeSet::new();
    for queue in services().names("queues", OURS).await {
        let namespace = queue.split('.').next().unwrap_or_default();
        let made_at = namespace
            .trim_start_matches(OURS)
            .split('-')
            .next()
            .and_then(|text| text.parse::<i64>().ok());
        if made_at.is_some_and(|made_at| now - made_at > STALE_S) {
            stale.insert(namespace.to_owned());
        }
    }
    if !stale.is_empty() {
        // The broker may have been started for this run: then its queues are as young as it is.
        sleep(STOOD_FOR).await;
    }
    for namespace in stale {
        delete_namespace(broker, &namespace).await;
    }
}
