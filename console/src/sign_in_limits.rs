//! How often somebody may sign in with a wrong token, and how many lines of the log that is worth: far fewer than programs
//! have, as it is people who type. A right one is never counted: behind a proxy all have one address, and whoever guesses would
//! keep the operator out.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::limits::network;

/// Wrong ones that one address has at once, and after how long it has one more: nobody who mistypes notices. It is no token's
/// safety, which lies in its length: no lifetime of the universe is enough to guess one.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(10).unwrap();
const ONE_MORE_AFTER: Duration = Duration::from_secs(6);
/// After so many addresses those are forgotten that have not tried lately.
const REMEMBERED: usize = 10_000;

/// Lines of the log about wrong ones, of all addresses together, and after how long one more.
const LINES_AT_ONCE: NonZeroU32 = NonZeroU32::new(20).unwrap();
const LINE_EVERY: Duration = Duration::from_secs(6);

/// Tries to sign in with a wrong token, by address.
pub(crate) struct SignInTries {
    tries: DefaultKeyedRateLimiter<IpAddr>,
    lines: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl SignInTries {
    pub(crate) fn new() -> Self {
        let quota = Quota::with_period(ONE_MORE_AFTER).unwrap_or(Quota::per_second(AT_ONCE));
        let lines = Quota::with_period(LINE_EVERY).unwrap_or(Quota::per_second(LINES_AT_ONCE));
        Self {
            lines: RateLimiter::direct(lines.allow_burst(LINES_AT_ONCE)),
            tries: RateLimiter::keyed(quota.allow_burst(AT_ONCE)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a wrong token; where it is one too many, how long to wait.
    pub(crate) fn wrong(&self, address: IpAddr) -> Result<(), Duration> {
        if self.tries.len() > REMEMBERED {
            self.tries.retain_recent();
        }
        let refused = self.tries.check_key(&network(address));
        refused.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Whether the log has room for one more line about it.
    pub(crate) fn is_told(&self) -> bool {
        self.lines.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_and_then_one_every_few_seconds() {
        let tries = SignInTries::new();
        let address = "192.0.2.1".parse().unwrap();
        for _ in 0..10 {
            assert!(tries.wrong(address).is_ok());
        }
        let wait = tries.wrong(address).unwrap_err();
        assert!(
            wait > Duration::from_secs(3) && wait <= ONE_MORE_AFTER,
            "{wait:?}"
        );
        assert!(tries.wrong("192.0.2.2".parse().unwrap()).is_ok());
        let told = (0..1_000).filter(|_| tries.is_told()).count();
        assert!((20..25).contains(&told), "{told}");
    }
}
