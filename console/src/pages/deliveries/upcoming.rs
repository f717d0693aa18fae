//! What happens next to a delivery, and when: in words that are true without a script, and that a script counts down.

use hookline_common::ids::AttemptNo;
use hookline_common::schedule::RetrySchedule;
use hookline_store::{DeliveryStatus, LoggedAttempt, LoggedDelivery};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::pages::words::count;

/// So long after its time, an attempt is late: dispatchers begin one within a second, and its record is seconds behind it, or
/// as long as an attempt may take.
const LATE_S: i64 = 60;

/// So long after its time, an attempt of which nothing was recorded is taken for lost, with a broker's disk for example: one may
/// take ten minutes, and its record waits while the log is away.
const LOST_S: i64 = 3600;

/// Whether an attempt comes by itself, so that one more would be delivered beside it.
pub(super) fn is_under_way(delivery: &LoggedDelivery, now: Timestamp) -> bool {
    let is_lost = |at: Timestamp| now.as_second() - at.as_second() >= LOST_S;
    delivery.status == DeliveryStatus::Retrying && !delivery.next_attempt_at.is_some_and(is_lost)
}

/// A delivery's next attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Planned {
    at: Timestamp,
    /// Which one of its round; none where a person sent the delivery again.
    number: Option<u32>,
    /// Of how many, where that is known.
    of: Option<usize>,
}

/// When the next attempt is planned, if one is.
pub(super) fn next_at(delivery: &LoggedDelivery) -> Option<Timestamp> {
    delivery
        .next_attempt_at
        .filter(|_| delivery.status == DeliveryStatus::Retrying)
}

/// The next attempt, if one is planned. `schedule` is the dispatchers', as far as the console was told of it.
pub(super) fn planned(
    delivery: &LoggedDelivery,
    last: Option<&LoggedAttempt>,
    schedule: &RetrySchedule,
) -> Option<Planned> {
    let at = next_at(delivery)?;
    // After the last of its round, only a person makes another one.
    let last = last.filter(|last| !last.is_final);
    Some(Planned {
        at,
        number: last.map(|last| last.attempt.saturating_add(1)),
        of: last.and_then(|last| attempts_at_most(last, at, schedule)),
    })
}

/// How many attempts there are in all, where the next one is planned as this schedule has it. Where it is not, dispatchers have
/// another one, or the receiver asked for more time.
fn attempts_at_most(last: &LoggedAttempt, next: Timestamp, schedule: &RetrySchedule) -> Option<usize> {
    let delay = schedule.delay_after(AttemptNo::new(last.attempt.into())?)?;
    let ended_ms = last.started_at.as_millisecond() + i64::try_from(last.duration_ms).ok()?;
    let waits_ms = next.as_millisecond() - ended_ms;
    // Times are whole milliseconds, each cut off.
    let is_as_scheduled = (waits_ms - i64::from(delay.as_seconds()) * 1000).abs() <= 1000;
    is_as_scheduled.then(|| schedule.delays().len() + 1)
}

impl Planned {
    /// A sentence of it.
    pub(super) fn sentence(&self, now: Timestamp) -> Markup {
        let left = self.at.as_second() - now.as_second();
        html! {
            @if left < -LATE_S {
                (self.name()) " was due " (span(left.unsigned_abs())) " ago, and is not recorded yet: the dispatchers are busy, or none is running."
            } @else {
                (self.name()) " " (countdown(self.at, now)) (self.place()) "."
            }
        }
    }

    fn name(&self) -> &'static str {
        match self.number {
            Some(_) => "Next attempt",
            None => "Sent again by hand; its attempt",
        }
    }

    fn place(&self) -> String {
        match (self.number, self.of) {
            (Some(number), Some(of)) => format!(" ({number} of {of})"),
            (Some(number), None) => format!(" (attempt {number})"),
            (None, _) => String::new(),
        }
    }
}

/// A time that a script counts down to.
pub(super) fn countdown(at: Timestamp, now: Timestamp) -> Markup {
    let left = at.as_second() - now.as_second();
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) title=(at.strftime("%Y-%m-%d %H:%M:%S UTC")) data-countdown {
            @match u64::try_from(left) {
                Ok(left) if left > 0 => { "in " (span(left)) }
                _ => "is due now",
            }
        }
    }
}

/// `12 s`, `4 min 12 s`, `2 h 5 min`, `1 day 3 h`.
pub(super) fn span(seconds: u64) -> String {
    let parts = match seconds {
        0..60 => [Some(format!("{seconds} s")), None],
        60..3600 => [Some(format!("{} min", seconds / 60)), part(seconds % 60, "s")],
        3600..86_400 => [
            Some(format!("{} h", seconds / 3600)),
            part(seconds % 3600 / 60, "min"),
        ],
        _ => [
            Some(count(seconds / 86_400, "day")),
            part(seconds % 86_400 / 3600, "h"),
        ],
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn part(number: u64, unit: &str) -> Option<String> {
    (number > 0).then(|| format!("{number} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookline_common::ids::{EndpointId, EventId, EventType};
    use hookline_common::outcome::Outcome;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn attempt(number: u32, is_final: bool) -> LoggedAttempt {
        LoggedAttempt {
            id: String::new(),
            attempt: number,
            origin: "event".to_owned(),
            url: String::new(),
            started_at: AT,
            duration_ms: 2000,
            outcome: Outcome::Timeout,
            status: None,
            error: None,
            response: None,
            next_attempt_at: None,
            is_final,
            trace_id: None,
            request_headers: "{}".to_owned(),
            response_headers: "{}".to_owned(),
        }
    }

    fn delivery(status: DeliveryStatus, next: Option<Timestamp>) -> LoggedDelivery {
        LoggedDelivery {
            event: EventId::parse("evt_1").unwrap(),
            endpoint: EndpointId::parse("ep_1").unwrap(),
            event_type: EventType::parse("booking.created").unwrap(),
            origin: "event".to_owned(),
            status,
            attempts: 2,
            last_outcome: Some(Outcome::Timeout),
            last_status: None,
            last_error: None,
            created_at: AT,
            last_attempt_at: Some(AT),
            next_attempt_at: next,
        }
    }

    fn text(markup: Markup) -> String {
        let html = markup.into_string();
        let mut is_tag = false;
        html.chars()
            .filter(|c| {
                let is_text = *c != '<' && !is_tag;
                is_tag = *c == '<' || is_tag && *c != '>';
                is_text
            })
            .collect()
    }

    #[test]
    fn what_is_left_is_told_in_two_units_at_most() {
        for (seconds, told) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (252, "4 min 12 s"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
            (86_400, "1 day"),
            (86_400 + 3 * 3600 + 59, "1 day 3 h"),
            (2 * 86_400 + 3600, "2 days 1 h"),
        ] {
            assert_eq!(span(seconds), told);
        }
    }

    fn schedule(text: &str) -> RetrySchedule {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_attempt_has_its_number_and_how_many_there_are_where_it_is_as_the_schedule_has_it() {
        // After the second attempt, which took 2 s.
        for (of, next, told) in [
            ("1m,5m,30m", 302, "Next attempt in 4 min 12 s (3 of 4)."),
            ("1m,5m,30m", 402, "Next attempt in 5 min 52 s (attempt 3)."),
            ("5s,400s", 402, "Next attempt in 5 min 52 s (3 of 3)."),
            // Delays that are alike are attempts each.
            ("1m,1m,5m", 62, "Next attempt in 12 s (3 of 4)."),
            ("1m", 62, "Next attempt in 12 s (attempt 3)."),
        ] {
            let waiting = delivery(DeliveryStatus::Retrying, Some(after(next)));
            let planned = planned(&waiting, Some(&attempt(2, false)), &schedule(of)).unwrap();
            assert_eq!(text(planned.sentence(after(50))), told);
        }
        let now = planned(
            &delivery(DeliveryStatus::Retrying, Some(after(302))),
            Some(&attempt(2, false)),
            &RetrySchedule::default(),
        )
        .unwrap();
        assert_eq!(
            text(now.sentence(after(303))),
            "Next attempt is due now (3 of 4)."
        );
        let late = text(now.sentence(after(302 + 192)));
        assert!(late.starts_with("Next attempt was due 3 min 12 s ago"), "{late}");
    }

    #[test]
    fn what_is_retried_is_under_way_until_it_must_be_lost() {
        let waiting = delivery(DeliveryStatus::Retrying, Some(after(300)));
        assert!(is_under_way(&waiting, after(0)) && is_under_way(&waiting, after(300 + LOST_S - 1)));
        assert!(!is_under_way(&waiting, after(300 + LOST_S)));
        assert!(is_under_way(&delivery(DeliveryStatus::Retrying, None), after(0)));
        assert!(!is_under_way(&delivery(DeliveryStatus::Failed, None), after(0)));
        assert!(!is_under_way(
            &delivery(DeliveryStatus::Delivered, None),
            after(0)
        ));
    }

    #[test]
    fn what_a_person_sent_again_counts_from_the_first_and_what_has_ended_has_no_next() {
        let waiting = delivery(DeliveryStatus::Retrying, Some(after(302)));
        let schedule = RetrySchedule::default();
        let by_hand = planned(&waiting, Some(&attempt(4, true)), &schedule).unwrap();
        assert_eq!(
            text(by_hand.sentence(after(302))),
            "Sent again by hand; its attempt is due now."
        );
        for status in [
            DeliveryStatus::Delivered,
            DeliveryStatus::Failed,
            DeliveryStatus::Discarded,
        ] {
            assert_eq!(planned(&delivery(status, Some(after(1))), None, &schedule), None);
        }
        assert_eq!(
            planned(&delivery(DeliveryStatus::Retrying, None), None, &schedule),
            None
        );
    }
}
