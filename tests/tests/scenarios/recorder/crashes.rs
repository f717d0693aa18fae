//! Consoles that die at any moment: the log holds what receivers have counted, each attempt once.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use hookline_tests::console::{database_scenario, setup};
use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, status};
use tokio::time::sleep;

use super::recorded_once;
use crate::SOON;

/// Deliveries; more of them where somebody has the time.
const DELIVERIES: &str = "RECORDER_DELIVERIES";
const USUALLY: usize = 2000;
/// One of so many fails at first.
const FAILS: usize = 20;
/// The console's lives, and how long each lasts at most.
const LIVES: u64 = 6;
const LONGEST_MS: u64 = 1500;

#[tokio::test]
async fn a_console_killed_at_any_moment_records_each_attempt_once() {
    let deliveries = std::env::var(DELIVERIES).map_or(USUALLY, |text| text.parse().unwrap());
    database_scenario(async |world, database| {
        let mut count = 0;
        let receiver = Receiver::scripted(move |request| {
            count += 1;
            status(if request.attempt() == 1 && count % FAILS == 0 {
                500
            } else {
                200
            })
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        world.dispatcher().start().await;
        let publishing = async {
            for _ in 0..deliveries.div_ceil(100) {
                world.publish_many(100, "booking.created").await;
            }
        };
        let dying = async {
            for life in 0..LIVES {
                let console = setup(world, database).launch();
                // Any moment will do: before it leads, while it reads, in the middle of a transaction.
                let random = RandomState::new().build_hasher().finish();
                sleep(Duration::from_millis(random % LONGEST_MS + life)).await;
                console.kill().await;
            }
        };
        tokio::join!(publishing, dying);
        setup(world, database).start().await;
        let published = deliveries.div_ceil(100) * 100;
        hookline_tests::eventually(3 * SOON, "everything is accepted", async || {
            (receiver.accepted().len() == published).then_some(())
        })
        .await;
        recorded_once(database.url(), receiver.count(), 3 * SOON).await;
        let failed = "SELECT count(*)::text FROM attempts WHERE outcome <> 'delivered'";
        let refused = receiver.count() - published;
        super::says(database, failed, &[&refused.to_string()], SOON).await;
        let events = "SELECT count(*)::text FROM events WHERE data IS NOT NULL";
        super::says(database, events, &[&published.to_string()], SOON).await;
    })
    .await;
}
