//! How often somebody may show a session or a link that is nobody's: each is looked up in the database. What is good counts for
//! nothing, so that people are never in each other's way, however many of them a proxy brings.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookline_store::{SessionKey, Share, StoreError};
use moka::sync::Cache;

use crate::limits::network;
use crate::problem::Problem;

/// What a miss costs, and what an address has to spend: 200 a second, and 400 at once, as many as tokens that are looked up.
/// Far fewer, and whoever shows made-up ones through a proxy would keep everybody out who comes through it; with these the
/// database stays a hundredth as busy as it can be.
const A_MISS: Duration = Duration::from_millis(5);
const AT_ONCE: Duration = Duration::from_secs(2);
/// After so many addresses those are forgotten that owe nothing.
const REMEMBERED: usize = 10_000;
/// For how long somebody whose session was good need not wait for what others at the same address have guessed: people stay on a
/// page for minutes. And how many sessions that are at most: a megabyte.
const KNOWN_FOR: Duration = Duration::from_secs(15 * 60);
const MAX_KNOWN: u64 = 10_000;

/// A lookup that goes on: counted at its end where it has an address.
struct Guess<'a> {
    guesses: &'a Guesses,
    address: Option<IpAddr>,
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.guesses.miss(address, Instant::now());
        }
    }
}

/// What each address has guessed wrong: until when that counts. Those that are looked up at the same time are all counted,
/// so that whoever asks for many at once waits the longer.
pub(crate) struct Guesses {
    wrong: Mutex<HashMap<IpAddr, Instant>>,
    /// The hashes of those that were good here a while ago. Each is looked up all the same: it may be over by now.
    known: Cache<[u8; 32], ()>,
    /// What lookups of all others have of the database.
    share: Share,
}

impl Guesses {
    pub(crate) fn new(share: Share) -> Self {
        let known = Cache::builder().max_capacity(MAX_KNOWN);
        Self {
            wrong: Mutex::default(),
            known: known.time_to_live(KNOWN_FOR).build(),
            share,
        }
    }

    /// Looks up what this address shows, unless it has shown too much that was nobody's, and this may be one more.
    pub(crate) async fn look_up<T>(
        &self,
        address: Option<IpAddr>,
        shown: &SessionKey,
        asked: impl Future<Output = Result<Option<T>, StoreError>>,
    ) -> Result<Option<T>, Problem> {
        let hash = shown.hash();
        let is_known = self.known.contains_key(&hash);
        if !is_known && let Some(wait) = address.and_then(|address| self.wait(address, Instant::now())) {
            return Err(Problem::too_many(wait));
        }
        // Counted, too, where whoever shows it hangs up meanwhile.
        let mut guess = Guess {
            guesses: self,
            address: address.filter(|_| !is_known),
        };
        let asked = if is_known {
            asked.await
        } else {
            self.share.clone().hold(asked).await
        };
        guess.address = address.filter(|_| matches!(asked, Ok(None)));
        let found = asked?;
        if found.is_some() {
            self.known.insert(hash, ());
        } else {
            self.known.invalidate(&hash);
        }
        Ok(found)
    }

    /// This one is good, as it was made just now.
    pub(crate) fn made(&self, session: &SessionKey) {
        self.known.insert(session.hash(), ());
    }

    /// How long the address has to wait, if it has to.
    fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let counted = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = counted.get(&network(address))?.saturating_duration_since(now);
        let wait = (owed + A_MISS).saturating_sub(AT_ONCE);
        (wait > Duration::ZERO).then_some(wait)
    }

    fn miss(&self, address: IpAddr, now: Instant) {
        let mut counted = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
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
    use crate::database_shares::DatabaseShares;

    fn key(letter: &str) -> SessionKey {
        SessionKey::parse(&letter.repeat(43)).unwrap()
    }

    #[tokio::test]
    async fn misses_count_and_what_is_good_does_not_and_nothing_is_looked_up_for_who_has_to_wait() {
        let guesses = Guesses::new(DatabaseShares::new().of_strangers());
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let (made_up, good) = (key("x"), key("g"));
        let asked = Cell::new(0);
        let look_up = async |address, shown: &SessionKey, found: Option<()>| {
            let asks = async {
                asked.set(asked.get() + 1);
                Ok(found)
            };
            guesses.look_up(Some(address), shown, asks).await
        };
        for _ in 0..10_000 {
            assert!(look_up(one, &good, Some(())).await.is_ok());
        }
        asked.set(0);
        let mut refused = 0;
        while refused < 100 {
            refused += usize::from(look_up(one, &made_up, None).await.is_err());
            assert!(asked.get() < 100_000, "nobody is refused");
        }
        assert!(asked.get() >= 400, "{}", asked.get());
        assert!(look_up(other, &made_up, None).await.is_ok());
        assert_eq!(
            guesses
                .look_up(None, &made_up, async { Ok(None::<()>) })
                .await
                .ok(),
            Some(None)
        );
    }

    #[tokio::test]
    async fn who_was_let_in_does_not_wait_for_what_others_guess_and_is_looked_up_all_the_same() {
        let guesses = Guesses::new(DatabaseShares::new().of_strangers());
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let look_up = async |shown: &SessionKey, found: Option<()>| {
            guesses.look_up(Some(proxy), shown, async { Ok(found) }).await
        };
        let (seen, unseen, new) = (key("s"), key("u"), key("n"));
        assert_eq!(look_up(&seen, Some(())).await.ok(), Some(Some(())));
        // So many that none of this is over by the end of the test.
        for _ in 0..100_000 {
            guesses.miss(proxy, Instant::now());
        }
        assert!(look_up(&unseen, Some(())).await.is_err());
        assert_eq!(look_up(&seen, Some(())).await.ok(), Some(Some(())));
        guesses.made(&new);
        assert_eq!(look_up(&new, Some(())).await.ok(), Some(Some(())));
        // Once it is over it is one like any other.
        assert_eq!(look_up(&seen, None).await.ok(), Some(None));
        assert!(look_up(&seen, None).await.is_err());
    }

    #[test]
    fn those_that_were_asked_for_at_once_are_all_counted() {
        let (guesses, now) = (Guesses::new(DatabaseShares::new().of_strangers()), Instant::now());
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

    #[tokio::test]
    async fn what_is_shown_by_somebody_who_hangs_up_counts() {
        let guesses = Guesses::new(DatabaseShares::new().of_strangers());
        let (peer, made_up) = (Some(IpAddr::from([10, 0, 0, 1])), key("x"));
        for _ in 0..1_000 {
            let asking = guesses.look_up(
                peer,
                &made_up,
                std::future::pending::<Result<Option<()>, StoreError>>(),
            );
            let hung_up = tokio::time::timeout(Duration::ZERO, asking).await;
            if matches!(hung_up, Ok(Err(_))) {
                return;
            }
        }
        panic!("each is looked up");
    }
}
