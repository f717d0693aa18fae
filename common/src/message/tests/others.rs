//! Headers that are not ours: which are carried along, on every way that a message goes, and that an event may have as many again
//! as it came with.
use super::*;
use crate::headers::Extent;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// What senders write, some of it as if it were the broker's.
const OTHERS: [&str; 5] = ["X-Death", "ordering-key", "x-request-id", "x-tenant", "x-trace"];
const OF_BROKER: [&str; 8] = [
    "BCC",
    "CC",
    "x-acquired-count",
    "x-death",
    "x-delay",
    "x-first-death-queue",
    "x-opt-theirs",
    "x-received-from",
];

fn with_others(mut message: Message) -> Message {
    for name in OTHERS.iter().chain(&OF_BROKER) {
        message.headers.set_text(name, name);
    }
    message
}

/// Those of a message that are none of ours.
fn others(message: &Message) -> Vec<&str> {
    message
        .headers
        .names()
        .filter(|name| !header::is_ours(name))
        .collect()
}

#[test]
fn others_are_carried_along_to_the_last_retry_and_into_the_dead_letter_and_back() {
    let unrouted = read_event(&with_others(event_message())).unwrap();
    let parked = write_work(&Work::Route(unrouted.clone()));
    assert_eq!(others(&parked), OTHERS);
    let mut delivery = Delivery::first(unrouted, EndpointId::parse("ep_1").unwrap());
    for _ in 0..3 {
        let waiting = write_delivery(&delivery.for_next_attempt());
        assert_eq!(others(&waiting), OTHERS);
        // The broker writes what it writes whenever the message moves on.
        delivery = read_delivery(&with_others(waiting));
    }
    let cause = DeadLetterCause {
        failed_at: NOW,
        reason: DeadLetterReason::RetriesExhausted,
        last_outcome: None,
        last_status: None,
    };
    let failed = write_failed(&delivery, &cause);
    assert_eq!(others(&failed), OTHERS);
    let (dead, _) = read_dead_letter(&with_others(failed)).unwrap();
    let filed = FiledDelivery::headers_of(&dead).unwrap();
    let kept: Vec<String> = Headers::from_stored(&filed)
        .unwrap()
        .names()
        .map(str::to_owned)
        .collect();
    assert_eq!(kept, OTHERS);
    assert_eq!(others(&write_delivery(&dead.for_manual_retry(NOW))), OTHERS);
}

#[test]
fn others_are_still_there_when_what_was_rejected_is_sent_again() {
    let mut broken = with_others(event_message());
    broken.sender.exchange = "hookline.events".into();
    let rejected = write_rejected(&broken, &Rejection::CrashesConsumer(5), NOW);
    for name in OTHERS {
        assert_eq!(rejected.headers.text(name), Ok(Some(name)), "{name}");
    }
    let again = write_work(&read_work(&rejected).unwrap());
    assert_eq!(others(&again), OTHERS);
    let delivery = write_rejected(
        &with_others(delivery_message()),
        &Rejection::CrashesConsumer(5),
        NOW,
    );
    assert_eq!(others(&write_work(&read_work(&delivery).unwrap())), OTHERS);
}

/// Nothing that means something here can be smuggled in by a name that does not.
#[test]
fn no_header_of_a_sender_becomes_one_of_ours() {
    let mut message = with_others(event_message());
    for name in [
        "attempt",
        "crashes",
        "endpoint",
        "origin",
        "parked",
        "reason",
        "sent-CC",
        "sent-x-death",
    ] {
        message.headers.set_text(name, "1");
    }
    let unrouted = read_event(&message).unwrap();
    let again = write_work(&Work::Route(unrouted));
    let ours: Vec<&str> = again
        .headers
        .names()
        .filter(|name| header::is_ours(name))
        .collect();
    assert_eq!(ours, ["company"]);
}

fn event_with(count: usize) -> Message {
    let mut message = event_message();
    for number in message.headers.names().count()..count {
        message.headers.set_integer(&format!("h{number:02}"), 1);
    }
    message
}

/// An event with as many headers as it may have is taken, however often it is set aside and published again.
#[test]
fn an_event_with_as_many_headers_as_may_be_is_taken_again_after_it_was_rejected() {
    let without_time = event_with(Extent::MAX_ENTRIES);
    let mut with_time = event_with(Extent::MAX_ENTRIES - 1);
    with_time
        .headers
        .set_text("created-at", "2024-01-15T14:30:00.250Z");
    for message in [without_time, with_time] {
        let event = read_event(&message).unwrap();
        let suspect = write_suspect(&message, true).unwrap();
        for set_aside in [&message, &suspect] {
            let rejected = write_rejected(set_aside, &Rejection::CrashesConsumer(5), NOW);
            let again = write_work(&read_work(&rejected).unwrap());
            assert_eq!(again.headers, message.headers);
            assert!(read_event(&again).unwrap() == event);
        }
    }
}

/// With more it is rejected, and what is kept of it is as much as is taken again.
#[test]
fn what_is_kept_of_an_event_with_too_many_headers_is_taken_again() {
    let mut message = event_with(Extent::MAX_ENTRIES + 30);
    message.headers.set_text("created-at", "2024-01-15T14:30:00.250Z");
    let rejection = read_event(&message).unwrap_err();
    let again = write_work(&read_work(&write_rejected(&message, &rejection, NOW)).unwrap());
    assert_eq!(again.headers.names().count(), Extent::MAX_ENTRIES);
    assert!(read_event(&again).is_ok());
}

/// A delivery has headers of ours beside the event's, and none of those is a reason to leave one of the event's out.
#[test]
fn a_rejected_delivery_keeps_all_headers_of_its_event() {
    let event = read_event(&event_with(Extent::MAX_ENTRIES)).unwrap();
    let delivery = Delivery::first(event, EndpointId::parse("ep_1").unwrap());
    let rejected = write_rejected(&write_delivery(&delivery), &Rejection::CrashesConsumer(5), NOW);
    assert!(read_delivery(&rejected) == delivery);
}
