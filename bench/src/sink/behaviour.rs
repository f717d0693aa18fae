//! What a path asks the sink to do: `/now/c1-0`, `/after-50/c1-0`, `/hang-20000-20/c1-0`; the endpoint stands last.

use std::borrow::Cow;
use std::fmt;

/// How an endpoint's requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 200 at once.
    Now,
    /// 200 after so many milliseconds.
    After(u64),
    /// 500 up to this attempt, then 200.
    Fail(u32),
    /// No answer, for longer than anyone waits.
    Hang,
    /// No answer for a while from the first request on; then 200 to all, and from then on after a shorter time each.
    HangFor {
        /// How long the hang is.
        hang_ms: u64,
        /// How long an answer takes after it.
        then_ms: u64,
    },
    /// 200 at once for so many milliseconds from the first request on; then no answer any more, to no endpoint of this
    /// behaviour: they are on one host, and it hangs.
    HangAfter(u64),
    /// 200 to so many requests a second, and 429 with `Retry-After: 1` beyond.
    Limit(u32),
    /// 200 to so many requests a second, and 503 without a word more beyond.
    Busy(u32),
}

impl Behaviour {
    /// Behaviour and endpoint of a path.
    pub(super) fn of_path(path: &str) -> Option<(Self, &str)> {
        let (behaviour, endpoint) = path.strip_prefix('/')?.split_once('/')?;
        let mut parts = behaviour.split('-');
        let name = parts.next()?;
        let numbers: Option<Vec<u32>> = parts.map(|number| number.parse().ok()).collect();
        let behaviour = match (name, numbers?.as_slice()) {
            ("now", []) => Self::Now,
            ("after", [ms]) => Self::After(u64::from(*ms)),
            ("fail", [up_to]) => Self::Fail(*up_to),
            ("hang", []) => Self::Hang,
            ("hang", [hang_ms, then_ms]) => Self::HangFor {
                hang_ms: u64::from(*hang_ms),
                then_ms: u64::from(*then_ms),
            },
            ("ill", [ms]) => Self::HangAfter(u64::from(*ms)),
            ("limit", [rate]) => Self::Limit(*rate),
            ("busy", [rate]) => Self::Busy(*rate),
            _ => return None,
        };
        Some((behaviour, endpoint))
    }

    /// Who remembers what came before: the endpoint, or the host that all of this behaviour share. Nobody where an answer
    /// does not depend on it, which is so wherever speed is measured.
    pub(super) fn receiver(self, endpoint: &str) -> Cow<'static, str> {
        match self {
            Self::Now | Self::After(_) | Self::Fail(_) | Self::Hang => Cow::Borrowed(""),
            Self::HangAfter(_) => Cow::Borrowed("the shared host"),
            Self::HangFor { .. } | Self::Limit(_) | Self::Busy(_) => Cow::Owned(endpoint.to_owned()),
        }
    }
}

/// As it stands in a path.
impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::After(ms) => write!(f, "after-{ms}"),
            Self::Fail(up_to) => write!(f, "fail-{up_to}"),
            Self::Hang => f.write_str("hang"),
            Self::HangFor { hang_ms, then_ms } => write!(f, "hang-{hang_ms}-{then_ms}"),
            Self::HangAfter(ms) => write!(f, "ill-{ms}"),
            Self::Limit(rate) => write!(f, "limit-{rate}"),
            Self::Busy(rate) => write!(f, "busy-{rate}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_it_was_written() {
        for behaviour in [
            Behaviour::Now,
            Behaviour::After(5000),
            Behaviour::Fail(1),
            Behaviour::Hang,
            Behaviour::HangFor {
                hang_ms: 20_000,
                then_ms: 20,
            },
            Behaviour::HangAfter(2000),
            Behaviour::Limit(50),
            Behaviour::Busy(50),
        ] {
            let path = format!("/{behaviour}/c12-3");
            assert_eq!(Behaviour::of_path(&path), Some((behaviour, "c12-3")));
        }
        for bad in [
            "",
            "/",
            "/now",
            "/now-1/c1-0",
            "/later/c1-0",
            "/after-x/c1-0",
            "/hang-1/c1-0",
        ] {
            assert_eq!(Behaviour::of_path(bad), None, "{bad}");
        }
    }
}
