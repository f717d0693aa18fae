//! Whether what a page shows has changed since: a script that keeps it up to date leaves it alone otherwise.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hookline_store::LoggedDelivery;

/// How often such a page asks, in seconds: people wait for an attempt that they have just asked for.
pub(super) const RENEWED_EVERY_S: u32 = 3;

/// The same text for deliveries that stand as they stood.
pub(super) fn version<'a>(deliveries: impl Iterator<Item = &'a LoggedDelivery>, more: usize) -> String {
    let mut hasher = DefaultHasher::new();
    for delivery in deliveries {
        delivery.event.as_str().hash(&mut hasher);
        delivery.endpoint.as_str().hash(&mut hasher);
        delivery.status.as_str().hash(&mut hasher);
        delivery.attempts.hash(&mut hasher);
        let times = [delivery.last_attempt_at, delivery.next_attempt_at];
        times
            .map(|at| at.map(jiff::Timestamp::as_microsecond))
            .hash(&mut hasher);
    }
    more.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
