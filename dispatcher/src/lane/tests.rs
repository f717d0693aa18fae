use super::*;

const FAST: Duration = Duration::from_millis(100);
const HUNG: Duration = Duration::from_secs(30);
const BOUNDS: Bounds = Bounds {
    concurrency: 32,
    windows: [500; 3],
};
const FROM: Source = Source::Events;
const NOTHING: [u32; 0] = [];

/// Lanes with a clock that the test moves.
struct Road {
    lanes: Lanes<&'static str, u32>,
    now: Instant,
}

impl Road {
    fn new(bounds: Bounds) -> Self {
        Self {
            lanes: Lanes::new(bounds),
            now: Instant::now(),
        }
    }

    fn admit(&self, key: &'static str, job: u32) -> Admission<u32> {
        self.lanes.admit(&key, FROM, job, 0, false, self.now)
    }

    fn release(&self, key: &'static str, sign: Sign, took: Duration) -> Vec<u32> {
        self.lanes.release(&key, FROM, sign, took, self.now)
    }

    /// An endpoint that has answered so often that its limit is at the bound.
    fn prove(&self, key: &'static str) {
        for _ in 0..100 {
            assert_eq!(self.admit(key, 0), Admission::Start(0));
            assert_eq!(self.release(key, Sign::Success, FAST), NOTHING);
        }
    }

    fn unproven(&self) -> usize {
        self.lanes.lock().unproven[FROM as usize]
    }
}

fn count(admissions: &[Admission<u32>]) -> (usize, usize, usize) {
    let of =
        |wanted: fn(&Admission<u32>) -> bool| admissions.iter().filter(|admission| wanted(admission)).count();
    (
        of(|a| matches!(a, Admission::Start(_))),
        of(|a| matches!(a, Admission::Waits)),
        of(|a| matches!(a, Admission::Park(..))),
    )
}

#[test]
fn a_lane_starts_what_it_has_slots_for_and_hands_them_on_in_order() {
    let road = Road::new(Bounds {
        concurrency: 2,
        windows: [500; 3],
    });
    let admitted: Vec<_> = (1..=4).map(|job| road.admit("a", job)).collect();
    assert_eq!(
        admitted,
        [
            Admission::Start(1),
            Admission::Start(2),
            Admission::Waits,
            Admission::Waits
        ]
    );
    assert_eq!(road.admit("b", 5), Admission::Start(5));
    assert_eq!(road.release("a", Sign::Success, FAST), [3]);
    assert_eq!(road.release("a", Sign::Success, FAST), [4]);
    assert_eq!(road.release("a", Sign::Success, FAST), NOTHING);
}

#[test]
fn an_endpoint_that_answers_in_100_ms_with_200_waiting_is_never_parked() {
    let road = Road::new(BOUNDS);
    road.prove("quick");
    let admitted: Vec<_> = (0..232).map(|job| road.admit("quick", job)).collect();
    assert_eq!(count(&admitted), (32, 200, 0));
    // One answer is proof enough, although its limit has yet to grow.
    assert_eq!(road.admit("new", 0), Admission::Start(0));
    assert_eq!(road.release("new", Sign::Success, FAST), NOTHING);
    let admitted: Vec<_> = (0..209).map(|job| road.admit("new", job)).collect();
    assert_eq!(count(&admitted), (9, 200, 0));
}

#[test]
fn unknown_endpoints_hold_half_of_a_window_and_leave_the_rest_to_the_others() {
    let road = Road::new(Bounds {
        concurrency: 32,
        windows: [100; 3],
    });
    road.prove("healthy");
    let names: Vec<&'static str> = (0..200)
        .map(|n| -> &'static str { format!("hung{n}").leak() })
        .collect();
    let admitted: Vec<_> = names.iter().map(|name| road.admit(name, 0)).collect();
    assert_eq!(count(&admitted), (50, 0, 150));
    assert_eq!(road.unproven(), 50);
    assert_eq!(road.admit("healthy", 1), Admission::Start(1));
}

#[test]
fn new_endpoints_are_waited_for_for_a_moment() {
    let mut road = Road::new(Bounds {
        concurrency: 32,
        windows: [4; 3],
    });
    let ask = |road: &Road| road.lanes.admit(&"c", FROM, 3, 0, true, road.now);
    assert_eq!(road.admit("a", 1), Admission::Start(1));
    assert_eq!(road.admit("b", 2), Admission::Start(2));
    road.now += FAST;
    assert_eq!(ask(&road), Admission::Later(3));
    road.now += FAST;
    assert!(matches!(ask(&road), Admission::Park(3, _)));
    assert_eq!(road.release("a", Sign::Success, FAST), NOTHING);
    assert_eq!(ask(&road), Admission::Start(3));
}

#[test]
fn what_waits_behind_hanging_requests_is_set_aside_after_a_second() {
    let mut road = Road::new(BOUNDS);
    road.prove("once");
    let admitted: Vec<_> = (0..100).map(|job| road.admit("once", job)).collect();
    assert_eq!(count(&admitted), (32, 68, 0));
    road.now += STEP;
    assert!(road.lanes.stuck(|_| 0, road.now).is_empty());
    road.now += STEP;
    assert_eq!(road.lanes.stuck(|_| 0, road.now).len(), 68);
    assert_eq!(road.unproven(), 32);
    assert!(matches!(road.admit("once", 1), Admission::Park(1, _)));
    // It answers again: all is as before.
    assert_eq!(road.release("once", Sign::Success, FAST), NOTHING);
    assert_eq!(road.unproven(), 0);
    assert_eq!(road.admit("once", 2), Admission::Start(2));
}

const STEP: Duration = Duration::from_millis(600);

/// One endpoint, `dead`, with one slot: it has not answered, and is asked again.
fn with_a_hung_request() -> Road {
    let road = Road::new(Bounds {
        concurrency: 1,
        ..BOUNDS
    });
    assert_eq!(road.admit("dead", 0), Admission::Start(0));
    assert_eq!(road.release("dead", Sign::Overload, HUNG), NOTHING);
    assert_eq!(road.admit("dead", 0), Admission::Start(0));
    road
}

#[test]
fn timeouts_leave_an_endpoint_one_slot_and_it_is_remembered() {
    let road = Road::new(BOUNDS);
    for _ in 0..8 {
        assert_eq!(road.admit("dead", 1), Admission::Start(1));
        assert_eq!(road.release("dead", Sign::Overload, HUNG), NOTHING);
    }
    assert_eq!(road.admit("dead", 1), Admission::Start(1));
    assert!(matches!(road.admit("dead", 2), Admission::Park(2, _)));
    assert_eq!(road.unproven(), 1);
}

#[test]
fn parking_grows_longer_only_while_nothing_is_answered() {
    let road = with_a_hung_request();
    let delay = |times| match road.lanes.admit(&"dead", FROM, 0, times, false, road.now) {
        Admission::Park(_, delay) => delay.as_seconds(),
        other => panic!("{other:?}"),
    };
    assert_eq!([delay(0), delay(1), delay(2), delay(9)], [2, 10, 60, 60]);
}

#[test]
fn a_mountain_for_an_endpoint_that_does_not_answer_comes_back_at_200_a_second() {
    let road = with_a_hung_request();
    let mut seconds = Vec::new();
    for job in 0..10_000 {
        if let Admission::Park(_, delay) = road.admit("dead", job) {
            seconds.push(delay.as_seconds());
        }
    }
    let of = |delay| seconds.iter().filter(|seconds| **seconds == delay).count();
    assert_eq!([of(2), of(10), of(60)], [400, 1_600, 8_000]);
}

#[test]
fn an_endpoint_that_answers_gets_its_backlog_back_no_later_than_it_can_take_it() {
    let road = Road::new(BOUNDS);
    road.prove("busy");
    let mut seconds = Vec::new();
    for job in 0..5000 {
        if let Admission::Park(_, delay) = road.admit("busy", job) {
            seconds.push(delay.as_seconds());
        }
    }
    // 32 at a time, 100 ms each: 320 a second, so ten seconds' worth are 3,200.
    assert_eq!(seconds.iter().filter(|s| **s == 2).count(), 3199);
    assert_eq!(seconds.iter().filter(|s| **s == 10).count(), seconds.len() - 3199);
}

#[test]
fn idle_lanes_take_no_memory_and_the_books_are_even() {
    let road = Road::new(BOUNDS);
    let names: Vec<&'static str> = (0..1000)
        .map(|n| -> &'static str { format!("e{n}").leak() })
        .collect();
    for name in &names {
        assert_eq!(road.admit(name, 1), Admission::Start(1));
        assert_eq!(road.release(name, Sign::Neutral, FAST), NOTHING);
    }
    assert!(road.lanes.lock().lanes.is_empty());
    assert_eq!(road.unproven(), 0);
}
