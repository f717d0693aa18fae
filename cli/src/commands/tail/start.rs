//! Where to begin. Pure.

use hookline_common::broker::StreamStart;
use hookline_common::settings::parse;
use jiff::Timestamp;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    First,
    Next,
    Since(Timestamp),
}

pub(super) fn start(text: &str) -> Result<Start, String> {
    start_at(text, Timestamp::now())
}

fn start_at(text: &str, now: Timestamp) -> Result<Start, String> {
    let ago = |duration| now.checked_sub(duration).ok();
    match text {
        "first" => Ok(Start::First),
        "next" => Ok(Start::Next),
        text => parse::duration(text)
            .and_then(ago)
            .or_else(|| text.parse().ok())
            .map(Start::Since)
            .ok_or_else(|| {
                "must be a duration like 30m, 2h or 7d, a time like 2030-01-15T14:30:00Z, or first".to_owned()
            }),
    }
}

impl Start {
    pub(super) fn in_the_stream(self) -> StreamStart {
        match self {
            Self::First => StreamStart::First,
            Self::Next => StreamStart::Next,
            // The broker begins with the chunk that holds this second, and what is older is left out here.
            Self::Since(at) => StreamStart::At(u64::try_from(at.as_second()).unwrap_or(0)),
        }
    }

    /// The earliest attempt that is meant, where a time was given.
    pub(super) fn not_before(self) -> Option<Timestamp> {
        match self {
            Self::First | Self::Next => None,
            Self::Since(at) => Some(at),
        }
    }

    /// The earliest attempt of the spill that is meant: unlike the stream, it cannot be read from its end.
    pub(super) fn spilled_since(self, now: Timestamp) -> Timestamp {
        match self {
            Self::First => Timestamp::MIN,
            Self::Next => now,
            Self::Since(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_begins_where_it_is_told() {
        let now: Timestamp = "2030-01-01T00:10:00Z".parse().unwrap();
        let since = |text: &str| Ok(Start::Since(text.parse().unwrap()));
        assert_eq!(start_at("next", now), Ok(Start::Next));
        assert_eq!(start_at("first", now), Ok(Start::First));
        assert_eq!(start_at("5m", now), since("2030-01-01T00:05:00Z"));
        assert_eq!(
            start_at("2029-12-31T00:00:00Z", now),
            since("2029-12-31T00:00:00Z")
        );
        for bad in ["", "last", "5", "yesterday", "99999999999d"] {
            assert!(start_at(bad, now).is_err(), "{bad}");
        }
    }
}
