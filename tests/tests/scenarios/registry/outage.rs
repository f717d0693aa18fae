//! A database that is away: known companies' deliveries do not show it, unknown ones' wait, and nothing is lost.

use std::time::Duration;

use hookline_common::topology::{PARK_DELAYS, Queue};
use hookline_dispatcher::settings::EndpointsSource;
use hookline_producer::Event;
use hookline_tests::console::{MASTER_KEY, database_scenario};
use hookline_tests::in_process::Embedded;
use hookline_tests::judge::{Judge, Verdict};
use hookline_tests::load::Load;
use hookline_tests::message::HandMade;
use hookline_tests::private_postgres::PrivatePostgres;
use hookline_tests::records::Records;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, World, eventually, scenario, status};
use tokio::time::{Instant, sleep};

use super::{count, dispatcher, parked, publish, register, settings, store};
use crate::SOON;

/// Events whose time is taken before an outage, and during it: so many again for as long as it lasts.
const TIMED: usize = 60;
/// How many seconds an outage lasts at least; longer where somebody has the time.
const AWAY: &str = "DATABASE_AWAY_SECONDS";
const USUALLY: u64 = 2;
/// Events a second of another company that is known, before, during and after it.
const LOAD: f64 = 40.0;
const UP: &str = "hookline_registry_up";

#[tokio::test]
async fn a_stopped_database_stops_no_known_company_and_loses_no_unknown_ones_events() {
    let postgres = PrivatePostgres::start().await;
    // As a laptop starts, or a cluster: in any order.
    let store = store(postgres.url().as_str(), MASTER_KEY).await;
    scenario(async |world| {
        let receivers = receivers(&store).await;
        postgres.stop().await;
        let dispatcher = dispatcher(world, postgres.url().as_str()).launch();
        eventually(SOON, "it says what it waits for", async || {
            let page = dispatcher.get("/readyz").await.ok()?;
            let is_told = page.status == 503 && page.body.contains("refused (os error");
            (is_told && !page.body.contains("no connection to the broker")).then_some(())
        })
        .await;
        dispatcher
            .says("nothing is consumed until the registry was reached", SOON)
            .await;
        let other = super::dispatcher(world, postgres.url().as_str()).launch();
        other.says("nothing is consumed", SOON).await;
        // It ends as well as one that works.
        other.stop().await;
        let early = publish(world, "known").await;
        let received = count(&dispatcher, "hookline_messages_received_total").await;
        assert_eq!((received, receivers.known.count()), (0.0, 0), "it takes nothing");
        assert_eq!(world.read(Queue::Events).await.len(), 1);
        postgres.start_again().await;
        dispatcher.is_ready_within(SOON).await;
        receivers.known.expect_one(SOON).await;

        let faults = (
            async || postgres.stop().await,
            async || postgres.start_again().await,
        );
        goes_on(world, &dispatcher, &receivers, faults, early).await;
    })
    .await;
    store.close().await;
}

#[tokio::test]
async fn a_frozen_database_is_no_worse_than_one_that_is_stopped() {
    let postgres = PrivatePostgres::start().await;
    let store = store(postgres.url().as_str(), MASTER_KEY).await;
    scenario(async |world| {
        let receivers = receivers(&store).await;
        let dispatcher = dispatcher(world, postgres.url().as_str()).start().await;
        let early = publish(world, "known").await;
        receivers.known.expect_one(SOON).await;
        let faults = (async || postgres.freeze().await, async || postgres.thaw().await);
        goes_on(world, &dispatcher, &receivers, faults, early).await;
    })
    .await;
    store.close().await;
}

struct Receivers {
    known: Receiver,
    busy: Receiver,
    unknown: Receiver,
}

async fn receivers(store: &hookline_store::Store) -> Receivers {
    let [known, busy, unknown] = [
        Receiver::answering(status(200)).await,
        Receiver::answering(status(200)).await,
        Receiver::answering(status(200)).await,
    ];
    register(store, "known", "ep_known", &known).await;
    register(store, "busy", "ep_busy", &busy).await;
    register(store, "unknown", "ep_unknown", &unknown).await;
    Receivers { known, busy, unknown }
}

async fn goes_on(
    world: &World,
    dispatcher: &hookline_tests::dispatcher::Dispatcher,
    receivers: &Receivers,
    (begin, end): (impl AsyncFn(), impl AsyncFn()),
    early: Event,
) {
    let load = Load::start(world.producer().await.clone(), "busy", LOAD);
    receivers.busy.expect(1, SOON).await;
    let mut known = vec![early];
    let before = middle(times(world, &receivers.known, &mut known).await);
    begin().await;
    let (since, lasts) = (Instant::now(), outage_lasts());
    let (mut unknown, mut taken) = (Vec::new(), Vec::new());
    while taken.is_empty() || since.elapsed() < lasts {
        for _ in 0..10 {
            unknown.push(publish(world, "unknown").await);
        }
        taken.extend(times(world, &receivers.known, &mut known).await);
    }
    let (count, during) = (taken.len(), middle(taken));
    println!("{count} events took {during:?} each during the outage, {before:?} before it");
    // Whatever waits, or is asked of the database, takes hundreds of milliseconds.
    let most = before * 3 + Duration::from_millis(30);
    assert!(
        during <= most,
        "{during:?} during the outage, {before:?} before it"
    );
    eventually(
        SOON,
        "what is unknown is set aside, and the outage seen",
        async || {
            let is_up = dispatcher.metric(UP).await?;
            (parked(dispatcher).await >= 10.0 && is_up == 0.0).then_some(())
        },
    )
    .await;
    assert_eq!(receivers.unknown.count(), 0);
    assert!(dispatcher.is_ready().await, "it has work that it can do");
    end().await;
    let requests = receivers.unknown.expect(unknown.len(), SOON).await;
    assert!(
        requests.iter().all(|request| request.attempt() == 1),
        "no attempt is spent on waiting"
    );
    eventually(SOON, "the registry is up", async || {
        (dispatcher.metric(UP).await? == 1.0).then_some(())
    })
    .await;
    let loaded = load.stop().await;
    assert!(
        loaded.in_doubt.is_empty() && loaded.refused.is_empty(),
        "the broker was there: {loaded:?}"
    );
    receivers.busy.expect(loaded.accepted.len(), SOON).await;
    let mut judge = Judge::default();
    judge.accepted(&known, &["ep_known"]);
    judge.accepted(&loaded.accepted, &["ep_busy"]);
    judge.accepted(&unknown, &["ep_unknown"]);
    judge.saw("ep_known", &receivers.known);
    judge.saw("ep_busy", &receivers.busy);
    judge.saw("ep_unknown", &receivers.unknown);
    assert_eq!(judge.verdict(), Verdict::default());
}

fn outage_lasts() -> Duration {
    let seconds = std::env::var(AWAY).map_or(USUALLY, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// How long some events of the known company take, one after the other.
async fn times(world: &World, receiver: &Receiver, events: &mut Vec<Event>) -> Vec<Duration> {
    let had = receiver.count();
    let mut published = Vec::new();
    for number in had..had + TIMED {
        published.push(Instant::now());
        events.push(publish(world, "known").await);
        eventually(SOON, "the next one comes", async || {
            (receiver.count() > number).then_some(())
        })
        .await;
    }
    let requests = receiver.expect(had + TIMED, SOON).await;
    let pairs = requests.iter().skip(had).zip(published);
    pairs
        .map(|(request, published)| request.arrived - published)
        .collect()
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn a_connection_that_went_silent_is_noticed_and_what_was_not_heard_is_made_up_for() {
    database_scenario(async |world, database| {
        let wire = Wire::to(database.url().as_str()).await;
        let store = store(database.url().as_str(), MASTER_KEY).await;
        let dispatcher = dispatcher(world, &wire.url(database.url().as_str()))
            .start()
            .await;
        publish(world, "acme").await;
        eventually(SOON, "the company is known to have no endpoints", async || {
            (count(&dispatcher, "hookline_events_unmatched_total").await == 1.0).then_some(())
        })
        .await;
        // New connections pass; those there are were forgotten by a machine on the way, and nobody says so.
        wire.fall_silent();
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        dispatcher.says("changes of endpoints are not heard", SOON).await;
        dispatcher
            .says("changes of endpoints are heard again", SOON)
            .await;
        eventually(SOON, "the endpoint gets events", async || {
            publish(world, "acme").await;
            (receiver.count() > 0).then_some(())
        })
        .await;
        world.is_empty_within(SOON).await;
        dispatcher.has_let_go_within(SOON).await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_nobody_can_look_up_is_not_taken_for_gone() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let wire = Wire::to(url).await;
        let (store, through) = (store(url, MASTER_KEY).await, wire.url(url));
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_first", &receiver).await;
        let dispatcher = Embedded::start(world, |settings| {
            settings.endpoints = EndpointsSource::Registry(Box::new(super::settings(&through, MASTER_KEY)));
            settings.unknown_grace = Duration::from_secs(5);
        })
        .await;
        publish(world, "acme").await;
        receiver.expect_one(SOON).await;
        let records = Records::of(world).await;
        wire.cut();
        // Another replica knows it; to this one it is unknown for longer than what is gone is waited for.
        register(&store, "acme", "ep_second", &receiver).await;
        HandMade::delivery("ep_second")
            .send(world, Queue::Deliveries)
            .await;
        let event = publish(world, "acme").await;
        // It is set aside for 1 s at first, then for 8 s, and then, when it would count as gone, again.
        let queue = world.queue(Queue::Park(PARK_DELAYS[3]));
        let waits = async |what| {
            eventually(SOON, what, async || {
                (world.broker().ready(&queue).await == Some(1)).then_some(())
            })
            .await;
        };
        waits("it waits").await;
        // It is back for an instant only, which nobody would see; after this it has been.
        sleep(PARK_DELAYS[3].as_duration() + Duration::from_secs(1)).await;
        waits("and has to wait again").await;
        wire.restore();
        let requests = receiver.expect(3, SOON).await;
        assert_eq!(requests[1].id(), event.id.as_str());
        assert!(
            records
                .all()
                .iter()
                .all(|record| record["outcome"] == "delivered")
        );
        dispatcher.stop().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_database_without_tables_is_waited_for_and_says_who_makes_them() {
    database_scenario(async |world, database| {
        let url = database.url().as_str();
        let dispatcher = dispatcher(world, url).launch();
        let line = dispatcher.says("nothing is consumed", SOON).await;
        assert!(line.contains("hookline-console migrate"), "{line}");
        assert!(!dispatcher.is_ready().await);
        let store = hookline_store::Store::new(settings(url, MASTER_KEY));
        store.migrate().await.unwrap();
        dispatcher.is_ready_within(SOON).await;
        let receiver = Receiver::answering(status(200)).await;
        register(&store, "acme", "ep_crm", &receiver).await;
        publish(world, "acme").await;
        receiver.expect_one(SOON).await;
        store.close().await;
    })
    .await;
}
