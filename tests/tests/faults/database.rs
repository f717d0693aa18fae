//! The console's database is away, hangs, is slow, takes no changes, or loses its clients in the middle of a COMMIT.

use std::time::Duration;

use hookline_producer::Event;
use hookline_tests::api::Api;
use hookline_tests::console::{Console, database_scenario, dispatcher_on, setup, setup_on, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::endpoint;
use hookline_tests::eventually::always;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::load::{numbered, publish_until_stored};
use hookline_tests::private_postgres::PrivatePostgres;
use hookline_tests::recorded::recorded_once;
use hookline_tests::wire::Wire;
use hookline_tests::{Receiver, SOON, World, eventually, scenario, status};
use hyper::Method;
use serde_json::json;
use tokio::time::Instant;

/// Events of a company that the dispatcher knows, before and during an outage.
const KNOWN: usize = 2000;
/// Events of one that it does not.
const UNKNOWN: usize = 200;
/// Events whose time is taken before and during an outage.
const TIMED: usize = 60;
const UP: &str = "hookline_registry_up";
const PARKED: &str = "hookline_deliveries_parked_total";

/// A company with its one endpoint, and what was published for it.
struct Company {
    name: &'static str,
    endpoint: &'static str,
    receiver: Receiver,
    events: Vec<Event>,
}

impl Company {
    async fn registered(console: &Console, name: &'static str, endpoint: &'static str) -> Self {
        let receiver = Receiver::answering(status(200)).await;
        let wanted = json!({"url": receiver.url(), "id": endpoint});
        console.register(name, &wanted).await;
        Self {
            name,
            endpoint,
            receiver,
            events: Vec::new(),
        }
    }

    /// Publishes so many events more.
    async fn publish(&mut self, world: &World, count: usize) {
        let from = self.events.len();
        let events: Vec<Event> = (from..from + count)
            .map(|number| numbered(self.name, number))
            .collect();
        publish_until_stored(world.producer().await, &events).await;
        self.events.extend(events);
    }

    /// Waits until all of them have come.
    async fn has_all(&self) {
        self.receiver.expect(self.events.len(), 2 * SOON).await;
    }

    /// The middle one of the times that some events take, one after the other.
    async fn median(&mut self, world: &World) -> Duration {
        let mut times = Vec::new();
        for _ in 0..TIMED {
            let (count, since) = (self.receiver.count(), Instant::now());
            self.publish(world, 1).await;
            let request = self.receiver.expect(count + 1, SOON).await.remove(count);
            times.push(request.arrived - since);
        }
        times.sort_unstable();
        times[TIMED / 2]
    }

    fn judged(&self, judge: &mut Judge) {
        judge.accepted(&self.events, &[self.endpoint]);
        judge.saw(self.endpoint, &self.receiver);
    }
}

async fn parked(dispatcher: &Dispatcher) -> f64 {
    dispatcher.metric(PARKED).await.unwrap_or(0.0)
}

/// The database goes in the middle of a load, and comes back: whom the dispatcher knows does not notice, who is not known waits,
/// and the console refuses what it cannot do.
async fn goes(
    begin: impl AsyncFnOnce(&PrivatePostgres, &Wire),
    end: impl AsyncFnOnce(&PrivatePostgres, &Wire),
    lasts: Duration,
) {
    let mut trial = Trial::here();
    let postgres = PrivatePostgres::start().await;
    scenario(async |world| {
        let direct = postgres.url();
        let wire = Wire::to(direct.as_str()).await;
        let url = wire.url(direct.as_str());
        let console = start(setup_on(world, &url)).await;
        let mut known = Company::registered(&console, "known", "ep_known").await;
        let mut unknown = Company::registered(&console, "unknown", "ep_unknown").await;
        let dispatcher = dispatcher_on(world, &url).start().await;
        known.publish(world, KNOWN / 2).await;
        known.has_all().await;
        let before = known.median(world).await;

        begin(&postgres, &wire).await;
        let since = Instant::now();
        unknown.publish(world, UNKNOWN).await;
        let during = known.median(world).await;
        // Whatever waits, or is asked of the database, takes hundreds of milliseconds.
        assert!(
            during <= before * 3 + Duration::from_millis(100),
            "{during:?} during the outage, {before:?} before it"
        );
        known.publish(world, KNOWN / 2).await;
        known.has_all().await;
        eventually(SOON, "what is unknown is set aside", async || {
            (parked(&dispatcher).await >= UNKNOWN as f64).then_some(())
        })
        .await;
        eventually(SOON, "the outage is seen", async || {
            (dispatcher.metric(UP).await? == 0.0).then_some(())
        })
        .await;
        assert!(dispatcher.is_ready().await, "it has work that it can do");
        let wanted = json!({"url": known.receiver.url()});
        loop {
            let refused = console
                .admin()
                .post("/v1/companies/other/endpoints", &wanted)
                .await;
            assert_eq!(refused.status, 503, "{refused:?}");
            if since.elapsed() >= lasts {
                break;
            }
        }
        end(&postgres, &wire).await;
        trial.healed();
        unknown.has_all().await;
        let attempts = unknown.receiver.requests();
        assert!(
            attempts.iter().all(|request| request.attempt() == 1),
            "no attempt is spent on waiting"
        );
        eventually(SOON, "the registry is up", async || {
            (dispatcher.metric(UP).await? == 1.0).then_some(())
        })
        .await;
        known.publish(world, UNKNOWN).await;
        known.has_all().await;
        recorded_once(&direct, known.events.len() + unknown.events.len(), 3 * SOON).await;
        world.is_empty_within(SOON).await;
        let mut judge = Judge::default();
        known.judged(&mut judge);
        unknown.judged(&mut judge);
        // What is set aside waits for a minute at most.
        let allowed = Allowed::nothing().back_within(Duration::from_secs(65));
        trial.closes(&judge, allowed).await;
    })
    .await;
}

#[tokio::test]
async fn d25_database_killed_and_started_again() {
    goes(
        async |postgres, _| postgres.kill().await,
        async |postgres, _| postgres.start_again().await,
        Duration::ZERO,
    )
    .await;
}

#[tokio::test]
async fn d26_database_frozen_for_twenty_seconds() {
    goes(
        async |postgres, _| postgres.freeze().await,
        async |postgres, _| postgres.thaw().await,
        Duration::from_secs(20),
    )
    .await;
}

#[tokio::test]
async fn d26_database_that_takes_long_for_every_answer() {
    goes(
        async |_, wire| wire.delay(Duration::from_secs(12)),
        async |_, wire| wire.restore(),
        Duration::ZERO,
    )
    .await;
}

#[tokio::test]
async fn d11_dispatcher_before_its_database() {
    let mut trial = Trial::here();
    let postgres = PrivatePostgres::start().await;
    scenario(async |world| {
        let console = start(setup_on(world, postgres.url().as_str())).await;
        let mut known = Company::registered(&console, "known", "ep_known").await;
        postgres.stop().await;
        let dispatcher = dispatcher_on(world, postgres.url().as_str()).launch();
        let other = dispatcher_on(world, postgres.url().as_str()).launch();
        eventually(SOON, "it says what it waits for", async || {
            let page = dispatcher.get("/readyz").await.ok()?;
            let is_told = page.status == 503 && page.body.contains("refused (os error");
            (is_told && !page.body.contains("no connection to the broker")).then_some(())
        })
        .await;
        other
            .says("nothing is consumed until the registry was reached", SOON)
            .await;
        // It ends as well as one that works.
        other.stop().await;
        known.publish(world, KNOWN).await;
        always(Duration::from_secs(3), "it takes nothing", async || {
            let received = dispatcher.metric("hookline_messages_received_total").await;
            received.unwrap_or(0.0) == 0.0 && known.receiver.count() == 0
        })
        .await;
        postgres.start_again().await;
        trial.healed();
        known.has_all().await;
        world.is_empty_within(SOON).await;
        let mut judge = Judge::default();
        known.judged(&mut judge);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// Whoever registers an endpoint and gets no answer does it again under the same id, and has it once.
#[tokio::test]
async fn d27_endpoint_made_while_the_connection_is_cut_in_commit() {
    const COMPANIES: usize = 20;
    const EACH: usize = 50;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let direct = database.url().as_str();
        let wire = Wire::to(direct).await;
        let console = start(setup_on(world, &wire.url(direct))).await;
        let receiver = Receiver::answering(status(200)).await;
        let wanted = json!({"url": receiver.url(), "id": "ep_crm"});
        let mut unanswered = 0;
        for number in 0..COMPANIES {
            let path = format!("/v1/companies/company-{number}/endpoints");
            let cuts = wire.cuts();
            wire.cut_at("COMMIT", number % 2 == 0);
            let made = console.admin().post(&path, &wanted).await;
            assert!(matches!(made.status, 201 | 503), "{made:?}");
            unanswered += usize::from(made.status == 503);
            assert!(wire.cuts() > cuts, "it was in a COMMIT");
            wire.restore();
            eventually(SOON, "it is there at last", async || {
                let made = console.admin().post(&path, &wanted).await;
                assert!(matches!(made.status, 201 | 409 | 503), "{made:?}");
                (made.status != 503).then_some(())
            })
            .await;
            let listed = console.admin().get(&path).await.expect(200).json();
            assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
        }
        assert!(unanswered > 0);
        dispatcher_on(world, direct).start().await;
        let mut events = Vec::new();
        for number in 0..COMPANIES {
            events.extend((0..EACH).map(|event| numbered(&format!("company-{number}"), event)));
        }
        publish_until_stored(world.producer().await, &events).await;
        receiver.expect(COMPANIES * EACH, SOON).await;
        world.is_empty_within(SOON).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

#[tokio::test]
async fn d27_recorder_whose_connection_is_cut_in_commit() {
    const EVENTS: usize = 4000;
    const CUTS: usize = 12;
    let trial = Trial::here();
    database_scenario(async |world, database| {
        let direct = database.url().as_str();
        let wire = Wire::to(direct).await;
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let console = start(setup_on(world, &wire.url(direct))).await;
        console.process().says("attempts are recorded", SOON).await;
        let mut events = Vec::new();
        for round in 0..CUTS {
            let cuts = wire.cuts();
            wire.cut_at("COMMIT", round % 2 == 0);
            events.extend(world.publish_many(EVENTS / CUTS, "booking.created").await);
            eventually(SOON, "it is cut in a COMMIT", async || {
                (wire.cuts() > cuts).then_some(())
            })
            .await;
            wire.restore();
        }
        receiver.expect(events.len(), SOON).await;
        recorded_once(database.url(), events.len(), 3 * SOON).await;
        world.is_empty_within(SOON).await;
        let mut judge = Judge::default();
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// Has the database take no changes from now on, or again, whoever is connected.
async fn takes_changes(database: &Database, takes: bool) {
    let name = database.url().path().trim_start_matches('/').to_owned();
    let value = if takes { "off" } else { "on" };
    let sql = format!(
        "BEGIN READ WRITE; ALTER DATABASE {name} SET default_transaction_read_only = {value}; COMMIT; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    );
    database.execute(&sql).await.unwrap();
}

/// What reads, and what changes something: of the routes that companies use with their own tokens.
async fn asked(company: &Api, admin: &Api, receiver: &Receiver) -> (Vec<u16>, Vec<u16>) {
    const OF: &str = "/v1/companies/acme";
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for path in [
        "endpoints",
        "endpoints/ep_crm",
        "deliveries",
        "failed",
        "problems",
        "audit",
        "events",
    ] {
        reads.push(company.get(&format!("{OF}/{path}")).await.status);
    }
    let endpoint = json!({"url": receiver.url()});
    for (api, method, path, body) in [
        (company, Method::POST, "endpoints", endpoint),
        (
            company,
            Method::PATCH,
            "endpoints/ep_crm",
            json!({"description": "changed"}),
        ),
        (company, Method::POST, "endpoints/ep_crm/rotate-secret", json!({})),
        (company, Method::DELETE, "endpoints/ep_crm", json!({})),
        (admin, Method::POST, "tokens", json!({})),
    ] {
        let reply = api.send(method, &format!("{OF}/{path}"), Some(&body)).await;
        writes.push(reply.status);
    }
    (reads, writes)
}

#[tokio::test]
async fn d28_database_that_takes_no_changes() {
    let mut trial = Trial::here();
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let mut acme = Company::registered(&console, "acme", "ep_crm").await;
        let company = console.company("acme").await;
        let never_used = console.company("acme").await;
        company.get("/v1/companies/acme/endpoints").await.expect(200);
        let dispatcher = dispatcher_on(world, database.url().as_str()).start().await;
        acme.publish(world, KNOWN / 2).await;
        acme.has_all().await;

        takes_changes(database, false).await;
        console.process().says("default_transaction_read_only", SOON).await;
        for token in [&company, &never_used] {
            let (reads, writes) = asked(token, console.admin(), &acme.receiver).await;
            assert!(reads.iter().all(|status| *status == 200), "{reads:?}");
            assert!(writes.iter().all(|status| *status == 503), "{writes:?}");
            let event = numbered("acme", 1_000_000 + acme.events.len());
            let body = json!({"id": event.id.as_str(), "type": "booking.created", "data": {"number": 1_000_000 + acme.events.len()}});
            let reply = token.post("/v1/companies/acme/events", &body).await;
            reply.expect(202);
            acme.events.push(event);
        }
        acme.publish(world, KNOWN / 2).await;
        acme.has_all().await;
        assert!(dispatcher.is_ready().await);

        takes_changes(database, true).await;
        trial.healed();
        eventually(SOON, "changes are taken again", async || {
            let path = "/v1/companies/acme/endpoints/ep_crm";
            let reply = company.patch(path, &json!({"description": "changed"})).await;
            (reply.status == 200).then_some(())
        })
        .await;
        acme.publish(world, UNKNOWN).await;
        acme.has_all().await;
        recorded_once(database.url(), acme.events.len(), 3 * SOON).await;
        world.is_empty_within(SOON).await;
        let mut judge = Judge::default();
        acme.judged(&mut judge);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// Whatever was answered with 201 is there afterwards, and nothing else; deliveries go on, and their records follow.
#[tokio::test]
async fn d28_disk_of_the_database_is_full() {
    const MEGABYTES: u32 = 200;
    let mut trial = Trial::here();
    let Some(postgres) = PrivatePostgres::start_on_a_disk_of(MEGABYTES).await else {
        eprintln!("NOT RUN: only root can mount a small disk");
        return;
    };
    scenario(async |world| {
        let url = postgres.url();
        let console = start(setup_on(world, url.as_str())).await;
        let mut acme = Company::registered(&console, "acme", "ep_crm").await;
        let dispatcher = dispatcher_on(world, url.as_str()).start().await;
        acme.publish(world, KNOWN / 2).await;
        acme.has_all().await;
        recorded_once(&url, acme.events.len(), 3 * SOON).await;

        postgres.fill_disk(true);
        let (mut made, mut number) = (Vec::new(), 0);
        let wanted = json!({"url": acme.receiver.url(), "description": "a".repeat(200)});
        eventually(2 * SOON, "an endpoint finds no room", async || {
            number += 1;
            let path = format!("/v1/companies/company-{number}/endpoints");
            let reply = console.admin().post(&path, &wanted).await;
            assert!(matches!(reply.status, 201 | 503), "{reply:?}");
            if reply.status == 201 {
                made.push(number);
            }
            (reply.status == 503).then_some(())
        })
        .await;
        acme.publish(world, KNOWN).await;
        acme.has_all().await;
        console.process().says("space", SOON).await;
        assert!(dispatcher.is_ready().await);

        postgres.fill_disk(false);
        // It may have ended itself for want of room.
        postgres.start_again().await;
        trial.healed();
        acme.publish(world, UNKNOWN).await;
        acme.has_all().await;
        recorded_once(&url, acme.events.len(), 3 * SOON).await;
        for company in 1..=number {
            let path = format!("/v1/companies/company-{company}/endpoints");
            let listed = console.admin().get(&path).await.expect(200).json();
            let found = listed["data"].as_array().unwrap().len();
            assert_eq!(found, usize::from(made.contains(&company)), "company-{company}");
        }
        world.is_empty_within(SOON).await;
        let mut judge = Judge::default();
        acme.judged(&mut judge);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
