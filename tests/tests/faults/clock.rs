//! The wall clock of a dispatcher jumps, and no other: retries keep their delays, and only what is signed tells of it.

use std::path::PathBuf;
use std::time::Duration;

use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_found};
use hookline_tests::hostile::not_run;
use hookline_tests::judge::Judge;
use hookline_tests::{Receiver, SOON, eventually, scenario, status};

const EVENTS: usize = 1000;
const DELAY: Duration = Duration::from_secs(4);

/// The library that shows a program another time, where this machine has it.
fn faketime() -> Option<PathBuf> {
    let library = PathBuf::from(std::env::var_os("HOOKLINE_TEST_FAKETIME")?);
    assert!(library.exists(), "HOOKLINE_TEST_FAKETIME={}", library.display());
    Some(library)
}

/// Lets the clock jump in the middle of retries, by so many seconds.
async fn the_clock_jumps(by_s: i64) {
    let Some(library) = faketime() else {
        return not_run(
            &format!("d30: the wall clock jumps by {by_s} s"),
            "there is no libfaketime (HOOKLINE_TEST_FAKETIME)",
        );
    };
    scenario(async |world| {
        let mut trial = Trial::here();
        let receiver =
            Receiver::scripted(|request| status(if request.attempt() == 1 { 500 } else { 200 })).await;
        world.endpoints([endpoint("ep_crm", &receiver)]);
        // One that is written is read as a whole by whoever asks what time it is.
        let clock = |offset: i64| {
            std::fs::write(world.path("clock.draft"), format!("{offset:+}\n")).unwrap();
            std::fs::rename(world.path("clock.draft"), world.path("clock")).unwrap();
        };
        clock(0);
        let delay = format!("{}s", DELAY.as_secs());
        let dispatcher = world
            .dispatcher()
            .set("HOOKLINE_RETRY_SCHEDULE", format!("{delay},{delay}"))
            .set("LD_PRELOAD", library.display().to_string())
            .set(
                "FAKETIME_TIMESTAMP_FILE",
                world.path("clock").display().to_string(),
            )
            .set("FAKETIME_NO_CACHE", "1")
            .set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .set("FAKETIME_DISABLE_SHM", "1")
            .start()
            .await;
        let mut events = world.publish_many(EVENTS, "booking.created").await;
        eventually(SOON, "first attempts are made", async || {
            (receiver.count() >= EVENTS / 2).then_some(())
        })
        .await;
        clock(by_s);
        trial.healed();
        events.extend(world.publish_many(EVENTS, "booking.created").await);
        are_found(world, &[&receiver], events.len(), SOON).await;
        world.is_settled_within(SOON).await;
        assert!(dispatcher.is_ready().await);
        let last = receiver.requests().pop().unwrap();
        let signed_at: i64 = last.header("webhook-timestamp").parse().unwrap();
        let off = signed_at - last.arrived_unix;
        assert!(
            (off - by_s).abs() < 60,
            "signed {off} s off, the clock is {by_s} s off"
        );
        let mut judge = Judge::with_schedule(&[DELAY, DELAY]).with_clocks(&[0, by_s]);
        judge.accepted(&events, &["ep_crm"]);
        judge.saw("ep_crm", &receiver);
        // One attempt each on either side of its delay: neither a burst nor an attempt too many.
        assert_eq!(receiver.count(), 2 * events.len());
        // Each event waits for its second attempt.
        let allowed = Allowed::nothing();
        let back_within = DELAY + allowed.recovery;
        trial.closes(&judge, allowed.back_within(back_within)).await;
    })
    .await;
}

#[tokio::test]
async fn d30_the_wall_clock_jumps_an_hour_ahead() {
    the_clock_jumps(3600).await;
}

#[tokio::test]
async fn d30_the_wall_clock_jumps_an_hour_back() {
    the_clock_jumps(-3600).await;
}

#[tokio::test]
async fn d30_the_wall_clock_jumps_a_day_ahead() {
    the_clock_jumps(24 * 3600).await;
}
