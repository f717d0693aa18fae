//! At most one line a second: a broker that is away is worth one, not five, and what was left out is counted in the next.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Lines about connections, over all links that share it.
#[derive(Debug, Default)]
pub(super) struct LineLimit(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    told_at: Option<Instant>,
    left_out: u64,
}

impl LineLimit {
    /// Whether a line may be written: how many were left out since the last one then; else this one is left out.
    pub(super) fn may_tell(&self, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines
            .told_at
            .is_some_and(|at| now.duration_since(at) < TELL_EVERY)
        {
            lines.left_out += 1;
            return None;
        }
        lines.told_at = Some(now);
        Some(std::mem::take(&mut lines.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_told_or_counted_in_the_next() {
        let lines = LineLimit::default();
        let start = Instant::now();
        let after = |ms| lines.may_tell(start + Duration::from_millis(ms));
        assert_eq!(
            [
                after(0),
                after(1),
                after(999),
                after(1000),
                after(1999),
                after(2500),
                after(9000)
            ],
            [Some(0), None, None, Some(2), None, Some(1), Some(0)]
        );
    }
}
