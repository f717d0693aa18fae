//! The console's database is not there yet, is killed, hangs, or takes long for every answer.

use std::time::Duration;

use hookline_tests::console::{dispatcher_on, setup_on, start};
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::eventually::always;
use hookline_tests::fault::{Allowed, Trial};
use hookline_tests::judge::Judge;
use hookline_tests::private_postgres::PrivatePostgres;
use hookline_tests::recorded::recorded_once;
use hookline_tests::wire::Wire;
use hookline_tests::{SOON, eventually, scenario};
use serde_json::json;
use tokio::time::Instant;

use crate::company::Company;

/// Events of a company that the dispatcher knows, before and during an outage.
const KNOWN: usize = 2000;
/// Events of one that it does not.
const UNKNOWN: usize = 200;
const UP: &str = "hookline_registry_up";
const PARKED: &str = "hookline_deliveries_parked_total";

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
        // Of those that stood still the first one that is new.
        unknown.publish(world, 1).await;
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
        // Before and after, so that it does not matter when the machine is busy with something else.
        let after = known.median(world).await;
        // Whatever waits for the database does so for half a second, and for a second more once it is set aside.
        assert!(
            during <= before.max(after) * 3 + Duration::from_millis(250),
            "{during:?} during the outage, {before:?} before it and {after:?} after it"
        );
        recorded_once(&direct, known.events.len() + unknown.events.len(), 3 * SOON).await;
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
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
        world.is_settled_within(SOON).await;
        let mut judge = Judge::with_usual_schedule();
        known.judged(&mut judge);
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
