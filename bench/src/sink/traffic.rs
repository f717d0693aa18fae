//! What receivers see of whoever posts to them: connections opened, requests in hand, and how long they took. Pure.

use serde::{Deserialize, Serialize};

/// Counts over all hosts since the sink was last told to forget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traffic {
    /// Connections ever opened.
    pub(crate) opened: u64,
    /// The most connections that were open at once.
    pub(crate) max_open: u64,
    /// The most requests that were in hand at once, from their heads to their answers.
    pub(crate) max_in_flight: u64,
    /// The times that answered requests were in hand, added up, in nanoseconds.
    pub(crate) answering_ns: u64,
}

/// Which counting something belongs to: what ends after the counts were reset must not be taken from the new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// Counts as connections and requests come and go.
#[derive(Default)]
pub(super) struct TrafficMeter {
    generation: u64,
    open: u64,
    in_flight: u64,
    totals: Traffic,
}

impl TrafficMeter {
    /// Begins to count afresh.
    pub(super) fn reset(&mut self) {
        *self = Self {
            generation: self.generation + 1,
            ..Self::default()
        };
    }

    pub(super) fn totals(&self) -> Traffic {
        self.totals
    }

    /// A connection has come.
    pub(super) fn opened(&mut self) -> Generation {
        self.open += 1;
        self.totals.opened += 1;
        self.totals.max_open = self.totals.max_open.max(self.open);
        Generation(self.generation)
    }

    /// A connection has gone.
    pub(super) fn closed(&mut self, of: Generation) {
        if of == Generation(self.generation) {
            self.open -= 1;
        }
    }

    /// A request's head is here.
    pub(super) fn began(&mut self) -> Generation {
        self.in_flight += 1;
        self.totals.max_in_flight = self.totals.max_in_flight.max(self.in_flight);
        Generation(self.generation)
    }

    /// A request was answered after `took_ns`, or whoever sent it has hung up.
    pub(super) fn ended(&mut self, of: Generation, took_ns: Option<u64>) {
        if of == Generation(self.generation) {
            self.in_flight -= 1;
            self.totals.answering_ns += took_ns.unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_once_is_kept_and_what_ends_late_counts_nowhere() {
        let mut meter = TrafficMeter::default();
        let connection = meter.opened();
        let requests = [meter.began(), meter.began()];
        meter.ended(requests[0], Some(7));
        let third = meter.began();
        meter.ended(third, None);
        let wanted = Traffic {
            opened: 1,
            max_open: 1,
            max_in_flight: 2,
            answering_ns: 7,
        };
        assert_eq!(meter.totals(), wanted);
        meter.reset();
        meter.closed(connection);
        meter.ended(requests[1], Some(9));
        assert_eq!(meter.totals(), Traffic::default());
        meter.began();
        assert_eq!(meter.totals().max_in_flight, 1);
    }
}
