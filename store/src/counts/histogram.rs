//! How long answers took, as a histogram with fixed bounds: it can be added up over minutes, endpoints and companies, which
//! percentiles themselves cannot. Pure.

/// The upper bounds of all buckets but the last, in milliseconds. In steps of about two, a percentile is off by half of
/// itself at most; the last one is the usual time limit of a request.
pub(super) const BOUNDS_MS: [u32; 13] = [
    5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000,
];
/// One more than bounds: what took longer than the last.
pub(super) const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// How many answers came within which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Histogram(pub(super) [u64; BUCKETS]);

impl Histogram {
    /// Counts an answer that took so long.
    pub fn add(&mut self, duration_ms: u64) {
        let bucket = BOUNDS_MS
            .iter()
            .position(|bound| duration_ms <= u64::from(*bound))
            .unwrap_or(BOUNDS_MS.len());
        if let Some(count) = self.0.get_mut(bucket) {
            *count += 1;
        }
    }

    /// All answers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds another one's.
    pub fn add_all(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own += more;
        }
    }

    /// The time in milliseconds within which this part (0 to 1) of the answers came; none without answers.
    ///
    /// Within a bucket answers are taken to be spread evenly. Beyond the last bound nothing is known but that it was passed, so
    /// the bound is told.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn percentile_ms(&self, part: f64) -> Option<f64> {
        let all = self.count();
        if all == 0 {
            return None;
        }
        let rank = part.clamp(0.0, 1.0) * all as f64;
        let (mut before, mut lower) = (0.0, 0.0);
        for (count, bound) in self.0.iter().zip(BOUNDS_MS) {
            let (count, upper) = (*count as f64, f64::from(bound));
            if count > 0.0 && before + count >= rank {
                return Some(lower + (upper - lower) * ((rank - before) / count).clamp(0.0, 1.0));
            }
            before += count;
            lower = upper;
        }
        Some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        durations.iter().for_each(|duration| histogram.add(*duration));
        histogram
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_that_ends_there() {
        for (number, bound) in BOUNDS_MS.iter().enumerate() {
            let bound = u64::from(*bound);
            for (duration, bucket) in [(bound, number), (bound + 1, number + 1)] {
                assert_eq!(of(&[duration]).0[bucket], 1, "{duration}");
            }
        }
        assert_eq!(of(&[0, u64::MAX]).0, {
            let mut wanted = [0; BUCKETS];
            (wanted[0], wanted[BUCKETS - 1]) = (1, 1);
            wanted
        });
    }

    #[test]
    fn percentiles_lie_where_they_do() {
        assert_eq!(of(&[]).percentile_ms(0.5), None);
        // A hundred answers between 10 and 20 ms, taken to be spread evenly.
        let even = of(&[15; 100]);
        assert_eq!(even.percentile_ms(0.5), Some(15.0));
        assert_eq!(even.percentile_ms(1.0), Some(20.0));
        // One of ten is slow: the median does not see it, the 95th does.
        let mut slow = vec![3; 9];
        slow.push(1_500);
        let slow = of(&slow);
        assert!(slow.percentile_ms(0.5).unwrap() <= 5.0);
        assert_eq!(slow.percentile_ms(0.95), Some(1_500.0));
        // Empty buckets on the way are passed over.
        assert_eq!(of(&[1, 25_000]).percentile_ms(0.5), Some(5.0));
        assert_eq!(of(&[60_000]).percentile_ms(0.5), Some(30_000.0), "the last bound");
    }

    #[test]
    fn a_percentile_is_in_the_bucket_of_the_true_one() {
        let durations: Vec<u64> = (0..1_000).map(|number| number * number % 40_009).collect();
        let histogram = of(&durations);
        let mut sorted = durations;
        sorted.sort_unstable();
        for (part, place) in [(0.5, 499), (0.95, 949), (0.99, 989)] {
            let truth = sorted[place];
            let told = histogram.percentile_ms(part).unwrap();
            let bucket = |ms: f64| BOUNDS_MS.iter().position(|bound| ms <= f64::from(*bound));
            assert_eq!(
                bucket(told),
                bucket(truth.min(30_000) as f64),
                "{part}: {told} and {truth}"
            );
        }
    }

    #[test]
    fn sums_are_as_if_all_had_been_counted_together() {
        let mut sum = of(&[1, 30, 700]);
        sum.add_all(&of(&[2, 40_000]));
        assert_eq!(sum, of(&[1, 30, 700, 2, 40_000]));
        assert_eq!(sum.count(), 5);
    }
}
