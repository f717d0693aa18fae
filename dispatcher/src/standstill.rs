//! While no request at all gets out, as where the egress proxy is away, only a few are tried from time to time. All that waits would
//! otherwise be begun and set aside again and again, each time with two writes at the broker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The first pause, which is hardly longer than a proxy takes to restart a worker, and the longest: what was set aside meanwhile is
/// back by then.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Whether anything gets out, as the last attempts show.
#[derive(Debug, Default)]
pub(crate) struct Standstill(Mutex<Option<Pause>>);

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    lasts: Duration,
}

impl Standstill {
    /// An attempt could not get out, for a reason that would keep any other in.
    pub(crate) fn met(&self, now: Instant) {
        let mut pause = self.lock();
        let lasts = match *pause {
            // It began before the pause.
            Some(pause) if now < pause.until => return,
            Some(pause) => (pause.lasts * 2).min(PAUSE.1),
            None => PAUSE.0,
        };
        *pause = Some(Pause {
            until: now + lasts,
            lasts,
        });
    }

    /// An attempt got out.
    pub(crate) fn is_over(&self) {
        *self.lock() = None;
    }

    /// For how long nothing is to begin.
    pub(crate) fn lasts(&self, now: Instant) -> Duration {
        self.lock()
            .map_or(Duration::ZERO, |pause| pause.until.saturating_duration_since(now))
    }

    /// A panic elsewhere leaves a pause that is whole.
    fn lock(&self) -> MutexGuard<'_, Option<Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_nothing_gets_out_and_end_with_the_first_that_does() {
        let standstill = Standstill::default();
        let mut now = Instant::now();
        assert_eq!(standstill.lasts(now), Duration::ZERO);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            standstill.met(now);
            let lasts = standstill.lasts(now);
            pauses.push(lasts.as_millis());
            standstill.met(now + lasts / 2);
            assert_eq!(
                standstill.lasts(now),
                lasts,
                "what began before makes it no longer"
            );
            now += lasts;
            assert_eq!(standstill.lasts(now), Duration::ZERO);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000]);
        standstill.met(now);
        standstill.is_over();
        assert_eq!(standstill.lasts(now), Duration::ZERO);
    }
}
