//! While no request at all gets out, as where the egress proxy is away, only a few are tried from time to time. All that waits would
//! otherwise be begun and set aside again and again, each time with two writes at the broker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The first pause, which is hardly longer than a proxy takes to restart a worker, and the longest: what was set aside meanwhile is
/// back by then.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// So many are tried after a pause.
const TRIED: u32 = 8;
/// After so long without a word of those, as many more are: a proxy that is silent keeps each for seconds, and some may have been set aside
/// for a reason of their endpoint's.
const TRY_MORE_AFTER: Duration = Duration::from_secs(2);
/// Where one got out so shortly before, what keeps another in is something between the proxy and its destination, and nobody else waits
/// for that: a proxy may ask for credentials on the way to some of them.
const OUT_LATELY: Duration = Duration::from_millis(250);

/// Whether anything gets out, as the last attempts show.
#[derive(Debug, Default)]
pub(crate) struct Standstill(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pause: Option<Pause>,
    /// When an attempt got out last.
    out: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    lasts: Duration,
    /// How many may be tried from then on.
    tries: u32,
}

impl Standstill {
    /// An attempt could not get out, for a reason that would keep any other in.
    pub(crate) fn met(&self, now: Instant) {
        let mut state = self.lock();
        let lasts = match state.pause {
            // It began before the pause.
            Some(pause) if now < pause.until => return,
            Some(pause) => (pause.lasts * 2).min(PAUSE.1),
            None if state.out.is_some_and(|out| now < out + OUT_LATELY) => return,
            None => PAUSE.0,
        };
        state.pause = Some(Pause {
            until: now + lasts,
            lasts,
            tries: TRIED,
        });
    }

    /// An attempt got out.
    pub(crate) fn is_over(&self, now: Instant) {
        *self.lock() = State {
            pause: None,
            out: Some(now),
        };
    }

    /// Whether one more may be tried.
    pub(crate) fn may_try(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let Some(pause) = &mut state.pause else {
            return true;
        };
        if pause.tries == 0 && now >= pause.until + TRY_MORE_AFTER {
            (pause.until, pause.tries) = (now, TRIED);
        }
        let may = now >= pause.until && pause.tries > 0;
        pause.tries -= u32::from(may);
        may
    }

    /// A panic elsewhere leaves a pause that is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a hundred that ask are tried.
    fn tried(standstill: &Standstill, now: Instant) -> usize {
        (0..100).filter(|_| standstill.may_try(now)).count()
    }

    #[test]
    fn pauses_grow_while_nothing_gets_out_and_end_with_the_first_that_does() {
        let standstill = Standstill::default();
        let mut now = Instant::now();
        assert_eq!(tried(&standstill, now), 100);
        for lasts in [100, 200, 400, 800, 1600, 2000, 2000].map(Duration::from_millis) {
            standstill.met(now);
            standstill.met(now + lasts / 2);
            let over = now + lasts;
            let before = over.checked_sub(Duration::from_millis(1)).unwrap();
            assert_eq!(tried(&standstill, before), 0, "{lasts:?}");
            assert_eq!(
                tried(&standstill, over),
                8,
                "what began before makes it no longer than {lasts:?}"
            );
            now = over;
        }
        standstill.met(now);
        standstill.is_over(now);
        assert_eq!(tried(&standstill, now), 100);
    }

    #[test]
    fn what_keeps_some_in_while_others_get_out_is_no_standstill() {
        let standstill = Standstill::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            standstill.is_over(now);
            standstill.met(now + OUT_LATELY / 2);
            assert_eq!(tried(&standstill, now + OUT_LATELY / 2), 100);
            now += OUT_LATELY;
        }
        standstill.met(now);
        assert_eq!(tried(&standstill, now), 0, "nothing got out since");
    }

    #[test]
    fn where_those_that_are_tried_say_nothing_others_are() {
        let standstill = Standstill::default();
        let now = Instant::now();
        standstill.met(now);
        let over = now + PAUSE.0;
        let at = |seconds| tried(&standstill, over + Duration::from_secs(seconds));
        assert_eq!([0, 1, 2, 3, 4].map(at), [8, 0, 8, 0, 8]);
    }
}
