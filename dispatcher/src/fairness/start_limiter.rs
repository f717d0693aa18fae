//! How many attempts of one working queue begin at once: as many as keep the processors busy, and no more.
//!
//! A queue that has thousands of messages ready would otherwise begin as many requests as its window is wide, in the
//! same moment. They would answer no sooner, and whatever comes by another queue meanwhile would stand behind them.
//! Requests that have not ended after a moment wait for their receiver and keep no processor busy: they count no longer,
//! so the limiter holds nobody back for an endpoint that is slow. Where the receiver is known to take a while, a request counts no
//! longer than until it waits for the first time, for its connection or for the answer.
//!
//! What falls due, all of it at once perhaps, is narrower still while fresh deliveries begin beside it, so that these
//! hardly notice. While none do, there is nobody to give way to, and a narrow limiter would only be slow: a handful of
//! requests in a moment are less than a few quick receivers take.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{self, Notify};
use tokio::time::{Instant, timeout};

/// How long anybody waits where it is full: none of those inside counts any longer then. With 2 ms a burst for slow receivers would
/// begin sooner, and a backlog for quick ones drains at 0.94 of the rate: where the processors are busy, a request that only waits for
/// them takes as long.
const MOMENT: Duration = Duration::from_millis(5);
/// A request that has not ended by then waits for its receiver, and counts no longer whether it is full or not: a few that hang now and
/// then must not add up until somebody waits for them. It is longer than one takes that waits for busy processors; with [`MOMENT`] a
/// backlog drains at 0.93 of the rate.
const COUNTS_FOR: Duration = Duration::from_millis(20);
/// So long after a fresh delivery began, the next one is still to be expected: four a second are a trickle. Longer than what falls
/// due at once delays the fresh ones: a limiter that took that for their end would widen, and delay them more.
const FRESH: Duration = Duration::from_millis(250);

/// Lets the intake of one working queue begin attempts.
pub struct StartLimiter {
    max: usize,
    /// So many while one of these limiters begins attempts.
    beside: Option<(usize, Vec<Arc<StartLimiter>>)>,
    inside: Mutex<Inside>,
    /// Whose turn it is to ask for a permit.
    asking: sync::Mutex<()>,
    /// Half of the permits are free.
    freed: Notify,
}

/// The permits that count.
#[derive(Default)]
struct Inside {
    /// When each was given, in their order, and whether it is out.
    given: VecDeque<(Instant, bool)>,
    /// The number of the first of them.
    first: u64,
    /// How many are out.
    permits: usize,
    begun: Option<Instant>,
    /// Those that somebody holds, whether they count or not.
    #[cfg(test)]
    held: usize,
}

impl Inside {
    /// Counts those out that were given so long ago.
    fn expire(&mut self, now: Instant, age: Duration) {
        while let Some((given, is_out)) = self.given.front()
            && *given + age <= now
        {
            self.permits -= usize::from(*is_out);
            self.given.pop_front();
            self.first += 1;
        }
    }

    fn give(&mut self, now: Instant) -> u64 {
        self.given.push_back((now, true));
        self.permits += 1;
        self.begun = Some(now);
        #[cfg(test)]
        {
            self.held += 1;
        }
        self.first + self.given.len() as u64 - 1
    }

    /// Counts one out, unless it counts no longer.
    fn take_back(&mut self, number: u64) -> bool {
        let place = number
            .checked_sub(self.first)
            .and_then(|place| usize::try_from(place).ok());
        let Some((_, is_out)) = place.and_then(|place| self.given.get_mut(place)) else {
            return false;
        };
        *is_out = false;
        self.permits -= 1;
        true
    }
}

/// Leave to begin one attempt; counts until it is dropped or it is clear that it waits for its receiver.
pub struct Permit {
    limiter: Arc<StartLimiter>,
    number: u64,
}

impl Permit {
    /// Does `work`, and counts only until that waits for the first time; to its end while it gives way to others, who notice each
    /// answer as well.
    pub async fn until_it_waits<W: Future>(self, work: W) -> W::Output {
        let mut permit = Some(self);
        let mut work = pin!(work);
        poll_fn(|context| {
            let polled = work.as_mut().poll(context);
            permit = permit
                .take()
                .filter(|permit| permit.limiter.gives_way(Instant::now()));
            polled
        })
        .await
    }
}

/// Whether an attempt may begin as far as the processors go.
pub enum Leave {
    /// It may.
    Given(Permit),
    /// It has to ask for a permit before it does.
    Needed(Arc<StartLimiter>),
    /// It is one of few, and needs none.
    Free,
}

impl Leave {
    /// Gives the permit to others while this one waits for something else: it has to ask anew.
    #[must_use]
    pub fn give_back(self) -> Self {
        match self {
            Self::Given(permit) => Self::Needed(Arc::clone(&permit.limiter)),
            other => other,
        }
    }

    /// Waits for a permit, where one is needed.
    pub async fn permit(self) -> Option<Permit> {
        match self {
            Self::Given(permit) => Some(permit),
            Self::Needed(limiter) => Some(limiter.acquire().await),
            Self::Free => None,
        }
    }
}

impl StartLimiter {
    /// A limiter with so many permits.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Self::with(max, None)
    }

    /// A limiter with so many permits, and only `max_beside` while one of `fresh` begins attempts.
    #[must_use]
    pub fn giving_way(max: usize, max_beside: usize, fresh: Vec<Arc<Self>>) -> Arc<Self> {
        Self::with(max, Some((max_beside, fresh)))
    }

    fn with(max: usize, beside: Option<(usize, Vec<Arc<Self>>)>) -> Arc<Self> {
        Arc::new(Self {
            max,
            beside,
            inside: Mutex::default(),
            asking: sync::Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Waits for a permit, for a moment at most: what is inside then has shown that it waits for others.
    pub async fn acquire(self: &Arc<Self>) -> Permit {
        // One after the other: many that found it full in the same moment would all begin when that is over.
        let _turn = self.asking.lock().await;
        let max = self.max(Instant::now());
        if self.counted(COUNTS_FOR) >= max && timeout(MOMENT, self.half_free(max)).await.is_err() {
            self.counted(Duration::ZERO);
        }
        let number = self.lock().give(Instant::now());
        Permit {
            limiter: Arc::clone(self),
            number,
        }
    }

    /// How many permits somebody holds.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.lock().held
    }

    /// How many are out, once those that are so old are counted out.
    fn counted(&self, age: Duration) -> usize {
        let mut inside = self.lock();
        inside.expire(Instant::now(), age);
        inside.permits
    }

    fn max(&self, now: Instant) -> usize {
        match &self.beside {
            Some((beside, _)) if self.gives_way(now) => *beside,
            _ => self.max,
        }
    }

    /// Whether others begin attempts beside it to which it gives way.
    fn gives_way(&self, now: Instant) -> bool {
        let others = self.beside.as_ref().map(|(_, fresh)| fresh);
        others.is_some_and(|fresh| fresh.iter().any(|limiter| limiter.is_active(now)))
    }

    fn is_active(&self, now: Instant) -> bool {
        let begun = self.lock().begun;
        begun.is_some_and(|begun| now.saturating_duration_since(begun) < FRESH)
    }

    /// Whoever waits is woken once for many, since waking costs about as much as a request.
    async fn half_free(&self, max: usize) {
        while self.lock().permits > max / 2 {
            self.freed.notified().await;
        }
    }

    /// A panic elsewhere leaves a count that is still sound: every change under the lock is whole.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut inside = self.limiter.lock();
        #[cfg(test)]
        {
            inside.held -= 1;
        }
        if !inside.take_back(self.number) {
            return;
        }
        let beside = self.limiter.beside.as_ref().map(|(beside, _)| *beside / 2);
        if inside.permits == self.limiter.max / 2 || Some(inside.permits) == beside {
            self.limiter.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_it_full_waits_until_half_of_it_is_free() {
        let limiter = StartLimiter::new(4);
        let mut permits = Vec::new();
        for _ in 0..4 {
            permits.push(limiter.acquire().await);
        }
        let acquiring = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move { limiter.acquire().await }
        });
        tokio::task::yield_now().await;
        permits.pop();
        tokio::task::yield_now().await;
        assert!(!acquiring.is_finished());
        permits.pop();
        let since = Instant::now();
        assert!(acquiring.await.is_ok());
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_holds_nobody_back_for_longer_than_a_moment() {
        let limiter = StartLimiter::new(2);
        let since = Instant::now();
        let mut permits = Vec::new();
        for _ in 0..6 {
            permits.push(limiter.acquire().await);
        }
        assert_eq!(since.elapsed(), MOMENT * 2);
        // Those that count no longer leave without being counted.
        permits.drain(..4);
        assert_eq!(limiter.lock().permits, 2);
        permits.clear();
        assert_eq!(limiter.lock().permits, 0);
    }

    /// A few that hang now and then are no reason for anybody to wait, however many have come together.
    #[tokio::test(start_paused = true)]
    async fn what_hangs_and_began_long_ago_keeps_nobody_waiting() {
        let limiter = StartLimiter::new(4);
        let mut hung = Vec::new();
        for _ in 0..100 {
            let since = Instant::now();
            hung.push(limiter.acquire().await);
            drop(limiter.acquire().await);
            assert_eq!(since.elapsed(), Duration::ZERO);
            tokio::time::advance(COUNTS_FOR / 2).await;
        }
        assert!(limiter.lock().given.len() < 10);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_known_to_take_a_while_counts_until_it_waits() {
        let limiter = StartLimiter::new(2);
        let since = Instant::now();
        let mut works = Vec::new();
        for _ in 0..6 {
            let permit = limiter.acquire().await;
            let mut work = Box::pin(permit.until_it_waits(std::future::pending::<()>()));
            assert!((&mut work).now_or_never().is_none());
            works.push(work);
        }
        assert_eq!(since.elapsed(), Duration::ZERO);
        assert_eq!(limiter.acquire().await.until_it_waits(async { 5 }).await, 5);
        let never_begun = limiter.acquire().await.until_it_waits(async { 5 });
        assert_eq!(limiter.counted(COUNTS_FOR), 1);
        drop(never_begun);
        assert_eq!((limiter.counted(COUNTS_FOR), limiter.held()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_that_ask_in_the_same_moment_no_more_begin_than_there_are_permits() {
        let limiter = StartLimiter::new(2);
        let since = Instant::now();
        let begin = || async {
            let permit = limiter.acquire().await;
            (permit, since.elapsed())
        };
        let begun = futures_util::future::join_all((0..6).map(|_| begin())).await;
        let moments: Vec<_> = begun
            .iter()
            .map(|(_, at)| at.as_millis() / MOMENT.as_millis())
            .collect();
        assert_eq!(moments, [0, 0, 1, 1, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_gives_its_permit_back_has_to_ask_anew() {
        let limiter = StartLimiter::new(2);
        let leave = Leave::Given(limiter.acquire().await).give_back();
        assert_eq!(limiter.lock().permits, 0);
        let permit = leave.permit().await;
        assert_eq!(limiter.lock().permits, 1);
        drop(permit);
        assert!(Leave::Free.give_back().permit().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_gives_way_only_while_something_fresh_begins() {
        let fresh = StartLimiter::new(64);
        let due = StartLimiter::giving_way(64, 8, vec![Arc::clone(&fresh)]);
        let begin = async |count: usize| {
            let since = Instant::now();
            let mut permits = Vec::new();
            for _ in 0..count {
                permits.push(due.acquire().await);
            }
            since.elapsed()
        };
        // Beside something fresh it is not enough that it waits.
        let waits = async |limiter: &Arc<StartLimiter>| {
            let permit = limiter.acquire().await;
            let mut work = Box::pin(permit.until_it_waits(std::future::pending::<()>()));
            assert!((&mut work).now_or_never().is_none());
            let counted = limiter.counted(COUNTS_FOR);
            drop(work);
            counted
        };
        assert_eq!(waits(&due).await, 0);
        drop(fresh.acquire().await);
        assert_eq!(waits(&due).await, 1);
        assert_eq!(waits(&fresh).await, 0);
        tokio::time::advance(FRESH).await;
        // Alone: 64 in each moment.
        assert_eq!(begin(128).await, MOMENT);
        drop(fresh.acquire().await);
        assert_eq!(begin(32).await, MOMENT * 3);
        tokio::time::advance(FRESH).await;
        assert_eq!(begin(64).await, Duration::ZERO);
    }
}
