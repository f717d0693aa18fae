//! How much and how often: what one request may hold, and how many may come.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hookline_common::endpoint::Rate;

/// The largest body, in bytes. An endpoint with all its headers takes less than half of it.
pub(crate) const MAX_BODY_BYTES: usize = 256 << 10;

/// Requests without a good token that one address may make a second, and at once: enough for a person who mistypes.
const STRANGERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();
const STRANGERS_AT_ONCE: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// After so many keys those are forgotten that have not been asked for lately.
const REMEMBERED: usize = 10_000;

/// How often who may ask.
pub(crate) struct Rates {
    tokens: DefaultKeyedRateLimiter<String>,
    strangers: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Rates {
    pub(crate) fn new(per_token: Rate) -> Self {
        let strangers = Quota::per_second(STRANGERS_PER_SECOND).allow_burst(STRANGERS_AT_ONCE);
        Self {
            tokens: RateLimiter::keyed(quota(per_token)),
            strangers: RateLimiter::keyed(strangers),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request with this token; where it is one too many, how long to wait.
    pub(crate) fn token(&self, id: &str) -> Result<(), Duration> {
        if self.tokens.len() > REMEMBERED {
            self.tokens.retain_recent();
        }
        let refused = self.tokens.check_key(&id.to_owned());
        refused.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Counts a request without a good token.
    pub(crate) fn stranger(&self, address: IpAddr) -> Result<(), Duration> {
        if self.strangers.len() > REMEMBERED {
            self.strangers.retain_recent();
        }
        let refused = self.strangers.check_key(&network(address));
        refused.map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

/// A second's worth at once, and one at least.
fn quota(rate: Rate) -> Quota {
    let each = Duration::from_secs_f64(1.0 / rate.per_second());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is from 1/h to 100000/s"
    )]
    let burst = NonZeroU32::new(rate.per_second().ceil() as u32).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(each)
        .unwrap_or(Quota::per_second(burst))
        .allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_seconds_worth_at_once_and_others_have_their_own() {
        let rates = Rates::new(Rate::parse("3/m").unwrap());
        assert!(rates.token("a").is_ok());
        let wait = rates.token("a").unwrap_err();
        assert!(
            wait > Duration::from_secs(18) && wait <= Duration::from_secs(20),
            "{wait:?}"
        );
        assert!(rates.token("b").is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_stranger() {
        let rates = Rates::new(Rate::parse("1/s").unwrap());
        let refused = (0..30).filter(|number| {
            let address = format!("2001:db8::{number:x}").parse().unwrap();
            rates.stranger(address).is_err()
        });
        assert!(refused.count() >= 9);
        assert!(rates.stranger("2001:db8:0:1::".parse().unwrap()).is_ok());
    }
}
