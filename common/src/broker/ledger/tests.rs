use super::*;

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn a_broker_that_answers_anything_is_not_silent() {
    let start = Instant::now();
    let mut ledger = Ledger::new(start);
    let (a, b) = (ledger.id("a", start), ledger.id("b", start));
    assert!(!ledger.is_silent(after(start, 100)), "nothing waits");
    ledger.sent(a, 1, after(start, 100));
    ledger.sent(b, 1, after(start, 105));
    assert!(!ledger.is_silent(after(start, 109)));
    assert!(ledger.is_silent(after(start, 110)));
    ledger.ended(b, 1, End::Stored, after(start, 109));
    assert!(!ledger.is_silent(after(start, 118)));
    assert!(ledger.is_silent(after(start, 119)));
    ledger.is_alive(after(start, 119));
    assert!(!ledger.is_silent(after(start, 128)));
    ledger.ended(a, 1, End::Unknown, after(start, 128));
    assert!(!ledger.is_silent(after(start, 200)), "nothing waits any more");
}

#[test]
fn a_destination_without_answers_gives_its_bytes_back_and_waits_until_it_answers() {
    let start = Instant::now();
    let mut ledger = Ledger::new(start);
    let (stuck, well) = (ledger.id("stuck", start), ledger.id("well", start));
    ledger.sent(stuck, 30, start);
    ledger.sent(stuck, 12, start);
    ledger.sent(well, 5, after(start, 8));
    let (freed, told) = ledger.find_stalls(after(start, 10));
    let expected = Stall {
        destination: "stuck".into(),
        waiting: 2,
        for_seconds: 10,
    };
    assert_eq!((freed, told), (42, vec![expected]));
    ledger.ended(well, 5, End::Stored, after(start, 10));
    assert!(ledger.must_wait(stuck) && !ledger.must_wait(well));
    ledger.sent(well, 5, after(start, 10));
    // Told again after a minute, and never freed twice.
    assert_eq!(
        ledger.find_stalls(after(start, 69)).1.len(),
        1,
        "the other one, for once"
    );
    let (freed, told) = ledger.find_stalls(after(start, 70));
    assert_eq!((freed, told.len()), (0, 1));
    let ended = ledger.ended(stuck, 30, End::Stored, after(start, 71));
    assert_eq!((ended.budget, ended.is_resumed), (0, false));
    let ended = ledger.ended(stuck, 12, End::Stored, after(start, 71));
    assert_eq!((ended.budget, ended.is_resumed), (0, true));
    assert!(!ledger.must_wait(stuck));
}

#[test]
fn the_first_message_on_a_channel_goes_alone_and_the_others_after_it_is_stored() {
    let start = Instant::now();
    let mut ledger = Ledger::new(start);
    let id = ledger.id("a", start);
    for begins_anew in [Ledger::connected, |ledger: &mut Ledger, _| {
        let id = ledger.id("a", Instant::now());
        ledger.unproven(id);
    }] {
        begins_anew(&mut ledger, start);
        for end in [End::Unknown, End::Answered] {
            assert!(!ledger.must_wait(id), "the first");
            ledger.sent(id, 1, start);
            assert!(ledger.must_wait(id), "the second");
            let ended = ledger.ended(id, 1, end, start);
            assert!(ended.is_resumed, "another may be the first");
        }
        ledger.sent(id, 1, start);
        assert!(ledger.ended(id, 1, End::Stored, start).is_resumed);
        ledger.sent(id, 1, start);
        assert!(!ledger.must_wait(id));
        assert!(!ledger.ended(id, 1, End::Unknown, start).is_resumed);
    }
}

#[test]
fn what_ends_in_time_returns_its_bytes() {
    let start = Instant::now();
    let mut ledger = Ledger::new(start);
    let id = ledger.id("a", start);
    assert_eq!(ledger.id("a", start), id);
    ledger.sent(id, 7, start);
    let ended = ledger.ended(id, 7, End::Stored, start);
    assert_eq!((ended.budget, ended.is_resumed), (7, true));
    assert_eq!(ledger.find_stalls(after(start, 60)), (0, vec![]));
}

#[test]
fn refusals_are_told_at_once_and_then_each_minute() {
    let start = Instant::now();
    let mut ledger = Ledger::new(start);
    let (a, b) = (ledger.id("a", start), ledger.id("b", start));
    assert_eq!(ledger.refused(a, start), Some(1));
    assert_eq!(ledger.refused(a, after(start, 1)), None);
    assert_eq!(ledger.refused(b, after(start, 1)), Some(1), "each for itself");
    assert_eq!(ledger.refused(a, after(start, 59)), None);
    assert_eq!(ledger.refused(a, after(start, 60)), Some(3));
}

#[test]
fn what_waits_is_named_and_an_alarm_is_no_stall() {
    let start = Instant::now();
    let mut ledger = Ledger::new(start);
    let (a, _idle) = (ledger.id("a", start), ledger.id("idle", start));
    ledger.sent(a, 1, start);
    assert_eq!(ledger.awaited(), ["a"]);
    ledger.is_blocked(after(start, 60));
    assert!(!ledger.is_silent(after(start, 69)));
    assert_eq!(ledger.find_stalls(after(start, 69)), (0, vec![]));
    assert_eq!(ledger.find_stalls(after(start, 70)).1.len(), 1);
}
