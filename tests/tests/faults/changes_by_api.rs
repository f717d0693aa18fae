//! What companies do over the API: an endpoint that goes, is disabled or moves while its deliveries wait, and one event that is
//! published a hundred times at once.

use hookline_common::topology::Queue;
use hookline_dispatcher::settings::EndpointsSource;
use hookline_producer::Event;
use hookline_store::seal::Keyring;
use hookline_store::{Database as DatabaseUrl, StoreSettings};
use hookline_tests::console::{Console, MASTER_KEY, database_scenario, dispatcher_on, setup, start};
use hookline_tests::database::Database;
use hookline_tests::endpoint::{SECRET, endpoint};
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::in_process::Embedded;
use hookline_tests::judge::Judge;
use hookline_tests::load::{numbered, publish_until_stored};
use hookline_tests::receiver::Received;
use hookline_tests::records::Records;
use hookline_tests::{Receiver, SOON, World, eventually, status};
use serde_json::json;
use std::time::Duration;

use crate::single::refuses_first;

/// Deliveries that wait for their second attempt.
const WAITING: usize = 1000;
/// Until then: enough for a busy machine to make all first attempts, and for the change to be known everywhere.
const DELAY: Duration = Duration::from_secs(40);
const PATH: &str = "/v1/companies/acme/endpoints/ep_crm";
const LOADS: &str = "hookline_registry_loads_total";

/// A console, a dispatcher with its registry, and deliveries of one endpoint that wait.
struct Stage<'a> {
    world: &'a World,
    database: &'a Database,
    console: Console,
    receiver: Receiver,
    events: Vec<Event>,
    trial: Trial,
}

impl<'a> Stage<'a> {
    async fn set(world: &'a World, database: &'a Database) -> Self {
        let trial = Trial::here();
        let console = start(setup(world, database)).await;
        let receiver = Receiver::scripted(refuses_first).await;
        console
            .register(
                "acme",
                &json!({"url": receiver.url(), "id": "ep_crm", "secret": SECRET}),
            )
            .await;
        Self {
            world,
            database,
            console,
            receiver,
            events: (0..WAITING).map(|number| numbered("acme", number)).collect(),
            trial,
        }
    }

    /// Publishes, and waits until all first attempts were made and refused.
    async fn all_wait(&self) {
        publish_until_stored(self.world.producer().await, &self.events).await;
        self.receiver.expect(WAITING, SOON).await;
    }

    /// Does something to the endpoint while they wait, and lets the dispatcher hear of it.
    async fn changed(
        &self,
        dispatcher: &hookline_tests::dispatcher::Dispatcher,
        change: impl Future<Output = u16>,
    ) {
        let loads = async || dispatcher.metric(LOADS).await.unwrap_or(0.0);
        let before = loads().await;
        let status = change.await;
        assert!((200..300).contains(&status), "{status}");
        eventually(SOON, "the change is loaded", async || {
            (loads().await > before).then_some(())
        })
        .await;
        let requests = self.receiver.requests();
        assert!(
            requests.iter().all(|request| request.attempt() == 1),
            "it was changed while all of them wait"
        );
    }

    fn dispatcher(&self) -> hookline_tests::dispatcher::Setup<'a> {
        dispatcher_on(self.world, self.database.url().as_str())
            .set("HOOKLINE_RETRY_SCHEDULE", format!("{}s", DELAY.as_secs()))
    }

    fn judge(&self) -> Judge {
        let mut judge = Judge::with_schedule(&[DELAY]);
        judge.accepted(&self.events, &["ep_crm"]);
        judge.saw("ep_crm", &self.receiver);
        judge
    }
}

#[tokio::test]
async fn d38_endpoint_deleted_while_its_deliveries_wait() {
    database_scenario(async |world, database| {
        let stage = Stage::set(world, database).await;
        // The company keeps one, so that its events do not wait for the last one to come back.
        let other = json!({"url": stage.receiver.url(), "id": "ep_other", "events": ["invoice.paid"]});
        stage.console.register("acme", &other).await;
        let dispatcher = Embedded::start(world, |settings| {
            settings.endpoints = EndpointsSource::Registry(Box::new(StoreSettings {
                database: DatabaseUrl::parse(database.url().as_str()).unwrap(),
                keyring: Keyring::parse(MASTER_KEY).unwrap(),
                application: "scenario",
                max_connections: 2,
            }));
            settings.schedule = format!("{}s", DELAY.as_secs()).parse().unwrap();
            settings.unknown_grace = Duration::from_secs(3);
        })
        .await;
        eventually(SOON, "its queues are there", async || {
            world.broker().ready(&world.queue(Queue::Attempts)).await
        })
        .await;
        let records = Records::of(world).await;
        stage.all_wait().await;
        stage.console.admin().delete(PATH).await.expect(204);
        records.expect(2 * WAITING, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        assert_eq!(stage.receiver.count(), WAITING, "no attempt at what is gone");
        let mut judge = stage.judge();
        judge.discarded(&records.all());
        dispatcher.stop().await;
        stage.trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

#[tokio::test]
async fn d38_endpoint_disabled_while_its_deliveries_wait() {
    database_scenario(async |world, database| {
        let mut stage = Stage::set(world, database).await;
        let dispatcher = stage.dispatcher().start().await;
        stage.all_wait().await;
        let admin = stage.console.admin();
        let disabled = async |is: bool| admin.patch(PATH, &json!({"disabled": is})).await.status;
        stage.changed(&dispatcher, disabled(true)).await;
        eventually(2 * SOON, "all of them are dead letters", async || {
            let sql = "SELECT count(*)::text FROM dead_letters WHERE reason = 'endpoint_disabled'";
            (database.texts(sql).await == [WAITING.to_string()]).then_some(())
        })
        .await;
        assert_eq!(stage.receiver.count(), WAITING, "no attempt while it is disabled");
        stage.changed(&dispatcher, disabled(false)).await;
        stage.receiver.answer_now(status(200));
        let retried = admin.post("/v1/companies/acme/failed/retry", &json!({})).await;
        retried.expect(202);
        stage.trial.healed();
        stage.receiver.expect(2 * WAITING, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        stage
            .trial
            .closes(
                &{
                    let mut judge = Judge::default();
                    judge.accepted(&stage.events, &["ep_crm"]);
                    judge.saw("ep_crm", &stage.receiver);
                    judge
                },
                // What is retried by hand begins with its first attempt again.
                Allowed::nothing().copies(WAITING),
            )
            .await;
    })
    .await;
}

#[tokio::test]
async fn d38_endpoint_moved_while_its_deliveries_wait() {
    database_scenario(async |world, database| {
        let stage = Stage::set(world, database).await;
        let dispatcher = stage.dispatcher().start().await;
        stage.all_wait().await;
        let moved_to = Receiver::answering(status(200)).await;
        let body = json!({"url": moved_to.url()});
        let change = async { stage.console.admin().patch(PATH, &body).await.status };
        stage.changed(&dispatcher, change).await;
        moved_to.expect(WAITING, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        assert_eq!(
            stage.receiver.count(),
            WAITING,
            "what is due goes where it is now"
        );
        let mut judge = stage.judge();
        judge.saw("ep_crm", &moved_to);
        stage.trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

#[tokio::test]
async fn d34_one_event_published_a_hundred_times_at_once() {
    const IDS: usize = 20;
    const TIMES: usize = 100;
    const BESIDE: usize = 2000;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        world.dispatcher().start().await;
        let mut events: Vec<Event> = (0..IDS).map(|number| numbered("acme", number)).collect();
        for (number, event) in events.iter().enumerate() {
            let body = json!({"id": event.id.as_str(), "type": "booking.created", "createdAt": event.created_at.to_millis_text(), "data": {"number": number}});
            let posts = (0..TIMES).map(|_| console.admin().post("/v1/companies/acme/events", &body));
            for reply in futures_util::future::join_all(posts).await {
                assert_eq!(reply.expect(202).json(), json!({"id": event.id.as_str()}));
            }
        }
        events.extend(world.publish_many(BESIDE, "booking.created").await);
        // Each of them may be delivered as often as it was published, and is at least once: nobody keeps a table of ids.
        let judge = || {
            let mut judge = Judge::with_usual_schedule();
            judge.accepted(&events, &["ep_crm"]);
            judge.saw("ep_crm", &receiver);
            judge
        };
        eventually(2 * SOON, "all are delivered", async || {
            judge().verdict().lost.is_empty().then_some(())
        })
        .await;
        world.is_settled_within(2 * SOON).await;
        for event in &events[..IDS] {
            let requests = receiver.requests();
            let times = requests.iter().filter(|it| it.id() == event.id.as_str()).count();
            assert!(times <= TIMES, "{times} requests");
        }
        // Each request is one of those that were published: none of them twice.
        let allowed = Allowed::twice(IDS).copies(IDS * (TIMES - 1));
        trial.closes(&judge(), allowed).await;
    })
    .await;
}

/// Nobody keeps a table of ids: another body under an id that was taken is another event, and the receiver is who tells them apart.
#[tokio::test]
async fn d34_one_id_published_with_two_bodies() {
    const IDS: usize = 200;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let receiver = Receiver::scripted(refuses_first).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let first: Vec<Event> = (0..IDS).map(|number| numbered("acme", number)).collect();
        publish_until_stored(world.producer().await, &first).await;
        for (number, event) in first.iter().enumerate() {
            let body =
                json!({"id": event.id.as_str(), "type": "booking.created", "data": {"number": IDS + number}});
            console
                .admin()
                .post("/v1/companies/acme/events", &body)
                .await
                .expect(202);
        }
        let of_body = |is_first: bool| -> Vec<Received> {
            let mut requests = receiver.requests();
            requests.retain(|request| (number(request) < IDS) == is_first);
            requests
        };
        let judge = |is_first: bool| {
            let mut judge = Judge::with_usual_schedule();
            judge.accepted(&first, &["ep_crm"]);
            judge.saw_requests("ep_crm", &[SECRET], &of_body(is_first));
            judge
        };
        receiver.expect(4 * IDS, 2 * SOON).await;
        world.is_settled_within(SOON).await;
        for event in &first {
            let bodies = receiver
                .requests()
                .into_iter()
                .filter(|request| request.id() == event.id.as_str());
            assert_eq!(bodies.count(), 4, "two attempts at each");
        }
        // Each body is one event's, whole and once.
        judge(false).nothing_is_lost(0);
        trial.closes(&judge(true), Allowed::nothing()).await;
    })
    .await;
}

/// The number in an event's data.
fn number(request: &Received) -> usize {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    usize::try_from(body["data"]["number"].as_u64().unwrap()).unwrap()
}
