//! A moment by two clocks, so that what was published before it is told from what was published after it.

use std::time::Duration;

use tokio::time::Instant;

/// A moment, by the clock that measures and by the one that event ids are made with.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    at: Instant,
    unix_ms: u64,
}

impl Moment {
    /// This one.
    ///
    /// # Panics
    /// Before 1970.
    #[must_use]
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            unix_ms: u64::try_from(jiff::Timestamp::now().as_millisecond()).expect("after 1970"),
        }
    }

    /// By the clock that measures.
    #[must_use]
    pub fn at(self) -> Instant {
        self.at
    }

    /// In milliseconds since 1970.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.unix_ms
    }

    /// The time since then.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.at.elapsed()
    }
}

/// When an event was made, in milliseconds since 1970, where its id is one of ours and says so.
#[must_use]
pub fn made_at_ms(event: &str) -> Option<u64> {
    let time = event.strip_prefix("evt_")?.get(..12)?;
    u64::from_str_radix(time, 16).ok()
}

#[cfg(test)]
mod tests {
    use hookline_producer::Event;

    use super::*;

    #[test]
    fn an_id_says_when_its_event_was_made_and_what_is_none_says_nothing() {
        let before = Moment::now();
        let event = Event::new("acme", "booking.created", "{}").unwrap();
        let made = made_at_ms(event.id.as_str()).unwrap();
        assert!((before.unix_ms()..=Moment::now().unix_ms()).contains(&made));
        for id in ["", "evt_", "evt_1", "evt_odd-but-an-id", "0196f0c0a0007000"] {
            assert_eq!(made_at_ms(id), None, "{id}");
        }
    }
}
