//! How often somebody may show a session or a link that is nobody's: each is looked up in the database. What is good counts for
//! nothing, so that people are never in each other's way, however many of them a proxy brings.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookline_store::StoreError;

use crate::limits::network;
use crate::problem::Problem;

/// What a miss costs, and what an address has to spend: 200 a second, and 400 at once, as many as tokens that are looked up.
/// Far fewer, and whoever shows made-up ones through a proxy would keep everybody out who comes through it; with these the
/// database stays a hundredth as busy as it can be.
const A_MISS: Duration = Duration::from_millis(5);
const AT_ONCE: Duration = Duration::from_secs(2);
/// After so many addresses those are forgotten that owe nothing.
const REMEMBERED: usize = 10_000;

/// What each address has guessed wrong: until when that counts. Those that are looked up at the same time are all counted,
/// so that whoever asks for many at once waits the longer.
#[derive(Default)]
pub(crate) struct Guesses(Mutex<HashMap<IpAddr, Instant>>);

impl Guesses {
    /// Looks up what this address shows, unless it has shown too much that was nobody's.
    pub(crate) async fn look_up<T>(
        &self,
        address: Option<IpAddr>,
        asked: impl Future<Output = Result<Option<T>, StoreError>>,
    ) -> Result<Option<T>, Problem> {
        if let Some(wait) = address.and_then(|address| self.wait(address, Instant::now())) {
            return Err(Problem::too_many(wait));
        }
        let found = asked.await?;
        if let (None, Some(address)) = (&found, address) {
            self.miss(address, Instant::now());
        }
        Ok(found)
    }

    /// How long the address has to wait, if it has to.
    fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = counted.get(&network(address))?.saturating_duration_since(now);
        let wait = (owed + A_MISS).saturating_sub(AT_ONCE);
        (wait > Duration::ZERO).then_some(wait)
    }

    fn miss(&self, address: IpAddr, now: Instant) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() > REMEMBERED {
            counted.retain(|_, until| *until > now);
        }
        let until = counted.entry(network(address)).or_insert(now);
        *until = (*until).max(now) + A_MISS;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn misses_count_and_what_is_good_does_not_and_nothing_is_looked_up_for_who_has_to_wait() {
        let guesses = Guesses::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let asked = Cell::new(0);
        let look_up = async |address, found: Option<()>| {
            let asks = async {
                asked.set(asked.get() + 1);
                Ok(found)
            };
            guesses.look_up(Some(address), asks).await
        };
        for _ in 0..10_000 {
            assert!(look_up(one, Some(())).await.is_ok());
        }
        asked.set(0);
        let mut refused = 0;
        while refused < 100 {
            refused += usize::from(look_up(one, None).await.is_err());
            assert!(asked.get() < 100_000, "nobody is refused");
        }
        assert!(asked.get() >= 400, "{}", asked.get());
        assert!(look_up(other, None).await.is_ok());
        assert_eq!(
            guesses.look_up(None, async { Ok(None::<()>) }).await.ok(),
            Some(None)
        );
    }

    #[test]
    fn those_that_were_asked_for_at_once_are_all_counted() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let address = "2001:db8::1".parse().unwrap();
        for _ in 0..400 {
            assert_eq!(guesses.wait(address, now), None);
            guesses.miss(address, now);
        }
        assert_eq!(guesses.wait(address, now), Some(A_MISS));
        for _ in 0..200 {
            guesses.miss(address, now);
        }
        // Whoever has one address of a network has them all.
        let neighbour = "2001:db8::2".parse().unwrap();
        assert_eq!(guesses.wait(neighbour, now), Some(A_MISS * 201));
        assert_eq!(guesses.wait(neighbour, now + Duration::from_millis(1_005)), None);
    }
}
