//! How long a stop may take, part by part. The sum is what `terminationGracePeriodSeconds` needs.

use std::time::Duration;

use hookline_common::{stderr, telemetry};

/// What the drain may take beyond the longest request: settling what it answered, and writing the records.
pub const DRAIN_MARGIN: Duration = Duration::from_secs(4);
/// What asking for nothing more, giving the rest back and closing the connections may take; a broker that answers takes
/// milliseconds. With what the process takes to end it is five seconds.
pub const CLOSE_WITHIN: Duration = Duration::from_millis(4_700);

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
        let longest = longest(Duration::from_secs(30));
        assert_eq!(longest.as_secs_f64().ceil(), 42.0, "{longest:?}");
    }
}
