//! When to say that a collector takes nothing: at the first failure, and then once a minute with what was lost since. Pure:
//! time is a parameter.

use std::time::{Duration, Instant};

/// The time between two lines: a collector that is away for an hour is an hour's matter, and not one of each export.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Traces,
    Metrics,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// What has been lost and not been told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Spans that no collector has.
    pub(crate) spans: u64,
    /// Exports of metrics that no collector has. The next one makes up for them but for the time between.
    pub(crate) metric_exports: u64,
}

/// What happened to exports, and what of it has been told.
#[derive(Debug, Default)]
pub(super) struct Losses {
    untold: Lost,
    told_at: Option<Instant>,
    /// Of traces and of metrics: whether people think that they are not taken.
    told_failing: [bool; 2],
}

impl Losses {
    /// An export failed, or was lost before it began. Returns what to tell now, if it is time to.
    pub(super) fn failed(&mut self, kind: Kind, lost: Lost, now: Instant) -> Option<Lost> {
        self.untold.spans += lost.spans;
        self.untold.metric_exports += lost.metric_exports;
        if !self.is_time(now) {
            return None;
        }
        self.told_failing[kind as usize] = true;
        Some(self.tell(now))
    }

    /// An export was taken. Returns what to tell where people still think otherwise, if it is time to.
    pub(super) fn succeeded(&mut self, kind: Kind, now: Instant) -> Option<Lost> {
        if !self.told_failing[kind as usize] || !self.is_time(now) {
            return None;
        }
        self.told_failing[kind as usize] = false;
        Some(self.tell(now))
    }

    /// What was lost and never told, at the end.
    pub(super) fn rest(&mut self) -> Lost {
        std::mem::take(&mut self.untold)
    }

    fn is_time(&self, now: Instant) -> bool {
        self.told_at
            .is_none_or(|told_at| now.saturating_duration_since(told_at) >= BETWEEN_LINES)
    }

    fn tell(&mut self, now: Instant) -> Lost {
        self.told_at = Some(now);
        self.rest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPANS: Lost = Lost {
        spans: 10,
        metric_exports: 0,
    };

    fn spans(count: u64) -> Option<Lost> {
        Some(Lost {
            spans: count,
            metric_exports: 0,
        })
    }

    #[test]
    fn the_first_failure_is_told_at_once_and_then_one_line_a_minute_has_all_that_was_lost() {
        let start = Instant::now();
        let mut losses = Losses::default();
        let told: Vec<_> = (0..=24)
            .filter_map(|export| {
                let now = start + Duration::from_secs(5 * export);
                losses.failed(Kind::Traces, SPANS, now)
            })
            .collect();
        assert_eq!(
            told,
            [spans(10), spans(120), spans(120)].map(Option::unwrap_or_default)
        );
        assert_eq!(losses.rest(), Lost::default());
    }

    #[test]
    fn traces_and_metrics_share_the_line() {
        let start = Instant::now();
        let mut losses = Losses::default();
        let metrics = Lost {
            spans: 0,
            metric_exports: 1,
        };
        assert_eq!(losses.failed(Kind::Traces, SPANS, start), spans(10));
        assert_eq!(losses.failed(Kind::Metrics, metrics, start), None);
        assert_eq!(losses.failed(Kind::Traces, SPANS, start), None);
        let both = Lost {
            spans: 10,
            metric_exports: 1,
        };
        assert_eq!(losses.rest(), both);
        assert_eq!(losses.rest(), Lost::default());
    }

    #[test]
    fn recovery_is_told_once_where_failure_was_and_no_sooner_than_a_line_may_be() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut losses = Losses::default();
        assert_eq!(losses.succeeded(Kind::Traces, at(0)), None);
        assert_eq!(losses.failed(Kind::Traces, SPANS, at(5)), spans(10));
        assert_eq!(losses.failed(Kind::Traces, SPANS, at(10)), None);
        assert_eq!(
            losses.succeeded(Kind::Metrics, at(70)),
            None,
            "nobody thinks otherwise"
        );
        assert_eq!(losses.succeeded(Kind::Traces, at(15)), None);
        assert_eq!(losses.succeeded(Kind::Traces, at(65)), spans(10));
        assert_eq!(losses.succeeded(Kind::Traces, at(200)), None);
    }
}
