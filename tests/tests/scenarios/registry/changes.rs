//! What is changed in the registry counts within two seconds, and a delivery finds it even where nobody told of it.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_dispatcher::settings::EndpointsSource;
use hookline_tests::console::{MASTER_KEY, database_scenario, heard, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::in_process::Embedded;
use hookline_tests::message::HandMade;
use hookline_tests::pace::Pace;
use hookline_tests::receiver::Received;
use hookline_tests::signature::{meeva, standard};
use hookline_tests::yardstick::beside;
use hookline_tests::{Receiver, eventually, status};
use serde_json::{Value, json};
use sqlx::Executor as _;
use tokio::time::sleep;

use super::{count, dispatcher, parked, publish, register, store};
use crate::SOON;

/// From when on a change counts.
const COUNTS_AFTER: Duration = Duration::from_secs(2);
/// Where a database always answers within this, nothing waits for it for so long that it is set aside.
const QUICK: Duration = Duration::from_millis(250);
/// How often something is tried beside which the database must be quick. A busy machine has such moments too.
const TRIES: usize = 50;
const UNMATCHED: &str = "hookline_events_unmatched_total";
const PATH: &str = "/v1/companies/acme/endpoints/ep_crm";

/// Makes a change, and waits until both have heard of it. Returns how long that took them.
async fn both_hear(one: &Dispatcher, other: &Dispatcher, change: impl Future<Output = ()>) -> Duration {
    let change = async {
        change.await;
        Pace::start()
    };
    heard(one, heard(other, change)).await.elapsed()
}

/// One who connects and asks.
async fn connects_and_asks(database: &Database) {
    drop(database.texts("SELECT '1'").await);
}

/// Held against how long the database takes meanwhile for one who connects and asks: on the way of a change it is asked a few times.
fn is_heard_in_time(took: Duration, slowest: Duration) {
    assert!(
        took <= COUNTS_AFTER + 5 * slowest,
        "it is heard of after {took:?}, and the database answers within {slowest:?}"
    );
}

#[tokio::test]
async fn an_endpoint_gets_its_events_two_seconds_after_it_is_there_and_none_after_it_is_gone() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let url = database.url().as_str();
        let (first, second) = tokio::join!(dispatcher(world, url).start(), dispatcher(world, url).start());
        let unmatched = async || count(&first, UNMATCHED).await + count(&second, UNMATCHED).await;
        let set_aside = async || parked(&first).await + parked(&second).await;
        let receiver = Receiver::answering(status(200)).await;
        let registers = async |wanted: Value| drop(console.register("acme", &wanted).await);
        let comes = async {
            // Both know the company, as one that has no endpoints.
            eventually(SOON, "both have seen the company", async || {
                publish(world, "acme").await;
                let (first, second) = (count(&first, UNMATCHED).await, count(&second, UNMATCHED).await);
                (first > 0.0 && second > 0.0).then_some(())
            })
            .await;

            let wanted = json!({"url": receiver.url(), "id": "ep_crm"});
            let took = both_hear(&first, &second, registers(wanted)).await;
            let pace = Pace::start();
            // Those of before may have waited for a slow database; what comes from here on waits for nothing.
            world.is_settled_within(SOON).await;
            let before = set_aside().await;
            let mut must_come = Vec::new();
            while must_come.len() < 20 {
                let since = pace.elapsed();
                let event = publish(world, "acme").await;
                if since >= COUNTS_AFTER {
                    must_come.push(event);
                }
                sleep(Duration::from_millis(50)).await;
            }
            eventually(SOON, "the endpoint gets them", async || {
                let got = receiver.requests();
                let has_come = |id: &str| got.iter().any(|request| request.id() == id);
                must_come
                    .iter()
                    .all(|event| has_come(event.id.as_str()))
                    .then_some(())
            })
            .await;
            (took, set_aside().await - before)
        };
        let asks = async || connects_and_asks(database).await;
        let ((took, set_aside), slowest) = beside(asks, comes).await;
        is_heard_in_time(took, slowest);
        assert!(receiver.requests().iter().all(|request| request.attempt() == 1));
        assert!(
            set_aside <= 1.0,
            "{set_aside} events were parked, with everything known"
        );

        // The company keeps one, so that nothing waits for its last to come back.
        let other = json!({"url": receiver.url(), "id": "ep_other", "events": ["invoice.paid"]});
        both_hear(&first, &second, registers(other)).await;
        let gone = async { drop(console.admin().delete(PATH).await.expect(204)) };
        let asks = async || connects_and_asks(database).await;
        let (took, slowest) = beside(asks, both_hear(&first, &second, gone)).await;
        is_heard_in_time(took, slowest);
        let pace = Pace::start();
        while pace.elapsed() < COUNTS_AFTER {
            sleep(Duration::from_millis(50)).await;
        }
        let (before, had) = (unmatched().await, receiver.count());
        for _ in 0..20 {
            publish(world, "acme").await;
        }
        eventually(SOON, "nobody wants them", async || {
            (unmatched().await >= before + 20.0).then_some(())
        })
        .await;
        assert_eq!(receiver.count(), had, "a removed endpoint gets nothing");
    })
    .await;
}

#[tokio::test]
async fn events_of_a_company_that_lost_its_last_endpoint_wait_for_it_to_come_back() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let dispatcher = dispatcher(world, url).start().await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        publish(world, "acme").await;
        receiver.expect_one(SOON).await;
        // As a mistake in the database would have it, or an older one that was restored.
        database.execute("DELETE FROM endpoints").await.unwrap();
        let mut events = Vec::new();
        eventually(SOON, "they are set aside", async || {
            events.push(publish(world, "acme").await);
            (parked(&dispatcher).await > 0.0).then_some(())
        })
        .await;
        register(&store, "acme", "ep_crm", &receiver).await;
        eventually(SOON, "they come with it", async || {
            let got = receiver.requests();
            let has_come = |id: &str| got.iter().any(|request| request.id() == id);
            events
                .iter()
                .all(|event| has_come(event.id.as_str()))
                .then_some(())
        })
        .await;
        assert_eq!(
            count(&dispatcher, UNMATCHED).await,
            0.0,
            "none was taken for unwanted"
        );
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_first_event_of_a_company_finds_the_endpoint_that_was_registered_just_before() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let dispatcher = dispatcher(world, url).start().await;
        let receiver = Receiver::answering(status(200)).await;
        // What is told of companies that nobody has asked for is not needed for it.
        database
            .execute("DROP TRIGGER endpoints_told ON endpoints")
            .await
            .unwrap();
        // Where the database answers late, a message is set aside for good reason: those count beside which it did not. The
        // dispatcher is connected already, and so is who asks.
        let mut connection = database.connect().await;
        let is_quick = |slowest: &Duration| *slowest <= QUICK;
        let (mut answered, mut set_aside) = (Vec::<Duration>::new(), 0.0);
        while answered.iter().copied().filter(is_quick).count() < 10 {
            let number = answered.len();
            assert!(number < TRIES, "the database is too slow to tell: {answered:?}");
            let company = format!("new-{number}");
            register(&store, &company, "ep_crm", &receiver).await;
            let before = parked(&dispatcher).await;
            let one = async {
                publish(world, &company).await;
                receiver.expect(number + 1, SOON).await.len()
            };
            let asks = async || {
                connection.execute("SELECT 1").await.unwrap();
            };
            let (requests, slowest) = beside(asks, one).await;
            assert_eq!(requests, number + 1);
            if is_quick(&slowest) {
                set_aside += parked(&dispatcher).await - before;
            }
            answered.push(slowest);
        }
        assert!(
            set_aside <= 1.0,
            "a message waits for its company, and {set_aside} were parked"
        );
        assert_eq!(count(&dispatcher, UNMATCHED).await, 0.0);

        // A delivery to an endpoint that another replica has heard of: it is looked for, though nothing was told.
        let mut answered = Vec::<Duration>::new();
        while !answered.iter().any(is_quick) {
            let (number, seen) = (answered.len(), receiver.count());
            assert!(number < TRIES, "the database is too slow to tell: {answered:?}");
            let second = format!("ep_second_{number}");
            register(&store, "new-0", &second, &receiver).await;
            let before = parked(&dispatcher).await;
            let one = async {
                HandMade::delivery(&second)
                    .header("company", hookline_tests::message::text("new-0"))
                    .send(world, Queue::Deliveries)
                    .await;
                receiver.expect(seen + 1, SOON).await.remove(seen)
            };
            let asks = async || {
                connection.execute("SELECT 1").await.unwrap();
            };
            let (request, slowest) = beside(asks, one).await;
            assert_eq!(request.attempt(), 1);
            if is_quick(&slowest) {
                assert!(parked(&dispatcher).await <= before + 1.0);
            }
            answered.push(slowest);
        }
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_nobody_told_of_is_found_all_the_same() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let store = store(url, MASTER_KEY).await;
        let [old, new] = [
            Receiver::answering(status(200)).await,
            Receiver::answering(status(200)).await,
        ];
        register(&store, "acme", "ep_crm", &old).await;
        let dispatcher = Embedded::start(world, |settings| {
            settings.endpoints = EndpointsSource::Registry(Box::new(super::settings(url, MASTER_KEY)));
            settings.registry_refresh = Duration::from_secs(1);
        })
        .await;
        publish(world, "acme").await;
        old.expect_one(SOON).await;
        // An endpoint that is known, by a change that no dispatcher hears of.
        let moved = format!(
            "DROP TRIGGER endpoints_told ON endpoints; UPDATE endpoints SET url = '{}'",
            new.url()
        );
        database.execute(&moved).await.unwrap();
        eventually(SOON, "its events go where it is now", async || {
            publish(world, "acme").await;
            (new.count() > 0).then_some(())
        })
        .await;
        world.is_settled_within(SOON).await;
        dispatcher.stop().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_disabled_gets_dead_letters_and_events_again_when_it_is_enabled() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let receiver = Receiver::answering(status(200)).await;
        console
            .register("acme", &json!({"url": receiver.url(), "id": "ep_crm"}))
            .await;
        let dispatcher = dispatcher(world, database.url().as_str()).start().await;
        publish(world, "acme").await;
        receiver.expect_one(SOON).await;
        let disabled = async |disabled: bool| {
            let change = json!({ "disabled": disabled });
            heard(&dispatcher, console.admin().patch(PATH, &change))
                .await
                .expect(200);
        };
        disabled(true).await;
        let event = publish(world, "acme").await;
        let dead = eventually(SOON, "it is a dead letter", async || {
            let told = "SELECT concat_ws(' ', event, reason) FROM dead_letters";
            database.texts(told).await.pop()
        })
        .await;
        assert_eq!(dead, format!("{} endpoint_disabled", event.id));
        disabled(false).await;
        publish(world, "acme").await;
        receiver.expect(2, SOON).await;
        assert_eq!(receiver.count(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_signs_with_both_secrets_until_it_is_completed_by_hand_or_by_time() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let receiver = Receiver::answering(status(200)).await;
        let made = console
            .register("acme", &json!({"url": receiver.url(), "id": "ep_crm"}))
            .await;
        let dispatcher = dispatcher(world, database.url().as_str()).start().await;
        let admin = console.admin();
        let next = async || {
            let before = receiver.count();
            publish(world, "acme").await;
            receiver.expect(before + 1, SOON).await.remove(before)
        };
        let rotate = async |overlap: &str| {
            let (path, body) = (format!("{PATH}/rotate-secret"), json!({ "overlap": overlap }));
            let rotated = heard(&dispatcher, admin.post(&path, &body)).await.expect(200);
            secret_of(&rotated.json())
        };
        let old = secret_of(&made);
        assert_eq!(signed_with(&next().await, &[&old]), (1, true));

        let new = rotate("1h").await;
        let request = next().await;
        assert_eq!(signed_with(&request, &[&new, &old]), (2, true), "{request:?}");
        assert_eq!(request.header("meeva-signature"), meeva(&old, &request.body));

        let complete = format!("{PATH}/rotate-secret/complete");
        heard(&dispatcher, admin.post(&complete, &json!({})))
            .await
            .expect(200);
        let request = next().await;
        assert_eq!(signed_with(&request, &[&new]), (1, true), "{request:?}");
        assert_eq!(request.header("meeva-signature"), meeva(&new, &request.body));

        let newest = rotate("5s").await;
        // The end of an overlap is told by the clock alone.
        let request = eventually(SOON, "the overlap ends", async || {
            let request = next().await;
            (signed_with(&request, &[&newest]) == (1, true)).then_some(request)
        })
        .await;
        assert_eq!(request.header("meeva-signature"), meeva(&newest, &request.body));
        let both = receiver.requests().into_iter();
        let both = both.filter(|request| signed_with(request, &[&newest, &new]) == (2, true));
        assert!(both.count() >= 1, "it overlapped before");
    })
    .await;
}

fn secret_of(answer: &serde_json::Value) -> String {
    answer["secret"].as_str().unwrap().to_owned()
}

/// How many signatures a request has, and whether they are those of these secrets.
fn signed_with(request: &Received, secrets: &[&str]) -> (usize, bool) {
    let signatures: Vec<&str> = request.header("webhook-signature").split(' ').collect();
    let timestamp = request.header("webhook-timestamp");
    let is_of = |secret: &&str| {
        let wanted = standard(secret, request.id(), timestamp, &request.body);
        signatures.contains(&wanted.as_str())
    };
    (signatures.len(), secrets.iter().all(is_of))
}
