//! How much and how often: what one request may hold, and how many may come.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hookline_common::endpoint::Rate;
use hookline_common::ids::CompanyId;

/// The largest body, in bytes. An endpoint with all its headers takes less than half of it.
pub(crate) const MAX_BODY_BYTES: usize = 256 << 10;

/// Requests without a good token that one address may make a second, and at once: enough for whoever tries all routes without one,
/// many times over. Nothing is looked up for those that have no token or a mistyped one, and the others are counted below as well.
const STRANGERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
const STRANGERS_AT_ONCE: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
/// Tokens that one address may have looked up in the database a second, and at once. One that was
/// good a while ago is not counted, so that whoever makes tokens up behind the same proxy keeps nobody out who was in, and the
/// database no busier than this, which is a hundredth of what it can.
const LOOKUPS_PER_SECOND: NonZeroU32 = NonZeroU32::new(200).unwrap();
const LOOKUPS_AT_ONCE: NonZeroU32 = NonZeroU32::new(400).unwrap();
/// What a company may do that stands in its audit, which is kept for ever: so much at once, which sets all its endpoints up
/// several times over, and then one every six seconds. In a year that is 5 million lines, some gigabytes, at the worst.
const DEEDS_AT_ONCE: NonZeroU32 = NonZeroU32::new(100).unwrap();
const DEED_EVERY: Duration = Duration::from_secs(6);
/// What it may send again or discard one by one, as scripts do with all of an afternoon's: each leaves a line as well, so that
/// these are 30 million in a year at the worst.
const SINGLES_AT_ONCE: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
const SINGLES_PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();
/// Certificates that a company may have played at once, and after how long one more: enough for whoever mends a receiver and
/// looks again, and thirty-four requests a minute in the long run, which no receiver feels.
const CERTIFICATES_AT_ONCE: NonZeroU32 = NonZeroU32::new(10).unwrap();
const CERTIFICATE_EVERY: Duration = Duration::from_secs(60);
/// Test events that a company may have sent at once, and then a second: so that whoever sets endpoints up notices nothing, and
/// nobody has this platform ask a receiver much.
const TESTS_AT_ONCE: NonZeroU32 = NonZeroU32::new(60).unwrap();
const TESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();
/// After so many keys those are forgotten that have not been asked for lately.
const REMEMBERED: usize = 10_000;

/// How often who may ask.
pub(crate) struct Rates {
    tokens: DefaultKeyedRateLimiter<String>,
    strangers: DefaultKeyedRateLimiter<IpAddr>,
    lookups: DefaultKeyedRateLimiter<IpAddr>,
    deeds: DefaultKeyedRateLimiter<CompanyId>,
    singles: DefaultKeyedRateLimiter<CompanyId>,
    certificates: DefaultKeyedRateLimiter<CompanyId>,
    tests: DefaultKeyedRateLimiter<CompanyId>,
    clock: DefaultClock,
}

impl Rates {
    pub(crate) fn new(per_token: Rate) -> Self {
        let strangers = Quota::per_second(STRANGERS_PER_SECOND).allow_burst(STRANGERS_AT_ONCE);
        let lookups = Quota::per_second(LOOKUPS_PER_SECOND).allow_burst(LOOKUPS_AT_ONCE);
        let deeds = Quota::with_period(DEED_EVERY).unwrap_or(Quota::per_minute(DEEDS_AT_ONCE));
        let singles = Quota::per_second(SINGLES_PER_SECOND).allow_burst(SINGLES_AT_ONCE);
        let certificates =
            Quota::with_period(CERTIFICATE_EVERY).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        let tests = Quota::per_second(TESTS_PER_SECOND).allow_burst(TESTS_AT_ONCE);
        Self {
            tests: RateLimiter::keyed(tests),
            certificates: RateLimiter::keyed(certificates.allow_burst(CERTIFICATES_AT_ONCE)),
            lookups: RateLimiter::keyed(lookups),
            singles: RateLimiter::keyed(singles),
            deeds: RateLimiter::keyed(deeds.allow_burst(DEEDS_AT_ONCE)),
            tokens: RateLimiter::keyed(quota(per_token)),
            strangers: RateLimiter::keyed(strangers),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request with this token, or a further event of one; where it is one too many, how long to wait.
    pub(crate) fn token(&self, id: &str) -> Result<(), Duration> {
        self.count(&self.tokens, &id.to_owned())
    }

    /// Counts a request without a good token.
    pub(crate) fn stranger(&self, address: IpAddr) -> Result<(), Duration> {
        self.count(&self.strangers, &network(address))
    }

    /// Counts a token that the database is asked for, and that nobody here has seen to be good.
    pub(crate) fn lookup(&self, address: IpAddr) -> Result<(), Duration> {
        self.count(&self.lookups, &network(address))
    }

    /// Counts what a company does that stands in its audit.
    pub(crate) fn deed(&self, company: &CompanyId) -> Result<(), Duration> {
        self.count(&self.deeds, company)
    }

    /// Counts what a company does to a single delivery, and that stands in its audit.
    pub(crate) fn single(&self, company: &CompanyId) -> Result<(), Duration> {
        self.count(&self.singles, company)
    }

    /// Counts a certificate of one of its endpoints, whoever asks for it.
    pub(crate) fn certificate(&self, company: &CompanyId) -> Result<(), Duration> {
        self.count(&self.certificates, company)
    }

    /// Counts a test event to one of its endpoints, whoever sends it.
    pub(crate) fn test_event(&self, company: &CompanyId) -> Result<(), Duration> {
        self.count(&self.tests, company)
    }

    fn count<K: Hash + Eq + Clone>(
        &self,
        limiter: &DefaultKeyedRateLimiter<K>,
        key: &K,
    ) -> Result<(), Duration> {
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        let refused = limiter.check_key(key);
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
    fn a_company_may_change_so_much_at_once_and_then_slowly() {
        let rates = Rates::new(Rate::parse("1000/s").unwrap());
        let (acme, globex) = (
            CompanyId::parse("acme").unwrap(),
            CompanyId::parse("globex").unwrap(),
        );
        let taken = (0..150).filter(|_| rates.deed(&acme).is_ok()).count();
        assert!((100..105).contains(&taken), "{taken}");
        assert!(rates.deed(&acme).unwrap_err() <= DEED_EVERY);
        assert!(rates.deed(&globex).is_ok());
        // Single deliveries are counted apart.
        let taken = (0..2_000).filter(|_| rates.single(&acme).is_ok()).count();
        assert!((1_000..1_100).contains(&taken), "{taken}");
        assert!(rates.single(&acme).unwrap_err() <= Duration::from_secs(1));
        assert!(rates.single(&globex).is_ok());
        let played = (0..20).filter(|_| rates.certificate(&acme).is_ok()).count();
        assert!((10..12).contains(&played), "{played}");
        assert!(rates.certificate(&globex).is_ok());
        let sent = (0..1_000).filter(|_| rates.test_event(&acme).is_ok()).count();
        assert!((60..65).contains(&sent), "{sent}");
        assert!(rates.test_event(&globex).is_ok());
    }

    #[test]
    fn an_address_has_so_many_tokens_looked_up_and_others_have_their_own() {
        let rates = Rates::new(Rate::parse("1000/s").unwrap());
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let asked = (0..100_000).filter(|_| rates.lookup(one).is_ok()).count();
        assert!((400..20_000).contains(&asked), "{asked}");
        assert!(rates.lookup(one).is_err() && rates.lookup(other).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_stranger() {
        let rates = Rates::new(Rate::parse("1/s").unwrap());
        let refused = (0..3_000).filter(|number| {
            let address = format!("2001:db8::{number:x}").parse().unwrap();
            rates.stranger(address).is_err()
        });
        let refused = refused.count();
        assert!((1_000..=2_000).contains(&refused), "{refused}");
        assert!(rates.stranger("2001:db8:0:1::".parse().unwrap()).is_ok());
    }
}
