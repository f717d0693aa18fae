//! The rules one by one.

use std::time::Duration;

use super::super::*;

const FAST: Duration = Duration::from_millis(100);
const HUNG: Duration = Duration::from_secs(30);
const NOTHING: [u32; 0] = [];

/// Fairness with a clock that the test moves.
struct Rig {
    fairness: Fairness<String, u32>,
    now: Instant,
}

impl Rig {
    fn new(max: usize, window: usize, connections: usize) -> Self {
        Self {
            fairness: Fairness::new(Bounds {
                concurrency: Concurrency::up_to(max),
                windows: vec![window; 3],
                due: 2,
                connections,
            }),
            now: Instant::now(),
        }
    }

    fn admit(&self, key: &str, job: u32) -> Admission<u32> {
        self.admit_parked(key, job, 0)
    }

    fn admit_parked(&self, key: &str, job: u32, parked: u32) -> Admission<u32> {
        self.admit_at(key, job, parked, None)
    }

    fn admit_at(&self, key: &str, job: u32, parked: u32, rate: Option<f64>) -> Admission<u32> {
        let queue = 0;
        let info = JobInfo { queue, parked, rate };
        self.fairness.admit(&key.to_owned(), info, job, self.now)
    }

    fn release(&self, key: &str, feedback: Feedback, took: Duration) -> Vec<u32> {
        self.fairness
            .release(&key.to_owned(), 0, feedback, took, self.now)
    }

    fn prove(&self, key: &str) {
        assert_eq!(self.admit(key, 0), Admission::Start(0));
        assert_eq!(self.release(key, Feedback::Success, FAST), NOTHING);
    }

    fn tick_after(&mut self, time: Duration) -> Due<u32> {
        self.now += time;
        self.fairness.tick(self.now)
    }
}

fn count(admissions: &[Admission<u32>]) -> [usize; 4] {
    let of = |kind: fn(&Admission<u32>) -> bool| admissions.iter().filter(|one| kind(one)).count();
    [
        of(|a| matches!(a, Admission::Start(_))),
        of(|a| matches!(a, Admission::Wait)),
        of(|a| matches!(a, Admission::Park(..))),
        of(|a| matches!(a, Admission::Hold(_))),
    ]
}

#[test]
fn slots_are_handed_on_in_order_and_each_endpoint_has_its_own() {
    let rig = Rig::new(2, 500, 100);
    let admitted: Vec<_> = (1..=4).map(|job| rig.admit("a", job)).collect();
    assert_eq!(count(&admitted), [2, 2, 0, 0]);
    assert_eq!(rig.admit("b", 5), Admission::Start(5));
    assert_eq!(rig.release("a", Feedback::Success, FAST), [3]);
    assert_eq!(rig.release("a", Feedback::NothingAsked, FAST), [4]);
    assert_eq!(rig.release("a", Feedback::Success, FAST), NOTHING);
}

#[test]
fn unknown_endpoints_hold_half_of_a_window_and_are_waited_for_for_a_moment() {
    let mut rig = Rig::new(32, 100, 1_000);
    rig.prove("healthy");
    let names: Vec<String> = (0..51).map(|n| format!("new{n}")).collect();
    let admitted: Vec<_> = names.iter().map(|name| rig.admit(name, 0)).collect();
    assert_eq!(count(&admitted), [50, 0, 0, 1]);
    rig.now += FAST;
    assert!(matches!(rig.admit("new50", 0), Admission::Park(0, _)));
    assert_eq!(rig.admit("healthy", 1), Admission::Start(1));
    assert_eq!(rig.release("new0", Feedback::Success, FAST), NOTHING);
    assert_eq!(rig.admit("new50", 0), Admission::Start(0));
}

#[test]
fn what_waits_behind_requests_that_hang_is_parked_and_an_answer_ends_that() {
    let mut rig = Rig::new(8, 500, 100);
    rig.prove("once");
    let admitted: Vec<_> = (0..100).map(|job| rig.admit("once", job)).collect();
    assert_eq!(count(&admitted), [8, 92, 0, 0]);
    assert!(rig.tick_after(Duration::from_millis(900)).park.is_empty());
    assert_eq!(rig.tick_after(Duration::from_millis(300)).park.len(), 92);
    assert!(matches!(rig.admit("once", 1), Admission::Park(1, _)));
    assert_eq!(
        rig.release("once", Feedback::Success, Duration::from_millis(1_200)),
        NOTHING
    );
    assert_eq!(rig.admit("once", 2), Admission::Start(2));
}

#[test]
fn a_silent_endpoint_is_remembered_and_its_jobs_are_parked_longer_each_time() {
    let rig = Rig::new(32, 500, 100);
    for _ in 0..8 {
        assert_eq!(rig.admit("dead", 1), Admission::Start(1));
        assert_eq!(rig.release("dead", Feedback::NoAnswer, HUNG), NOTHING);
    }
    assert_eq!(rig.admit("dead", 1), Admission::Start(1));
    let delay = |times| match rig.admit_parked("dead", 0, times) {
        Admission::Park(_, delay) => delay.as_seconds(),
        other => panic!("{other:?}"),
    };
    assert_eq!([delay(0), delay(1), delay(2), delay(9)], [1, 2, 4, 4]);
}

#[test]
fn a_crowded_queue_is_held_unless_others_are_known_to_be_behind() {
    let rig = Rig::new(8, 64, 1_000);
    rig.prove("busy");
    let admitted: Vec<_> = (0..41).map(|job| rig.admit("busy", job)).collect();
    assert_eq!(count(&admitted)[0], 8);
    assert_eq!(count(&admitted)[1], 32);
    assert!(matches!(admitted.last(), Some(Admission::Hold(_))));
    // One that has no queue is served, so the next of the busy one makes way.
    assert_eq!(
        rig.fairness.admit(
            &"other".to_owned(),
            JobInfo {
                queue: 0,
                parked: 0,
                rate: None
            },
            1,
            rig.now
        ),
        Admission::Start(1)
    );
    assert_eq!(rig.release("other", Feedback::Success, FAST), NOTHING);
    assert!(matches!(rig.admit("busy", 41), Admission::Park(..)));
}

#[test]
fn connections_are_handed_out_in_turn() {
    let rig = Rig::new(8, 500, 2);
    rig.prove("a");
    rig.prove("b");
    let jobs = [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5), ("b", 6)];
    let admitted: Vec<_> = jobs.iter().map(|(key, job)| rig.admit(key, *job)).collect();
    assert_eq!(count(&admitted), [2, 4, 0, 0]);
    let next: Vec<u32> = (0..4)
        .flat_map(|_| rig.release("a", Feedback::NothingAsked, FAST))
        .collect();
    assert_eq!(next, [3, 5, 4, 6]);
}

#[test]
fn one_that_is_proven_in_line_no_longer_waits_behind_those_that_are_not() {
    let mut rig = Rig::new(8, 500, 8);
    rig.prove("hangs");
    for job in 1..=5 {
        assert_eq!(rig.admit("hangs", job), Admission::Start(job));
    }
    drop(rig.tick_after(Duration::from_millis(900)));
    assert_eq!(rig.admit("new", 6), Admission::Start(6));
    // From now on what hangs takes more than the half of the connections that is for those without proof.
    drop(rig.tick_after(Duration::from_millis(300)));
    assert_eq!(rig.admit("new", 7), Admission::Wait);
    assert_eq!(rig.release("new", Feedback::Success, FAST), [7]);
}

#[test]
fn after_a_refusal_nothing_begins_before_the_hold_is_over() {
    let mut rig = Rig::new(8, 500, 100);
    rig.prove("full");
    assert_eq!(rig.admit("full", 1), Admission::Start(1));
    let refused = Feedback::Refused {
        retry_after: Some(Duration::from_secs(3)),
    };
    assert_eq!(rig.release("full", refused, FAST), NOTHING);
    assert_eq!(rig.admit("full", 2), Admission::Wait);
    assert!(rig.tick_after(Duration::from_millis(2_990)).start.is_empty());
    assert_eq!(rig.tick_after(Duration::from_millis(10)).start, [2]);
}

#[test]
fn a_hold_lasts_as_long_as_it_is_asked_for_and_no_longer_than_any_schedule() {
    const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);
    const SEVEN_DAYS: Duration = Duration::from_secs(7 * 86_400);
    let mut rig = Rig::new(8, 500, 100);
    rig.prove("full");
    for (job, asked, held) in [
        (1, HALF_AN_HOUR, HALF_AN_HOUR),
        (2, SEVEN_DAYS, SEVEN_DAYS),
        (3, Duration::MAX, SEVEN_DAYS),
    ] {
        assert_eq!(rig.admit("full", job), Admission::Start(job));
        let refused = Feedback::Refused {
            retry_after: Some(asked),
        };
        assert_eq!(rig.release("full", refused, FAST), NOTHING);
        drop(rig.tick_after(held - Duration::from_secs(60)));
        assert!(matches!(rig.admit("full", job), Admission::Park(..)), "{asked:?}");
        drop(rig.tick_after(Duration::from_secs(60)));
    }
    assert_eq!(rig.admit("full", 4), Admission::Start(4));
}

#[test]
fn an_owner_who_raises_the_rate_is_heard_at_once() {
    const AN_HOUR: Option<f64> = Some(1.0 / 3600.0);
    let mut rig = Rig::new(8, 500, 100);
    rig.prove("slow");
    assert_eq!(rig.admit_at("slow", 1, 0, AN_HOUR), Admission::Start(1));
    assert_eq!(rig.release("slow", Feedback::Success, FAST), NOTHING);
    assert!(matches!(rig.admit_at("slow", 2, 0, AN_HOUR), Admission::Park(..)));
    drop(rig.tick_after(Duration::from_millis(5)));
    assert_eq!(rig.admit_at("slow", 3, 0, Some(1_000.0)), Admission::Start(3));
    // What waits for the old rate begins as well, and not when that would have allowed it.
    let some_seconds = Some(0.2);
    assert_eq!(rig.admit_at("slow", 4, 0, some_seconds), Admission::Wait);
    drop(rig.tick_after(Duration::from_millis(1)));
    assert_eq!(rig.admit_at("slow", 5, 0, Some(1_000.0)), Admission::Wait);
    let begun = rig.tick_after(Duration::from_millis(5)).start;
    assert_eq!(begun.first(), Some(&4));
}

#[test]
fn what_an_owner_who_lowers_the_rate_leaves_waiting_is_parked() {
    let mut rig = Rig::new(8, 500, 100);
    rig.prove("fast");
    let fifty = Some(50.0);
    let admitted: Vec<_> = (1..=200).map(|job| rig.admit_at("fast", job, 0, fifty)).collect();
    let [started, waiting, _, _] = count(&admitted);
    assert!(started >= 1 && waiting > 100, "{started} begun, {waiting} wait");
    assert!(matches!(
        rig.admit_at("fast", 999, 0, Some(1.0)),
        Admission::Park(..)
    ));
    let due = rig.tick_after(Duration::from_millis(250));
    let left = waiting - due.park.len() - due.start.len();
    assert!(
        (5..=10).contains(&left),
        "{left} wait, where one begins each second"
    );
    // The last ones go, and keep their order.
    let parked: Vec<u32> = due.park.iter().map(|(job, _)| *job).collect();
    assert!(parked.is_sorted() && parked.last() == Some(&200), "{parked:?}");
    assert!(matches!(
        rig.admit_at("fast", 1_000, 0, Some(1.0 / 3600.0)),
        Admission::Park(..)
    ));
    let due = rig.tick_after(Duration::from_millis(250));
    assert_eq!(due.park.len() + due.start.len(), left, "none waits for an hour");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_what_falls_due_is_told_when_it_becomes_sooner() {
    let rig = Rig::new(8, 500, 100);
    let since = Instant::now();
    let (key, info) = (
        "slow".to_owned(),
        JobInfo {
            queue: 0,
            parked: 0,
            rate: Some(50.0),
        },
    );
    for job in 0..20 {
        let _admitted = rig.fairness.admit(&key, info, job, Instant::now());
    }
    rig.fairness.due().await;
    assert!(
        since.elapsed() <= Duration::from_millis(40),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn a_drain_takes_out_what_waits_and_idle_endpoints_take_no_memory() {
    let mut rig = Rig::new(2, 500, 100);
    drop((1..=4).map(|job| rig.admit("a", job)).collect::<Vec<_>>());
    assert_eq!(rig.fairness.take_waiting(), [3, 4]);
    assert_eq!(rig.release("a", Feedback::Success, FAST), NOTHING);
    assert_eq!(rig.release("a", Feedback::Success, FAST), NOTHING);
    drop(rig.tick_after(HUNG));
    let state = rig.fairness.lock();
    assert!(state.queues.is_empty());
    assert_eq!(state.holdings, holdings::Holdings::default());
}
