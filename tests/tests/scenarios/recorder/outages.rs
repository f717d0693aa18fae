//! A database that stops, or hangs, while deliveries go on: afterwards the log is complete.

use std::time::{Duration, Instant};

use hookline_tests::console::{ADMIN_TOKEN, MASTER_KEY};
use hookline_tests::endpoint::endpoint;
use hookline_tests::private_postgres::PrivatePostgres;
use hookline_tests::{Receiver, World, eventually, scenario, status};

use super::recorded_once;
use crate::SOON;

const EVENTS: usize = 300;
/// How many seconds events go on being published while the database is away; longer where somebody has the time.
const AWAY: &str = "DATABASE_AWAY_SECONDS";
const USUALLY: u64 = 2;

async fn after(stops: impl AsyncFnOnce(&PrivatePostgres), goes_on: impl AsyncFnOnce(&PrivatePostgres)) {
    let seconds = std::env::var(AWAY).map_or(USUALLY, |text| text.parse().unwrap());
    let seconds = Duration::from_secs(seconds);
    let postgres = PrivatePostgres::start().await;
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let console = world
            .dispatcher()
            .program("hookline-console")
            .unset("HOOKLINE_ENDPOINTS_FILE")
            .set("HOOKLINE_DATABASE_URL", postgres.url().as_str())
            .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
            .set("HOOKLINE_ADMIN_TOKEN", ADMIN_TOKEN)
            .start()
            .await;
        publish(world, &receiver, EVENTS).await;
        console.says("attempts are recorded", SOON).await;
        tokio::join!(publish(world, &receiver, 2 * EVENTS), stops(&postgres));
        // Deliveries do not need it, and the console does not go on as if it were there.
        let (away, mut published) = (Instant::now(), 2 * EVENTS);
        while published == 2 * EVENTS || away.elapsed() < seconds {
            published += EVENTS;
            publish(world, &receiver, published).await;
        }
        console.says("does not lead any more", SOON).await;
        goes_on(&postgres).await;
        published += EVENTS;
        publish(world, &receiver, published).await;
        recorded_once(&postgres.url(), published, 3 * SOON).await;
    })
    .await;
}

/// Until the receiver has had so many.
async fn publish(world: &World, receiver: &Receiver, count: usize) {
    world.publish_many(EVENTS, "booking.created").await;
    eventually(SOON, "all are delivered", async || {
        (receiver.count() >= count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_was_stopped_holds_everything_afterwards() {
    after(
        async |postgres| postgres.stop().await,
        async |postgres| postgres.start_again().await,
    )
    .await;
}

#[tokio::test]
async fn a_database_that_hung_holds_everything_afterwards() {
    after(
        async |postgres| postgres.freeze().await,
        async |postgres| postgres.thaw().await,
    )
    .await;
}
