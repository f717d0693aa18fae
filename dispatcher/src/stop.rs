//! How long a stop may take, part by part. The sum is what `terminationGracePeriodSeconds` needs.

use std::time::Duration;

use hookline_common::{stderr, telemetry};

/// What the drain may take beyond the longest request: settling what it answered, and writing the records.
pub const DRAIN_MARGIN: Duration = Duration::from_secs(4);
/// What asking for nothing more, giving the rest back and closing the connections may take; a broker that answers takes
/// milliseconds.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The longest that a stop takes, from the signal to the end of the process, where one attempt takes at most
/// `request_timeout`.
#[must_use]
pub fn longest(request_timeout: Duration) -> Duration {
    request_timeout + DRAIN_MARGIN + CLOSE_WITHIN + telemetry::EXPORT_WITHIN + stderr::FLUSH_WITHIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_stop_fits_into_the_grace_period_that_the_documentation_names() {
        assert_eq!(longest(Duration::from_secs(30)), Duration::from_secs(42));
    }
}
