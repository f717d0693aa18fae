//! The bookings that a receiver is told of. Pure: their ids have one beginning, by which a partner finds and removes them.

use hookline_common::event::{Data, Event, InvalidEvent};
use hookline_common::ids::EventId;
use jiff::{SignedDuration, Timestamp};

/// The tenant of all events here; receivers are not told it.
const COMPANY: &str = "certify";

/// Bookings of one run.
pub(crate) struct Story {
    /// What all their ids begin with.
    pub(crate) prefix: String,
    count: u32,
    starts: Timestamp,
}

/// One booking.
pub(crate) struct Booking {
    id: String,
    times: String,
    now: Timestamp,
}

impl Story {
    /// A new one: the appointments are a week from `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        let id = EventId::new();
        // The end is random, the beginning of a UUIDv7 is the time.
        let tail = id.as_str().get(28..).unwrap_or_default();
        Self {
            prefix: format!("bkg_certify_{tail}_"),
            count: 0,
            starts: now + SignedDuration::from_hours(7 * 24),
        }
    }

    /// The next booking.
    pub(crate) fn booking(&mut self) -> Booking {
        self.count += 1;
        let starts = self.starts + SignedDuration::from_mins(30 * i64::from(self.count));
        let ends = starts + SignedDuration::from_mins(30);
        Booking {
            id: format!("{}{}", self.prefix, self.count),
            times: format!(r#""startsAt":"{starts:.0}","endsAt":"{ends:.0}""#),
            now: Timestamp::now(),
        }
    }
}

impl Booking {
    /// It was made.
    pub(crate) fn created(&self) -> Result<Event, InvalidEvent> {
        Event::new(COMPANY, "booking.created", self.as_created())
    }

    /// It was moved, which makes a booking of its own of it.
    pub(crate) fn rescheduled(&self) -> Result<Event, InvalidEvent> {
        let Self { id, times, now } = self;
        let data = format!(
            r#"{{"booking":{{"id":"{id}_moved","previousBookingId":"{id}","status":"confirmed",{times},"rescheduledBy":"host","rescheduledAt":"{now:.0}"}}}}"#
        );
        Event::new(COMPANY, "booking.rescheduled", data)
    }

    /// It was cancelled, as it was made or as it was moved.
    pub(crate) fn cancelled(&self) -> Result<Event, InvalidEvent> {
        let Self { id, now, .. } = self;
        let data = format!(
            r#"{{"booking":{{"id":"{id}_moved","status":"cancelled","cancelledBy":"attendee","cancellationReason":"A certificate was played","cancelledAt":"{now:.0}"}}}}"#
        );
        Event::new(COMPANY, "booking.cancelled", data)
    }

    /// It was made, and is told in a spelling that no library writes: blanks, line breaks and escapes that need not be.
    pub(crate) fn created_in_odd_spelling(&self) -> Result<Event, InvalidEvent> {
        let data = self
            .as_created()
            .replace("Zoë", "Zo\\u00eb")
            .replace("Müller", "M\\u00fcller \\/ 吴")
            .replace("\":", "\" : ")
            .replace("\",\"", "\",\n  \"");
        Event::new(COMPANY, "booking.created", data)
    }

    /// It was made, with as much data as any event may have.
    pub(crate) fn created_with_most_data(&self) -> Result<Event, InvalidEvent> {
        let data = self.as_created();
        let with = |note: &str| {
            format!(
                "{},\"note\":\"{note}\"}}",
                data.trim_end_matches('}').to_owned() + "}}"
            )
        };
        let room = Data::MAX_BYTES - with("").len();
        Event::new(COMPANY, "booking.created", with(&"x".repeat(room)))
    }

    fn as_created(&self) -> String {
        let Self { id, times, .. } = self;
        format!(
            r#"{{"booking":{{"id":"{id}","eventTypeId":"et_certify","status":"confirmed",{times},"host":{{"id":"usr_certify","email":"host@example.com"}},"attendee":{{"email":"zoe@example.org","firstName":"Zoë","lastName":"Müller","timezone":"Europe/Berlin"}}}}}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use hookline_catalogue::Catalogue;
    use serde_json::Value;

    use super::*;

    fn booking() -> Booking {
        Story::new(Timestamp::now()).booking()
    }

    fn members(value: &Value) -> Vec<String> {
        let all = value["booking"].as_object().expect("an object");
        all.keys().cloned().collect()
    }

    #[test]
    fn each_event_tells_what_the_catalogue_says_of_its_type() {
        let booking = booking();
        let catalogue = Catalogue::built_in();
        for event in [booking.created(), booking.rescheduled(), booking.cancelled()] {
            let event = event.expect("an event");
            let info = catalogue.find(event.event_type.as_str()).expect("its type");
            let sample: Value = serde_json::from_str(info.sample.as_str()).expect("JSON");
            let told: Value = serde_json::from_str(event.data.as_str()).expect("JSON");
            assert_eq!(members(&told), members(&sample), "{}", event.event_type);
        }
    }

    #[test]
    fn the_odd_spelling_says_the_same_in_other_bytes() {
        let booking = booking();
        let odd = booking.created_in_odd_spelling().expect("an event").data;
        for part in ["\\u00eb", "\\/", "吴", "\" : ", "\",\n"] {
            assert!(odd.as_str().contains(part), "{part}: {}", odd.as_str());
        }
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let (odd, plain) = (read(odd.as_str()), read(&booking.as_created()));
        assert_eq!(odd["booking"]["startsAt"], plain["booking"]["startsAt"]);
        assert_eq!(odd["booking"]["attendee"]["firstName"], "Zoë");
    }

    #[test]
    fn the_largest_is_as_large_as_data_may_be() {
        let event = booking().created_with_most_data().expect("an event");
        assert_eq!(event.data.as_bytes().len(), Data::MAX_BYTES);
    }

    #[test]
    fn no_two_bookings_have_one_id_and_all_of_a_run_begin_alike() {
        let mut story = Story::new(Timestamp::now());
        let (one, other) = (story.booking(), story.booking());
        assert_ne!(one.id, other.id);
        assert!(other.id.starts_with(&story.prefix));
        assert_ne!(story.prefix, Story::new(Timestamp::now()).prefix);
    }
}
