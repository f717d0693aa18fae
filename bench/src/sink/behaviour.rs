//! What a path asks the sink to do: `/now/c1-0`, `/after-50/c1-0`, `/fail-1/c1-0`, `/hang/c1-0`; the endpoint stands last.

use std::fmt;
use std::time::Duration;

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
}

impl Behaviour {
    /// Behaviour and endpoint of a path.
    pub(super) fn of_path(path: &str) -> Option<(Self, &str)> {
        let (behaviour, endpoint) = path.strip_prefix('/')?.split_once('/')?;
        let (name, number) = match behaviour.split_once('-') {
            Some((name, number)) => (name, number.parse::<u32>().ok()?),
            None => (behaviour, 0),
        };
        let behaviour = match name {
            "now" => Self::Now,
            "after" => Self::After(u64::from(number)),
            "fail" => Self::Fail(number),
            "hang" => Self::Hang,
            _ => return None,
        };
        Some((behaviour, endpoint))
    }

    /// How long it takes to answer attempt `attempt`, and with which status.
    pub(super) fn answer(self, attempt: u32) -> (Duration, u16) {
        match self {
            Self::Now => (Duration::ZERO, 200),
            Self::After(ms) => (Duration::from_millis(ms), 200),
            Self::Fail(up_to) => (Duration::ZERO, if attempt <= up_to { 500 } else { 200 }),
            Self::Hang => (Duration::from_secs(120), 200),
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
        ] {
            let path = format!("/{behaviour}/c12-3");
            assert_eq!(Behaviour::of_path(&path), Some((behaviour, "c12-3")));
        }
        for bad in ["", "/", "/now", "/later/c1-0", "/after-x/c1-0"] {
            assert_eq!(Behaviour::of_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_failing_endpoint_fails_as_often_as_it_says() {
        let statuses = [1, 2, 3].map(|attempt| Behaviour::Fail(2).answer(attempt).1);
        assert_eq!(statuses, [500, 500, 200]);
    }
}
