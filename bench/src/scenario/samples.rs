//! Latencies: of all deliveries of a run, and of those whose events were published in a stretch of it.

use crate::report::stats::{greatest, percentile};
use crate::sink::Arrived;

/// From publish to arrival, in milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies(Vec<f64>);

impl Latencies {
    pub(super) fn of(arrivals: &[Arrived]) -> Self {
        Self::between(arrivals, 0, u64::MAX)
    }

    /// Only of events published from `from_ns` on and before `to_ns`.
    pub(super) fn between(arrivals: &[Arrived], from_ns: u64, to_ns: u64) -> Self {
        let chosen = arrivals
            .iter()
            .filter(|arrived| (from_ns..to_ns).contains(&arrived.published_ns));
        let latency = |arrived: &Arrived| arrived.at_ns.saturating_sub(arrived.published_ns) as f64 / 1e6;
        Self(chosen.map(latency).collect())
    }

    /// Counts deliveries that have not arrived as if they had after `ms`, when nobody waited any longer.
    pub(super) fn with_missing(mut self, count: usize, ms: f64) -> Self {
        self.0.extend(std::iter::repeat_n(ms, count));
        self
    }

    /// These and those.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn p50(&self) -> f64 {
        percentile(&self.0, 50.0)
    }

    pub(super) fn p99(&self) -> f64 {
        percentile(&self.0, 99.0)
    }

    pub(super) fn max(&self) -> f64 {
        greatest(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_chosen_by_the_time_of_publishing() {
        let arrivals: Vec<Arrived> = (0..10)
            .map(|second| Arrived {
                published_ns: second * 1_000_000_000,
                at_ns: second * 1_000_000_000 + (second + 1) * 1_000_000,
            })
            .collect();
        assert_eq!(Latencies::of(&arrivals).len(), 10);
        assert_eq!(Latencies::of(&arrivals).max(), 10.0);
        let stretch = Latencies::between(&arrivals, 2_000_000_000, 4_000_000_000);
        assert_eq!((stretch.len(), stretch.p50(), stretch.p99()), (2, 3.0, 4.0));
        assert_eq!(stretch.with_missing(1, 30_000.0).max(), 30_000.0);
    }
}
