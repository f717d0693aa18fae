//! What a delivery costs and how long a backlog takes, measured in virtual time, so the targets are exact.

use std::collections::VecDeque;
use std::time::Duration;

use super::receiver::Receiver;
use super::world::{DELIVERIES, DUE, EVENTS, World};

const SECOND: Duration = Duration::from_secs(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// How much of `slots ÷ latency` was used, and parks a delivery, for `count` messages for each of `endpoints` from one
/// working queue.
fn served(queue: usize, endpoints: usize, count: usize, latency: Duration, slots: usize) -> (f64, f64) {
    let mut world = World::new(1, slots, vec![Receiver::After(latency); endpoints]);
    for number in 0..count * endpoints {
        world.publish(queue, number % endpoints, Duration::ZERO, None);
    }
    let seen = world.run(SECOND * 1000);
    assert_eq!(seen.delivered.len(), count * endpoints);
    let last = seen
        .delivered
        .iter()
        .map(|(_, _, at)| *at)
        .max()
        .unwrap_or_default();
    let ideal = latency.as_secs_f64() * count as f64 / slots as f64;
    let (used, parks) = (
        ideal / last.as_secs_f64(),
        seen.parks as f64 / seen.delivered.len() as f64,
    );
    println!(
        "queue {queue}: {endpoints} × {count} × {latency:?}, {slots} slots: {:.2} s, {used:.2} of slots ÷ latency, {parks:.2} parks a delivery",
        last.as_secs_f64()
    );
    (used, parks)
}

#[test]
fn an_endpoint_that_answers_is_served_at_its_pace_from_every_queue() {
    for queue in [EVENTS, DELIVERIES, DUE] {
        for (endpoints, count, latency, slots) in [
            (1, 2_000, 100, 32),
            (1, 2_000, 20, 32),
            (1, 2_000, 5, 32),
            (20, 500, 100, 32),
            (1, 10_000, 100, 128),
        ] {
            let (used, parks) = served(queue, endpoints, count, ms(latency), slots);
            assert!(used >= 0.85, "{used}");
            assert!(parks <= 0.3, "{parks}");
        }
    }
}

#[test]
fn a_mountain_is_served_at_its_endpoints_pace_and_hardly_moved() {
    for (queue, latency, slots) in [(EVENTS, 100, 32), (EVENTS, 20, 32), (DUE, 100, 128)] {
        let (used, parks) = served(queue, 1, 50_000, ms(latency), slots);
        assert!(used >= 0.85, "{used}");
        assert!(parks <= 0.3, "{parks}");
    }
}

#[test]
fn a_short_burst_for_an_unknown_endpoint_loses_only_the_time_to_grow() {
    for latency in [20, 100] {
        let (used, parks) = served(EVENTS, 1, 2_000, ms(latency), 128);
        assert!(used >= 0.75, "{used}");
        assert!(parks <= 0.3, "{parks}");
    }
}

#[test]
fn a_hang_that_is_over_is_made_up_for_within_twenty_seconds() {
    for answers in [true, false] {
        let hung = Receiver::Hung {
            until: SECOND * 20,
            answers,
            then: ms(20),
        };
        let mut world = World::new(1, 32, vec![hung]);
        for number in 0..2_000 {
            world.publish(EVENTS, 0, ms(number), None);
        }
        let seen = world.run(SECOND * 200);
        let last = seen.begun.iter().map(|(_, at)| *at).max().unwrap_or_default();
        println!(
            "hung 20 s, what was under way {}: all attempted {:.1} s after it, {} parks",
            if answers { "is answered" } else { "times out" },
            (last - SECOND * 20).as_secs_f64(),
            seen.parks
        );
        assert_eq!(seen.delivered.len() + seen.dead, 2_000);
        // Where nothing under way is answered, it is seen only when the first of it times out.
        let seen_alive = SECOND * if answers { 20 } else { 30 };
        assert!(last <= seen_alive + SECOND * 20 + ms(1_300), "{last:?}");
    }
}

#[test]
fn a_mountain_for_a_dead_endpoint_moves_at_two_hundred_a_second() {
    let dead = Receiver::Hung {
        until: SECOND * 10_000,
        answers: false,
        then: ms(1),
    };
    let mut world = World::new(1, 32, vec![dead]);
    for _ in 0..10_000 {
        world.publish(EVENTS, 0, Duration::ZERO, None);
    }
    let parks = world.run(SECOND * 60).parks;
    let later = world.run(SECOND * 240).parks - parks;
    println!("10,000 for a dead endpoint: {parks} parks in the first minute, {later} in the next three");
    assert!(parks <= 10_000 + 200 * 60);
    assert!(later <= 200 * 180);
}

/// Receivers that take `per_second` and refuse the others, counting in the three usual ways.
fn limited(per_second: u32, retry_after: Option<Duration>, took: Duration) -> [(&'static str, Receiver); 3] {
    let bucket = Receiver::Limited {
        per_second: f64::from(per_second),
        tokens: f64::from(per_second),
        at: Duration::ZERO,
        retry_after,
        took,
    };
    let windows = Receiver::Windows {
        per_second,
        taken: 0,
        since: None,
        retry_after,
        took,
    };
    let sliding = Receiver::Sliding {
        per_second: per_second as usize,
        taken: VecDeque::new(),
        retry_after,
        took,
    };
    [
        ("a bucket", bucket),
        ("windows", windows),
        ("the last second", sliding),
    ]
}

#[test]
fn a_receiver_that_limits_its_rate_gets_what_it_can_take() {
    // Some answer sooner than the next event is taken from the queue, so that nothing of theirs is in hand in between.
    let quick = Duration::from_micros(20);
    for (per_second, events, took) in [
        (50, 1_000, ms(5)),
        (50, 1_000, quick),
        (10, 200, ms(5)),
        (200, 4_000, ms(5)),
        (200, 4_000, quick),
        (50, 400, ms(5)),
        (50, 5_000, ms(5)),
    ] {
        for retry_after in [Some(SECOND), None] {
            for (counts, receiver) in limited(per_second, retry_after, took) {
                let mut world = World::new(1, 128, vec![receiver]);
                for _ in 0..events {
                    world.publish(EVENTS, 0, Duration::ZERO, None);
                }
                let seen = world.run(SECOND * 400);
                let last = seen.delivered.iter().map(|(_, _, at)| *at).max();
                let last = last.unwrap_or_default();
                let needed = SECOND * events / per_second;
                println!(
                    "{events} at {per_second} a second by {counts} in {took:?}, Retry-After {retry_after:?}: {} delivered, {} dead, {} refusals, {:.2} of the time needed, {} parks",
                    seen.delivered.len(),
                    seen.dead,
                    seen.refusals,
                    last.as_secs_f64() / needed.as_secs_f64(),
                    seen.parks
                );
                assert!(seen.delivered.len() >= events as usize * 98 / 100);
                assert!(seen.refusals <= events as usize / 2);
                assert!(last <= needed.mul_f64(1.5), "{last:?}");
            }
        }
    }
}

#[test]
fn a_receiver_that_takes_one_now_and_then_gets_what_it_can_take() {
    for (per_second, replicas, events, asks, took) in [
        (1.0, 1, 300, 1, 5),
        (1.0, 1, 300, 1, 1_300),
        (0.5, 1, 200, 2, 5),
        (0.2, 1, 100, 5, 5),
        (3.0, 3, 500, 1, 5),
        (5.0, 4, 500, 1, 5),
    ] {
        let asks = Some(SECOND * asks);
        for retry_after in if per_second < 0.5 {
            vec![asks]
        } else {
            vec![asks, None]
        } {
            let receiver = Receiver::Limited {
                per_second,
                tokens: 1.0,
                at: Duration::ZERO,
                retry_after,
                took: ms(took),
            };
            let mut world = World::new(replicas, 128, vec![receiver]);
            for _ in 0..events {
                world.publish(EVENTS, 0, Duration::ZERO, None);
            }
            let seen = world.run(SECOND * 3_000);
            let last = seen.delivered.iter().map(|(_, _, at)| *at).max();
            let needed = f64::from(events) / per_second;
            let times = last.unwrap_or_default().as_secs_f64() / needed;
            println!(
                "{events} at {per_second} a second in {took} ms, {replicas} replicas, Retry-After {retry_after:?}: {} delivered, {} dead, {} refusals, {times:.2} of the time needed, {} parks",
                seen.delivered.len(),
                seen.dead,
                seen.refusals,
                seen.parks
            );
            assert!(seen.delivered.len() >= events as usize * 98 / 100);
            assert!(seen.refusals <= events as usize / 2);
            assert!(times <= 2.2, "{times}");
        }
    }
}

#[test]
fn an_owners_rate_is_kept_over_all_replicas() {
    for replicas in [1, 3] {
        let mut world = World::new(replicas, 128, vec![Receiver::After(ms(20))]);
        for _ in 0..1_500 {
            world.publish(EVENTS, 0, Duration::ZERO, Some(50.0));
        }
        let seen = world.run(SECOND * 25);
        for from in 0..14 {
            let within = |from: Duration, to: Duration| {
                seen.begun
                    .iter()
                    .filter(|(_, at)| (from..to).contains(at))
                    .count()
            };
            let ten = within(SECOND * from, SECOND * (from + 10));
            assert!(
                (400..=600).contains(&ten),
                "{replicas} replicas: {ten} in ten seconds from {from} s on"
            );
            assert!(within(SECOND * from, SECOND * (from + 1)) <= 100);
        }
        let ten = seen.begun.iter().filter(|(_, at)| *at < SECOND * 10).count();
        println!(
            "rate 50/s, {replicas} replicas: {ten} begun in ten seconds, {} parks",
            seen.parks
        );
    }
}

/// The waits of others, sorted, that trickle at 100 a second for `seconds` from `from` on, beside `count` messages at once.
fn beside_a_mountain(count: usize, latency: Duration, from: Duration, seconds: u64) -> (Vec<Duration>, f64) {
    let mut receivers = vec![Receiver::After(ms(5)); 51];
    receivers[0] = Receiver::After(latency);
    let mut world = World::new(1, 128, receivers);
    for number in 0..100 * seconds {
        world.publish(
            EVENTS,
            1 + (number % 50) as usize,
            from + ms(10) * number as u32,
            None,
        );
    }
    // Published at 12,000 a second from the third second on, as a producer does.
    for number in 0..count {
        world.publish(
            EVENTS,
            0,
            SECOND * 2 + Duration::from_micros(83) * number as u32,
            None,
        );
    }
    let seen = world.run(SECOND * 600);
    let others = seen.delivered.iter().filter(|(endpoint, ..)| *endpoint > 0);
    let mut waits: Vec<Duration> = others.map(|(_, published, at)| *at - *published).collect();
    waits.sort();
    let taken_in = (seen.last_taken.saturating_sub(SECOND * 2)).as_secs_f64();
    let last = seen
        .delivered
        .iter()
        .map(|(_, _, at)| *at)
        .max()
        .unwrap_or_default();
    let p = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
    println!(
        "{count} × {latency:?} beside a trickle from {from:?} on: others' p50 {:?}, p99 {:?}, max {:?}; all taken in after {taken_in:.1} s, done after {:.1} s, {} parks",
        p(0.5),
        p(0.99),
        p(1.0),
        last.as_secs_f64() - 2.0,
        seen.parks
    );
    (waits, count as f64 / taken_in)
}

#[test]
fn others_do_not_wait_behind_a_mountain() {
    let (waits, intake) = beside_a_mountain(20_000, ms(50), Duration::ZERO, 20);
    assert!(intake >= 8_000.0, "{intake}");
    let p99 = waits[waits.len() * 99 / 100];
    assert!(p99 <= SECOND, "{p99:?}");
    // They begin only after the mountain stands there.
    let (waits, _) = beside_a_mountain(20_000, ms(50), SECOND * 5, 20);
    assert!(waits[waits.len() - 1] <= SECOND * 10);
}

#[test]
fn a_single_delivery_does_not_wait_for_all_of_a_mountain_before_it() {
    for (queue, count) in [(EVENTS, 20_000), (DUE, 20_000), (DUE, 50_000)] {
        let mut world = World::new(1, 32, vec![Receiver::After(ms(100)), Receiver::After(ms(5))]);
        // Others are heard of a minute before.
        world.publish(EVENTS, 1, Duration::ZERO, None);
        for _ in 0..count {
            world.publish(queue, 0, SECOND * 60, None);
        }
        let published = SECOND * 61;
        world.publish(queue, 1, published, None);
        let seen = world.run(SECOND * 1_000);
        let others = seen.delivered.iter().filter(|(endpoint, ..)| *endpoint == 1);
        let waited = others.map(|(_, published, at)| *at - *published).max();
        let waited = waited.unwrap_or_default();
        let last = seen.delivered.iter().map(|(_, _, at)| *at).max();
        let took = last.unwrap_or_default().as_secs_f64() - 60.0;
        let used = f64::from(count) * 0.1 / 32.0 / took;
        println!(
            "one behind {count} in queue {queue}: {waited:?}; the mountain was served at {used:.2} of slots ÷ latency, {} parks",
            seen.parks
        );
        assert!(waited <= SECOND * 5 + SECOND * count / 5_000, "{waited:?}");
        assert!(used >= 0.85, "{used}");
        assert!(seen.parks <= count as usize * 3 / 2);
    }
}

#[test]
fn one_that_answers_again_does_not_wait_for_what_is_parked_for_another() {
    let hung = |until: u32| Receiver::Hung {
        until: SECOND * until,
        answers: true,
        then: ms(20),
    };
    let mut world = World::new(1, 32, vec![hung(10_000), hung(40), Receiver::After(ms(5))]);
    for _ in 0..8_000 {
        world.publish(EVENTS, 0, Duration::ZERO, None);
    }
    for number in 0..60 {
        world.publish(EVENTS, 1, SECOND * 35 + ms(100) * number, None);
    }
    let seen = world.run(SECOND * 120);
    let last = seen.delivered.iter().map(|(_, _, at)| *at).max();
    let last = last.unwrap_or_default();
    println!(
        "beside 8,000 for a dead one: all of another's delivered {:?} after its hang",
        last - SECOND * 40
    );
    assert_eq!(seen.delivered.len(), 60);
    assert!(last <= SECOND * 50, "{last:?}");
}

#[test]
fn more_slots_only_where_the_receiver_bears_them() {
    let workers = Receiver::Workers {
        free_at: vec![Duration::ZERO; 40],
        each: ms(100),
    };
    let mut world = World::new(1, 128, vec![workers]);
    for _ in 0..10_000 {
        world.publish(EVENTS, 0, Duration::ZERO, None);
    }
    let seen = world.run(SECOND * 100);
    let last = seen
        .delivered
        .iter()
        .map(|(_, _, at)| *at)
        .max()
        .unwrap_or_default();
    println!("40 workers × 100 ms: 10,000 in {:.1} s", last.as_secs_f64());
    assert!(last.as_secs_f64() <= 10_000.0 / 320.0 * 1.05);
}

#[test]
fn more_hung_endpoints_than_a_window_is_wide_do_not_hold_the_others_up() {
    let mut receivers = vec![Receiver::After(ms(5)); 50];
    let hung = Receiver::Hung {
        until: SECOND * 10_000,
        answers: false,
        then: ms(5),
    };
    receivers.extend(vec![hung; 200]);
    let mut world = World::with_windows(1, 128, [100, 100, 25], receivers);
    for number in 0..2_000_u32 {
        world.publish(EVENTS, (number % 50) as usize, ms(10) * number, None);
    }
    for number in 0..2_000_u32 {
        let at = SECOND * 3 + ms(10) * number.saturating_sub(400);
        world.publish(EVENTS, 50 + (number % 200) as usize, at, None);
    }
    let seen = world.run(SECOND * 20);
    let mut waits: Vec<Duration> = seen
        .delivered
        .iter()
        .map(|(_, published, at)| *at - *published)
        .collect();
    waits.sort();
    let p = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
    println!(
        "200 hang, window of 100: the others' p50 {:?}, p99 {:?}, max {:?}, {} parks",
        p(0.5),
        p(0.99),
        p(1.0),
        seen.parks
    );
    assert!(waits.len() >= 1_990);
    assert!(p(0.95) <= ms(8), "{:?}", p(0.95));
    assert!(p(1.0) <= ms(300), "{:?}", p(1.0));
}
