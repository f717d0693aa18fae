//! How long a receiver keeps a connection on which nothing happens: `Keep-Alive: timeout=5`, as Node.js and Apache say it. A request
//! that crosses its end on the way is lost, and nobody can tell whether it was read. Pure.

use std::time::Duration;

use hyper::HeaderMap;

/// How long an idle connection is kept where its receiver names no shorter time.
pub(super) const IDLE: Duration = Duration::from_secs(30);
/// How much sooner than its receiver we let go of it: what a request is on its way, and more.
const MARGIN: Duration = Duration::from_secs(1);

/// How long a connection may be idle after an answer with these headers: not at all where that is a second or less. The shortest
/// time counts where there are several; what is none is passed over.
pub(super) fn idle_time(headers: &HeaderMap) -> Duration {
    let values = headers.get_all("keep-alive").iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(timeout)
        .map(|timeout| timeout.saturating_sub(MARGIN))
        .fold(IDLE, Duration::min)
}

fn timeout(parameter: &str) -> Option<Duration> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("timeout") {
        return None;
    }
    let seconds = value.trim().trim_matches('"').trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn after(values: &[&[u8]]) -> Duration {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("keep-alive", HeaderValue::from_bytes(value).unwrap());
        }
        idle_time(&headers)
    }

    #[test]
    fn what_a_receiver_says_counts_less_a_second_and_up_to_half_a_minute() {
        for (value, seconds) in [
            ("timeout=5", 4),
            ("timeout=5, max=1000", 4),
            ("max=1000,timeout=5", 4),
            ("Timeout = 5", 4),
            ("timeout=\"5\"", 4),
            ("timeout=5; max=100", 4),
            ("x, timeout=5, y=z=timeout, =, ,", 4),
            ("timeout=20, timeout=10", 9),
            ("timeout=31", 30),
            ("timeout=75", 30),
            ("timeout=18446744073709551615", 30),
            ("timeout=2", 1),
            ("timeout=1", 0),
            ("timeout=0", 0),
        ] {
            assert_eq!(
                after(&[value.as_bytes()]),
                Duration::from_secs(seconds),
                "{value}"
            );
        }
        assert_eq!(
            after(&[b"timeout=20", b"max=3", b"timeout=6"]),
            Duration::from_secs(5)
        );
    }

    #[test]
    fn what_is_no_time_counts_for_nothing() {
        assert_eq!(after(&[]), IDLE);
        for value in [
            &b""[..],
            b"timeout",
            b"timeout=",
            b"timeout=-1",
            b"timeout=5.5",
            b"timeout=5s",
            b"timeout=five",
            b"timeout=18446744073709551616",
            b"timeouts=5",
            b"max=5",
            b"5",
            b"timeout=5\xff",
        ] {
            assert_eq!(after(&[value]), IDLE, "{value:?}");
        }
    }
}
