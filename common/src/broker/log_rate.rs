//! How fast the stream of attempts grows, and how long its bound holds that. Pure.

use std::time::Duration;

/// How fast the stream grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRate {
    /// Bytes on the disk of one replica.
    pub bytes: u64,
    /// In this time.
    pub over: Duration,
}

impl LogRate {
    /// Bytes a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.over.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// For how long `max_bytes` of stream hold what comes at this rate; the bound by age is not looked at.
    #[must_use]
    pub fn holds(&self, max_bytes: u64) -> Duration {
        let nanoseconds = self.over.as_nanos() * u128::from(max_bytes) / u128::from(self.bytes.max(1));
        Duration::from_secs(u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_says_how_long_a_bound_holds() {
        let rate = LogRate {
            bytes: 460_000 * 300,
            over: Duration::from_secs(300),
        };
        assert!((rate.bytes_per_second() - 460_000.0).abs() < 1.0);
        assert_eq!(rate.holds(10_000_000_000).as_secs(), 21_739);
        let nothing = LogRate {
            bytes: 0,
            over: Duration::ZERO,
        };
        assert_eq!(nothing.holds(u64::MAX), Duration::ZERO);
    }
}
