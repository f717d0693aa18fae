//! What happens: somebody books, some move their booking, some cancel it.

use std::time::Duration;

use hookline_producer::{Event, Producer, PublishError};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::Result;
use crate::companies::ALL;

/// Between two things that happen: what a dashboard shows moves, and a laptop stays cool.
const EVERY: Duration = Duration::from_millis(700);
/// One of so many bookings is moved, and one of so many cancelled, some steps later.
const MOVED: u64 = 3;
const CANCELLED: u64 = 5;

/// Goes on until the program ends.
pub(crate) async fn go_on(producer: &Producer) -> Result<()> {
    let mut steps = interval(EVERY);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        steps.tick().await;
        happen(producer, number, "booking.created").await?;
        // Those of a while ago.
        let before = |ago| number.checked_sub(ago);
        if let Some(booking) = before(4).filter(|booking| booking.is_multiple_of(MOVED)) {
            happen(producer, booking, "booking.rescheduled").await?;
        }
        if let Some(booking) = before(9).filter(|booking| booking.is_multiple_of(CANCELLED)) {
            happen(producer, booking, "booking.cancelled").await?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "its log is its standard error")]
async fn happen(producer: &Producer, booking: u64, what: &str) -> Result<()> {
    // More of them at the first company than at the last one.
    let company = match booking % 6 {
        0..3 => &ALL[0],
        3..5 => &ALL[1],
        _ => &ALL[2],
    };
    let start = start(booking, what == "booking.rescheduled", Timestamp::now());
    let data = json!({
        "booking": {
            "id": format!("bkg_{booking}"),
            "start": start,
            "attendee": { "name": format!("Guest {booking}"), "email": format!("guest-{booking}@example.com") },
        }
    });
    // The same event again, should the broker be away for a moment: it has an id by then, and comes once.
    let event = Event::new(company.id, what, data.to_string())?;
    while let Err(error) = producer.publish(&event).await {
        // What is refused once is refused always.
        if let PublishError::Refused { .. } = error {
            return Err(error.into());
        }
        eprintln!("booking {booking} is not published yet: {error}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// When a guest comes: within four weeks from now, or a day later once the booking was moved.
fn start(booking: u64, is_moved: bool, now: Timestamp) -> String {
    let days = 1 + booking % 28 + u64::from(is_moved);
    let day = now + SignedDuration::from_hours(24 * i64::try_from(days).unwrap_or_default());
    format!("{}T{:02}:00:00Z", day.strftime("%Y-%m-%d"), 9 + booking % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_come_after_today_whenever_that_is_and_later_where_their_booking_was_moved() {
        let now: Timestamp = "2028-02-28T23:59:59Z".parse().unwrap();
        assert_eq!(start(0, false, now), "2028-02-29T09:00:00Z");
        assert_eq!(start(0, true, now), "2028-03-01T09:00:00Z");
        assert_eq!(start(27, false, now), "2028-03-27T12:00:00Z");
        assert_eq!(start(28, false, now), start(0, false, now).replace("T09", "T13"));
    }
}
