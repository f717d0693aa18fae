//! How often somebody may try to sign in: far less often than programs may show a wrong token, as it is people who type.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::limits::network;

/// Tries that one address has at once, and after how long it has one more: nobody who mistypes notices, and whoever guesses
/// has ten thousand a day for what no lifetime of the universe is enough.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(10).unwrap();
const ONE_MORE_AFTER: Duration = Duration::from_secs(6);
/// After so many addresses those are forgotten that have not tried lately.
const REMEMBERED: usize = 10_000;

/// Tries to sign in, by address.
pub(crate) struct SignInTries {
    tries: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl SignInTries {
    pub(crate) fn new() -> Self {
        let quota = Quota::with_period(ONE_MORE_AFTER).unwrap_or(Quota::per_second(AT_ONCE));
        Self {
            tries: RateLimiter::keyed(quota.allow_burst(AT_ONCE)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a try; where it is one too many, how long to wait.
    pub(crate) fn count(&self, address: IpAddr) -> Result<(), Duration> {
        if self.tries.len() > REMEMBERED {
            self.tries.retain_recent();
        }
        let refused = self.tries.check_key(&network(address));
        refused.map_err(|until| until.wait_time_from(self.clock.now()))
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
            assert!(tries.count(address).is_ok());
        }
        let wait = tries.count(address).unwrap_err();
        assert!(
            wait > Duration::from_secs(3) && wait <= ONE_MORE_AFTER,
            "{wait:?}"
        );
        assert!(tries.count("192.0.2.2".parse().unwrap()).is_ok());
    }
}
