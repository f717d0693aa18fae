use super::*;

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn a_broker_that_answers_anything_is_not_silent() {
    let start = Instant::now();
    let mut unanswered = Unanswered::new(start);
    let (a, b) = (unanswered.id("a", start), unanswered.id("b", start));
    assert!(!unanswered.is_silent(after(start, 100)), "nothing waits");
    unanswered.sent(a, 1, after(start, 100));
    unanswered.sent(b, 1, after(start, 105));
    assert!(!unanswered.is_silent(after(start, 109)));
    assert!(unanswered.is_silent(after(start, 110)));
    unanswered.ended(b, 1, End::Stored, after(start, 109));
    assert!(!unanswered.is_silent(after(start, 118)));
    assert!(unanswered.is_silent(after(start, 119)));
    unanswered.is_alive(after(start, 119));
    assert!(!unanswered.is_silent(after(start, 128)));
    unanswered.ended(a, 1, End::Unknown, after(start, 128));
    assert!(!unanswered.is_silent(after(start, 200)), "nothing waits any more");
}

#[test]
fn a_destination_without_answers_gives_its_bytes_back_and_waits_until_it_answers() {
    let start = Instant::now();
    let mut unanswered = Unanswered::new(start);
    let (stuck, well) = (unanswered.id("stuck", start), unanswered.id("well", start));
    unanswered.sent(stuck, 30, start);
    unanswered.sent(stuck, 12, start);
    unanswered.sent(well, 5, after(start, 8));
    let (freed, told) = unanswered.find_stalls(after(start, 10));
    let expected = Stall {
        destination: "stuck".into(),
        waiting: 2,
        for_seconds: 10,
    };
    assert_eq!((freed, told), (42, vec![expected]));
    unanswered.ended(well, 5, End::Stored, after(start, 10));
    assert!(unanswered.must_wait(stuck, after(start, 10)) && !unanswered.must_wait(well, after(start, 10)));
    unanswered.sent(well, 5, after(start, 10));
    // Told again after a minute, and never freed twice.
    assert_eq!(
        unanswered.find_stalls(after(start, 69)).1.len(),
        1,
        "the other one, for once"
    );
    let (freed, told) = unanswered.find_stalls(after(start, 70));
    assert_eq!((freed, told.len()), (0, 1));
    let ended = unanswered.ended(stuck, 30, End::Stored, after(start, 71));
    assert_eq!((ended.budget, ended.is_resumed), (0, false));
    let ended = unanswered.ended(stuck, 12, End::Stored, after(start, 71));
    assert_eq!((ended.budget, ended.is_resumed), (0, true));
    assert!(!unanswered.must_wait(stuck, after(start, 10)));
}

#[test]
fn the_first_message_on_a_channel_goes_alone_and_the_others_after_it_is_stored() {
    let start = Instant::now();
    let mut unanswered = Unanswered::new(start);
    let id = unanswered.id("a", start);
    for begins_anew in [Unanswered::connected, |unanswered: &mut Unanswered, _| {
        let id = unanswered.id("a", Instant::now());
        unanswered.unproven(id);
    }] {
        begins_anew(&mut unanswered, start);
        for end in [End::Unknown, End::Answered] {
            assert!(!unanswered.must_wait(id, start), "the first");
            unanswered.sent(id, 1, start);
            assert!(unanswered.must_wait(id, start), "the second");
            let ended = unanswered.ended(id, 1, end, start);
            assert!(ended.is_resumed, "another may be the first");
        }
        unanswered.sent(id, 1, start);
        assert!(unanswered.ended(id, 1, End::Stored, start).is_resumed);
        unanswered.sent(id, 1, start);
        assert!(!unanswered.must_wait(id, start));
        assert!(!unanswered.ended(id, 1, End::Unknown, start).is_resumed);
    }
}

#[test]
fn what_nobody_waits_for_any_more_is_silence_all_the_same() {
    let start = Instant::now();
    let mut unanswered = Unanswered::new(start);
    let id = unanswered.id("a", start);
    for seconds in [0, 6] {
        unanswered.sent(id, 1, after(start, seconds));
        assert!(!unanswered.is_silent(after(start, 9)));
        unanswered.ended(id, 1, End::Unknown, after(start, seconds + 5));
        unanswered.doubted(id, after(start, seconds + 5));
    }
    unanswered.sent(id, 1, after(start, 12));
    assert!(unanswered.is_silent(after(start, 12)));
    unanswered.ended(id, 1, End::Stored, after(start, 12));
    unanswered.sent(id, 1, after(start, 20));
    assert!(!unanswered.is_silent(after(start, 29)));
    unanswered.ended(id, 1, End::Unknown, after(start, 29));
    unanswered.doubted(id, after(start, 29));
    unanswered.sent(id, 1, after(start, 100));
    assert!(!unanswered.is_silent(after(start, 109)), "long ago");
}

#[test]
fn what_ends_in_time_returns_its_bytes() {
    let start = Instant::now();
    let mut unanswered = Unanswered::new(start);
    let id = unanswered.id("a", start);
    assert_eq!(unanswered.id("a", start), id);
    unanswered.sent(id, 7, start);
    let ended = unanswered.ended(id, 7, End::Stored, start);
    assert_eq!((ended.budget, ended.is_resumed), (7, true));
    assert_eq!(unanswered.find_stalls(after(start, 60)), (0, vec![]));
}

#[test]
fn refusals_are_told_at_once_and_then_each_minute() {
    let start = Instant::now();
    let mut unanswered = Unanswered::new(start);
    let (a, b) = (unanswered.id("a", start), unanswered.id("b", start));
    assert_eq!(unanswered.refused(a, start), Some(1));
    assert_eq!(unanswered.refused(a, after(start, 1)), None);
    assert_eq!(unanswered.refused(b, after(start, 1)), Some(1), "each for itself");
    assert_eq!(unanswered.refused(a, after(start, 59)), None);
    assert_eq!(unanswered.refused(a, after(start, 60)), Some(3));
}

#[test]
fn what_waits_is_named_and_an_alarm_is_no_stall() {
    let start = Instant::now();
    let mut unanswered = Unanswered::new(start);
    let (a, _idle) = (unanswered.id("a", start), unanswered.id("idle", start));
    unanswered.sent(a, 1, start);
    assert_eq!(unanswered.awaited(), ["a"]);
    unanswered.is_blocked(after(start, 60));
    assert!(!unanswered.is_silent(after(start, 69)));
    assert_eq!(unanswered.find_stalls(after(start, 69)), (0, vec![]));
    assert_eq!(unanswered.find_stalls(after(start, 70)).1.len(), 1);
}
