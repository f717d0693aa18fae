//! That the judge finds each of them, and nothing else.

use hyper::{HeaderMap, Method, Version};

use super::*;

fn event() -> Event {
    Event::new("acme", "booking.created", "{}").unwrap()
}

fn seen(attempt: u32, is_accepted: bool) -> Seen {
    let now = Instant::now();
    Seen {
        attempt,
        body: Bytes::from_static(b"{}"),
        arrived: now,
        ended: Some(now),
        is_accepted,
        signed_at: None,
        fault: None,
    }
}

/// A request of an event, signed like this.
fn request(event: &Event, signed_at: i64, signature: &str) -> Received {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", event.id.as_str()),
        ("webhook-attempt", "1"),
        ("webhook-timestamp", &signed_at.to_string()),
        ("webhook-signature", signature),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    Received {
        method: Method::POST,
        path: "/hook".to_owned(),
        version: Version::HTTP_11,
        headers,
        body: Bytes::from_static(b"{}"),
        arrived: Instant::now(),
        arrived_unix: signed_at,
        ended: Some(Instant::now()),
        answered: Some(200),
    }
}

fn delivered(judge: &mut Judge, event: &Event, endpoint: &str, times: u32) {
    let requests = (0..times).map(|_| seen(1, true));
    judge
        .seen
        .entry(key(event.id.as_str(), endpoint))
        .or_default()
        .extend(requests);
}

#[test]
fn what_is_found_nowhere_is_lost() {
    let (mut judge, event) = (Judge::default(), event());
    judge.accepted([&event], &["a", "b"]);
    delivered(&mut judge, &event, "a", 1);
    assert_eq!(judge.verdict().lost, [key(event.id.as_str(), "b")]);
}

#[test]
fn what_was_asked_for_and_never_taken_is_lost_too() {
    let (mut judge, event) = (Judge::default(), event());
    judge.accepted([&event], &["a"]);
    judge
        .seen
        .insert(key(event.id.as_str(), "a"), vec![seen(1, false)]);
    assert_eq!(judge.verdict().lost.len(), 1);
}

#[test]
fn what_nobody_asked_for_is_unexpected_and_what_is_in_doubt_is_recovered() {
    let (mut judge, ours, doubtful) = (Judge::default(), event(), event());
    judge.accepted([&ours], &["a"]);
    judge.attempted([&doubtful], &["a"]);
    delivered(&mut judge, &ours, "a", 1);
    delivered(&mut judge, &doubtful, "a", 1);
    let all_well = Verdict {
        recovered: vec![key(doubtful.id.as_str(), "a")],
        ..Verdict::default()
    };
    assert_eq!(judge.verdict(), all_well);
    delivered(&mut judge, &ours, "other", 1);
    assert_eq!(judge.verdict().unexpected, [key(ours.id.as_str(), "other")]);
}

#[test]
fn what_is_answered_twice_is_a_duplicate_and_has_the_same_bytes() {
    let (mut judge, event) = (Judge::default(), event());
    judge.accepted([&event], &["a"]);
    delivered(&mut judge, &event, "a", 2);
    let key = key(event.id.as_str(), "a");
    assert_eq!(judge.verdict().duplicated, std::slice::from_ref(&key));
    assert_eq!(judge.verdict().changed, []);
    judge.seen.get_mut(&key).unwrap()[1].body = Bytes::from_static(b"{ }");
    assert_eq!(judge.verdict().changed, [key]);
}

#[test]
fn an_attempt_before_its_time_is_hasty_and_one_beyond_the_schedule_excessive() {
    let (mut judge, event) = (Judge::with_schedule(&[Duration::from_secs(1)]), event());
    judge.accepted([&event], &["a"]);
    let key = key(event.id.as_str(), "a");
    let (first, mut second) = (seen(1, false), seen(2, true));
    second.arrived = first.arrived + Duration::from_millis(1000);
    judge
        .seen
        .insert(key.clone(), vec![first.clone(), second.clone()]);
    assert_eq!(judge.verdict(), Verdict::default());
    second.arrived = first.arrived + Duration::from_millis(999);
    judge
        .seen
        .insert(key.clone(), vec![first.clone(), second.clone()]);
    assert_eq!(judge.verdict().hasty, std::slice::from_ref(&key));
    let third = Seen { attempt: 3, ..second };
    judge.seen.insert(key.clone(), vec![first, third]);
    assert_eq!(judge.verdict().excessive, [key]);
}

#[test]
fn an_attempt_that_had_no_answer_may_be_the_one_that_the_next_one_follows() {
    let (mut judge, event) = (Judge::with_schedule(&[Duration::from_secs(1)]), event());
    let key = key(event.id.as_str(), "a");
    let (mut hung, mut copy, mut next) = (seen(1, false), seen(1, true), seen(2, true));
    hung.ended = None;
    copy.ended = Some(copy.arrived + Duration::from_millis(3900));
    next.arrived = hung.arrived + Duration::from_secs(4);
    judge
        .seen
        .insert(key.clone(), vec![hung.clone(), copy, next.clone()]);
    assert_eq!(judge.verdict().hasty, []);
    next.arrived = hung.arrived + Duration::from_millis(999);
    judge.seen.insert(key.clone(), vec![hung, next]);
    assert_eq!(judge.verdict().hasty, [key]);
}

#[test]
fn what_ended_with_a_record_is_not_lost_and_one_of_another_kind_is_no_end() {
    let (mut judge, gone, failing) = (Judge::default(), event(), event());
    judge.accepted([&gone, &failing], &["a"]);
    let record = |event: &Event, outcome: &str| serde_json::json!({"event": event.id.as_str(), "endpoint": "a", "outcome": outcome});
    judge.discarded([&record(&gone, "discarded"), &record(&failing, "timeout")]);
    assert_eq!(judge.verdict().lost, [key(failing.id.as_str(), "a")]);
}

#[test]
fn each_request_has_a_record_and_each_record_a_request() {
    let (mut judge, event) = (Judge::default(), event());
    delivered(&mut judge, &event, "a", 1);
    let record = |endpoint: &str| serde_json::json!({"event": event.id.as_str(), "endpoint": endpoint});
    assert_eq!(judge.misrecorded(), [key(event.id.as_str(), "a")]);
    judge.recorded([&record("a")]);
    assert_eq!(judge.misrecorded(), []);
    judge.recorded([&record("b")]);
    assert_eq!(judge.misrecorded(), [key(event.id.as_str(), "b")]);
}

#[test]
fn a_request_is_signed_by_a_secret_of_its_endpoint_whether_one_is_named_or_not() {
    const OTHER: &str = "whsec_c2Vjb25kc2Vjb25kc2Vjb25kc2Vjb25kc2Vjb25kc2U=";
    const AT: i64 = 1_900_000_000;
    let event = event();
    let signed = |by: &str, at: i64| signature::standard(by, event.id.as_str(), &at.to_string(), b"{}");
    let is_stale = |signature: &str, secrets: &[&str]| {
        let mut judge = Judge::default();
        judge.saw_requests("a", secrets, [&request(&event, AT, signature)]);
        judge.verdict().stale.len()
    };
    assert_eq!(is_stale(&signed(SECRET, AT), &[SECRET]), 0);
    assert_eq!(is_stale(&signed(SECRET, AT), &[OTHER, SECRET]), 0);
    let both = format!("{} {}", signed(OTHER, AT), signed(SECRET, AT));
    assert_eq!(is_stale(&both, &[SECRET]), 0);
    for wrong in ["", "v1,", &signed(OTHER, AT), &signed(SECRET, AT - 1)] {
        assert_eq!(is_stale(wrong, &[SECRET]), 1, "{wrong}");
    }
    let mut without = request(&event, AT, &signed(SECRET, AT));
    without.headers.remove("webhook-timestamp");
    let mut judge = Judge::default();
    judge.saw_requests("a", &[SECRET], [&without]);
    assert_eq!(
        judge.verdict().stale.len(),
        1,
        "neither the standard's nor Meeva's"
    );
    without
        .headers
        .insert("meeva-signature", "sha256=00".parse().unwrap());
    let mut judge = Judge::default();
    judge.saw_requests("a", &[SECRET], [&without]);
    assert_eq!(judge.verdict().stale, []);
}

#[test]
fn an_attempt_that_is_not_signed_later_than_the_one_before_is_stale() {
    let (second, half) = (Duration::from_secs(1), Duration::from_millis(500));
    let at = |number: u32, signed_at: i64| Seen {
        signed_at: Some(signed_at),
        // In time, whatever is signed.
        arrived: Instant::now() + Duration::from_secs(10 * u64::from(number)),
        ended: None,
        ..seen(number, false)
    };
    let stale = |judge: Judge, attempts: Vec<Seen>| {
        let mut judge = judge;
        judge.seen.insert(key("evt", "a"), attempts);
        judge.verdict().stale.len()
    };
    let judge = || Judge::with_schedule(&[second, second]);
    assert_eq!(stale(judge(), vec![at(1, 100), at(2, 101), at(3, 102)]), 0);
    assert_eq!(stale(judge(), vec![at(1, 100), at(2, 100), at(3, 100)]), 2);
    // The attempt before was made twice, and whichever came first may be the one that it follows.
    assert_eq!(stale(judge(), vec![at(1, 100), at(1, 105), at(2, 101)]), 0);
    // Nothing is known of shorter delays, of clocks that jump, and without a schedule.
    let shorter = Judge::with_schedule(&[half]);
    assert_eq!(stale(shorter, vec![at(1, 100), at(2, 100)]), 0);
    let jumping = judge().with_clocks(&[0, -3600]);
    assert_eq!(stale(jumping, vec![at(1, 100), at(2, 100)]), 0);
    assert_eq!(stale(Judge::default(), vec![at(1, 100), at(2, 100)]), 0);
}

/// Fifty requests of the first attempt, none of them taken, are one delivery, and not even twice.
#[test]
fn requests_that_repeat_an_attempt_are_counted_whatever_they_were_answered() {
    let (mut judge, event) = (Judge::with_usual_schedule(), event());
    judge.accepted([&event], &["a"]);
    let key = key(event.id.as_str(), "a");
    let mut requests = vec![seen(1, false); 50];
    let later = Instant::now() + Duration::from_secs(5);
    requests.push(Seen {
        arrived: later,
        ..seen(2, true)
    });
    judge.seen.insert(key.clone(), requests);
    let verdict = judge.verdict();
    assert_eq!(verdict.copies, vec![(key, 1); 49]);
    assert_eq!((verdict.duplicated.len(), verdict.hasty.len()), (0, 0));
    judge.nothing_is_lost_and_few_come_again(0, 49);
    let too_many = std::panic::catch_unwind(|| judge.nothing_is_lost_and_few_come_again(0, 48));
    assert!(too_many.is_err());
}

#[test]
fn the_first_delivery_after_a_moment_is_of_an_event_that_was_made_after_it() {
    let (mut judge, before) = (Judge::default(), event());
    judge.accepted([&before], &["a"]);
    std::thread::sleep(Duration::from_millis(2));
    let moment = Moment::now();
    std::thread::sleep(Duration::from_millis(2));
    delivered(&mut judge, &before, "a", 1);
    // There is no other that could tell.
    assert!(judge.first_after(moment).is_some());
    let after = event();
    judge.accepted([&after], &["a"]);
    assert_eq!(judge.first_after(moment), None);
    delivered(&mut judge, &after, "a", 1);
    let arrived = judge.seen[&key(after.id.as_str(), "a")][0].arrived;
    assert_eq!(judge.first_after(moment), Some(arrived));
}
