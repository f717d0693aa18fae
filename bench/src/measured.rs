//! What comes out of measurements of throughput, and how cases compare, round by round. Pure.

use crate::counts::{CountedBy, Counts};
use crate::report::Entry;
use crate::report::stats::{greatest, median, ratio};
use crate::sink::Traffic;

/// What came out. CPU in microseconds for each delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// The same without the last twentieth: how far it lies above `rate` is what stragglers cost.
    pub(crate) rate_95: f64,
    pub(crate) dispatcher_us: f64,
    pub(crate) broker_us: Option<f64>,
    pub(crate) producer_us: f64,
    pub(crate) sink_us: f64,
    pub(crate) peak_rss_mb: f64,
    /// Connections and requests, as the receivers saw them.
    pub(crate) traffic: Traffic,
    /// For each delivery, where they were counted.
    pub(crate) counts: Option<Counts>,
}

impl Measured {
    /// Each value's median over the rounds.
    fn medians(rounds: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| median(&rounds.iter().map(value).collect::<Vec<_>>());
        let broker: Option<Vec<f64>> = rounds.iter().map(|round| round.broker_us).collect();
        Self {
            rate: of(|round| round.rate),
            rate_95: of(|round| round.rate_95),
            dispatcher_us: of(|round| round.dispatcher_us),
            broker_us: broker.map(|values| median(&values)),
            producer_us: of(|round| round.producer_us),
            sink_us: of(|round| round.sink_us),
            peak_rss_mb: of(|round| round.peak_rss_mb),
            // They are read round by round.
            traffic: Traffic::default(),
            counts: None,
        }
    }

    /// Writes all of it into a report.
    pub(crate) fn put(&self, mut entry: Entry<'_>) {
        entry.put("rate", self.rate, "deliveries/s");
        entry.put("rate_95", self.rate_95, "deliveries/s");
        entry.put("cpu_dispatcher", self.dispatcher_us, "µs/delivery");
        if let Some(broker) = self.broker_us {
            entry.put("cpu_broker", broker, "µs/delivery");
        }
        entry.put("cpu_producer", self.producer_us, "µs/delivery");
        entry.put("cpu_sink", self.sink_us, "µs/delivery");
        entry.put("peak_rss", self.peak_rss_mb, "MB");
    }
}

/// Several cases, measured by turns.
pub(crate) struct Compared(pub(crate) Vec<Vec<Measured>>);

impl Compared {
    /// Each case's medians over the rounds.
    pub(crate) fn medians(&self) -> Vec<Measured> {
        self.0.iter().map(|rounds| Measured::medians(rounds)).collect()
    }

    /// What one case's value is to another's: the median of what it was in each round, because a machine that changes its
    /// pace between rounds changes it for both. The cases by their places in the list.
    pub(crate) fn ratio(&self, part: usize, whole: usize, value: fn(&Measured) -> f64) -> f64 {
        let ratios = self.values(part, value).zip(self.values(whole, value));
        let ratios = ratios.map(|(part, whole)| ratio(part, whole));
        median(&ratios.collect::<Vec<_>>())
    }

    /// The median of what one case's rounds had of something.
    pub(crate) fn median(&self, case: usize, value: fn(&Measured) -> f64) -> f64 {
        median(&self.values(case, value).collect::<Vec<_>>())
    }

    /// The greatest of what one case's rounds had of something.
    pub(crate) fn greatest(&self, case: usize, value: fn(&Measured) -> f64) -> f64 {
        greatest(&self.values(case, value).collect::<Vec<_>>())
    }

    fn values(&self, case: usize, value: fn(&Measured) -> f64) -> impl Iterator<Item = f64> {
        self.0.get(case).into_iter().flatten().map(value)
    }

    /// Whether a case's counts are there and of a kind.
    pub(crate) fn counted_by(&self, case: usize) -> Option<CountedBy> {
        let first = self.0.get(case)?.first()?;
        first.counts.map(|counts| counts.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(rates: [f64; 3]) -> Vec<Measured> {
        let one = |rate| Measured {
            rate,
            rate_95: rate,
            dispatcher_us: 1.0,
            broker_us: None,
            producer_us: 1.0,
            sink_us: 1.0,
            peak_rss_mb: 1.0,
            traffic: Traffic::default(),
            counts: None,
        };
        rates.into_iter().map(one).collect()
    }

    #[test]
    fn a_ratio_is_the_median_of_each_rounds_and_not_the_ratio_of_medians() {
        // The machine is slower in every round: each time for both.
        let compared = Compared(vec![rounds([90.0, 40.0, 10.0]), rounds([100.0, 50.0, 20.0])]);
        assert_eq!(compared.ratio(0, 1, |one| one.rate), 0.8);
        assert_eq!(compared.median(0, |one| one.rate), 40.0);
        assert_eq!(compared.greatest(0, |one| one.rate), 90.0);
        assert_eq!(compared.counted_by(0), None);
    }
}
