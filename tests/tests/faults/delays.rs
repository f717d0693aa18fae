//! Delays that the broker keeps: how exact they are, and what they outlive.

use std::time::Duration;

use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_tests::dispatcher::{Dispatcher, IN_FLIGHT};
use hookline_tests::fault::{Allowed, Trial, are_recorded};
use hookline_tests::load::{Load, Published, numbered, publish_each};
use hookline_tests::private_broker::PrivateBroker;
use hookline_tests::receiver::Received;
use hookline_tests::{SOON, eventually, scenario, status};
use tokio::time::Instant;

use crate::single::{Single, refuses_first};

/// Deliveries that wait: so few that a busy machine makes all first attempts before the first of them falls due.
const WAITING: usize = 500;

/// Publishes, and waits until each first attempt was made and its retry stored.
async fn all_wait(single: &Single<'_>, dispatcher: &Dispatcher) -> Published {
    let events = (0..WAITING).map(|number| numbered("acme", number)).collect();
    let published = publish_each(&single.producer().await, events).await;
    single.has_seen(WAITING).await;
    dispatcher.has_let_go_within(SOON).await;
    published
}

/// Its dispatchers are gone as well, so that nobody makes it again before the time of what waits is over.
#[tokio::test]
async fn d22_target_of_a_delay_queue_deleted_and_made_again() {
    const SECONDS: u32 = 30;
    let mut trial = Trial::here();
    scenario(async |world| {
        let single = Single::shared(world, refuses_first)
            .await
            .with_delays(&[u64::from(SECONDS)]);
        let retry = Queue::Retry(Delay::from_seconds(SECONDS));
        let dispatcher = single.dispatcher().start().await;
        let published = all_wait(&single, &dispatcher).await;
        dispatcher.stop().await;
        // What lay in the queue that is deleted would go with it.
        let waiting = world.broker().ready(&world.queue(retry)).await;
        assert_eq!(waiting, u32::try_from(WAITING).ok(), "all of them still wait");
        world.broker().delete(&[world.queue(Queue::Due)], &[]).await;
        // What the broker holds in its hand while it looks for the target is not counted as ready.
        eventually(2 * SOON, "their time is over", async || {
            (world.broker().ready(&world.queue(retry)).await == Some(0)).then_some(())
        })
        .await;
        single.dispatcher().start().await;
        trial.healed();
        single.comes_to_rest(&published).await;
        assert_eq!(single.receiver.count(), 2 * WAITING);
        let mut judge = single.judge(&published);
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// The middle one and the last one.
fn middle_and_last(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1])
}

/// Five delays, two hundred messages in each, of different ages at any moment: none holds back another. How late they are is held
/// against how long a fresh event takes on this machine meanwhile.
#[tokio::test]
async fn d23_delays_are_kept_and_hold_up_no_other() {
    const EVENTS: usize = 200;
    const FRESH: usize = 100;
    let trial = Trial::here();
    scenario(async |world| {
        let answer = |request: &Received| {
            let is_fresh = request.body.windows(7).any(|bytes| bytes == b"\"fresh\"");
            status(if is_fresh || request.attempt() > 5 {
                200
            } else {
                500
            })
        };
        let single = Single::shared(world, answer).await.with_delays(&[1, 2, 3, 4, 5]);
        let _dispatcher = single.dispatcher().start().await;
        let load = Load::start(single.producer().await, "acme", 50.0);
        let one_fresh = async || {
            let since = Instant::now();
            let event = world.publish("booking.created", "{\"fresh\":true}").await;
            let request = eventually(SOON, "a fresh event comes", async || {
                let requests = single.receiver.requests();
                requests.into_iter().find(|it| it.id() == event.id.as_str())
            })
            .await;
            (event, request.arrived - since)
        };
        let mut fresh = Vec::new();
        while load.confirmed() < EVENTS || fresh.len() < FRESH {
            fresh.push(one_fresh().await);
        }
        let mut published = load.stop().await;
        // As long as there are retries to hold against them.
        eventually(2 * SOON, "everything is delivered", async || {
            fresh.push(one_fresh().await);
            (single.missing(&published) == 0).then_some(())
        })
        .await;
        let (fresh_events, fresh): (Vec<_>, Vec<_>) = fresh.into_iter().unzip();
        published.accepted.extend(fresh_events);
        single.comes_to_rest(&published).await;
        let (usual, longest) = middle_and_last(fresh);
        let requests = single.receiver.requests();
        for delay in 1..=5 {
            let late: Vec<Duration> = requests
                .iter()
                .filter(|request| request.attempt() == delay + 1)
                .map(|request| {
                    let is_before =
                        |other: &&Received| other.attempt() == delay && other.id() == request.id();
                    let before = requests.iter().find(is_before).unwrap();
                    let gap = request.arrived - before.ended.unwrap();
                    gap.checked_sub(Duration::from_secs(u64::from(delay)))
                        .expect("no sooner")
                })
                .collect();
            assert!(late.len() >= EVENTS, "{} retries after {delay} s", late.len());
            let (middle, last) = middle_and_last(late);
            assert!(
                middle <= Duration::from_millis(250) + 5 * usual,
                "{middle:?} after {delay} s, {usual:?} for a fresh event"
            );
            // Behind a message with another delay it would be whole seconds.
            assert!(
                last <= Duration::from_millis(900) + 5 * longest,
                "{last:?} after {delay} s, {longest:?} for a fresh event"
            );
        }
        let mut judge = single.judge(&published);
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}

/// When a delivery is due was settled when it failed, and no restart of the broker begins its delay anew.
#[tokio::test]
async fn r04_delay_goes_on_while_the_broker_is_down() {
    const SECONDS: u32 = 25;
    let delay = Duration::from_secs(u64::from(SECONDS));
    let mut trial = Trial::here();
    let private = PrivateBroker::start_new().await;
    scenario(async |world| {
        let single = Single::on(world, &private.url(), refuses_first)
            .await
            .with_delays(&[u64::from(SECONDS)]);
        let dispatcher = single.dispatcher().start().await;
        let published = all_wait(&single, &dispatcher).await;
        private.has_stored_its_directory().await;
        private.kill().await;
        private.start_again().await;
        let back = Instant::now();
        single.comes_to_rest(&published).await;
        let requests = single.receiver.requests();
        let of = |attempt: u32| {
            requests
                .iter()
                .filter(move |request| request.attempt() == attempt)
        };
        let last = of(2).map(|request| request.arrived).max().unwrap();
        assert!(
            last < back + delay,
            "{:?} after the broker was back",
            last.duration_since(back)
        );
        // The fault is over when the broker is back and the first of them is due, which may be later.
        let due = of(1).filter_map(|request| request.ended).min().unwrap() + delay;
        let first = of(2).map(|request| request.arrived).min().unwrap();
        trial.back_after(first.saturating_duration_since(back.max(due)));
        trial
            .closes(&single.judge(&published), Allowed::twice(IN_FLIGHT))
            .await;
    })
    .await;
}
