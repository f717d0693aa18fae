//! How many attempts an endpoint takes in a while.

use std::fmt;
use std::str::FromStr;

/// A rate that an endpoint's owner has asked not to be exceeded: so many attempts a second, minute or hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// In thousandths, so that `0.5/s` stays what was written.
    thousandths: u32,
    per: Per,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }
}

impl Rate {
    /// An endpoint that takes less than one attempt an hour could not even be served its retries.
    const MIN_PER_HOUR_THOUSANDTHS: u64 = 1000;
    /// Beyond what any receiver takes, so that more is a slip of the pen: 100,000 a second.
    const MAX_PER_HOUR_THOUSANDTHS: u64 = 100_000 * 3600 * 1000;

    /// Reads `50/s`, `90/m`, `1000/h` or `0.5/s`: a number with at most three decimals, and per what.
    ///
    /// # Errors
    /// [`InvalidRate`] says what is allowed; the rate must be from 1/h to 100000/s.
    pub fn parse(text: &str) -> Result<Self, InvalidRate> {
        let (number, unit) = text.split_once('/').ok_or(InvalidRate)?;
        let per = Per::ALL.into_iter().find(|per| per.as_str() == unit);
        let rate = Self {
            thousandths: thousandths(number).ok_or(InvalidRate)?,
            per: per.ok_or(InvalidRate)?,
        };
        let per_hour = u64::from(rate.thousandths) * u64::from(3600 / rate.per.seconds());
        if (Self::MIN_PER_HOUR_THOUSANDTHS..=Self::MAX_PER_HOUR_THOUSANDTHS).contains(&per_hour) {
            Ok(rate)
        } else {
            Err(InvalidRate)
        }
    }

    /// Attempts a second; always above zero.
    #[must_use]
    pub fn per_second(self) -> f64 {
        f64::from(self.thousandths) / 1000.0 / f64::from(self.per.seconds())
    }
}

/// `12.5` as 12500; `None` for anything but digits with at most three more after a point.
fn thousandths(number: &str) -> Option<u32> {
    let (whole, decimals) = match number.split_once('.') {
        Some((whole, decimals)) if (1..=3).contains(&decimals.len()) => (whole, decimals),
        Some(_) => return None,
        None => (number, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(decimals) {
        return None;
    }
    format!("{whole}{decimals:0<3}").parse().ok()
}

/// As it was written, without zeros that say nothing.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.thousandths / 1000)?;
        let decimals = format!("{:03}", self.thousandths % 1000);
        let decimals = decimals.trim_end_matches('0');
        if !decimals.is_empty() {
            write!(f, ".{decimals}")?;
        }
        write!(f, "/{}", self.per.as_str())
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        Self::parse(text)
    }
}

/// A text that is no [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a rate must be a number (at most three decimals) per s, m or h, from 1/h to 100000/s: 50/s, 90/m, 0.5/s"
)]
pub struct InvalidRate;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_rate_is_a_number_per_second_minute_or_hour() {
        for (text, per_second) in [
            ("50/s", 50.0),
            ("0.5/s", 0.5),
            ("90/m", 1.5),
            ("1000/h", 1000.0 / 3600.0),
            ("1/h", 1.0 / 3600.0),
            ("100000/s", 100_000.0),
            ("0.017/m", 0.017 / 60.0),
        ] {
            let rate = Rate::parse(text).unwrap();
            assert!((rate.per_second() / per_second - 1.0).abs() < 1e-9, "{text}");
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!(Rate::parse("007.50/s").unwrap().to_string(), "7.5/s");
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "50",
            "/s",
            "50/",
            "50/S",
            "50/d",
            "50 /s",
            " 50/s",
            "50/s ",
            "-1/s",
            "+1/s",
            "1e3/s",
            ".5/s",
            "5./s",
            "0.0005/s",
            "0/s",
            "0.000/s",
            "0.999/h",
            "0.016/m",
            "100000.001/s",
            "99999999999/s",
            "1/s/s",
            "1,5/s",
            "NaN/s",
            "inf/s",
            "٣/s",
        ] {
            assert_eq!(Rate::parse(bad), Err(InvalidRate), "{bad}");
        }
    }
}
