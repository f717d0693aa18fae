//! What a receiver writes into `Retry-After`: seconds, a date, or anything at all.

use std::time::Duration;

use hookline_cases::{Mutations, Random, lines, mutated, run};
use hookline_common::retry_after::parse;
use jiff::Timestamp;

const CORPUS: &str = include_str!("corpus/retry_after.txt");
const WORDS: [&str; 16] = [
    "Mon, ",
    "Sun",
    "Feb",
    "29",
    "31",
    "23:59:59",
    ":60",
    "GMT",
    "UTC",
    "+0000",
    "9999",
    "0000",
    "1970",
    "(",
    "%",
    "99999999999999999999",
];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// What is longer is neither a number of seconds nor a date, and not even looked at.
const MOST_LETTERS: usize = 64;
/// The last second that a date can name.
const END_OF_TIME: i64 = 253_402_300_799;

#[test]
fn fuzz_retry_after_is_seconds_or_a_date_or_nothing() {
    let corpus = lines(CORPUS);
    run(
        "Retry-After",
        10_000,
        &["too long", "seconds", "a date", "ignored"],
        |random| {
            let now = Timestamp::from_second(random.below(4_102_444_800) as i64).unwrap();
            let value = match random.below(4) {
                0 => date(random),
                1 => (random.next() >> random.below(64)).to_string(),
                _ => mutated(
                    random,
                    &corpus,
                    Mutations {
                        words: &WORDS,
                        max_bytes: 200,
                    },
                ),
            };
            let trimmed = value.trim_matches([' ', '\t']);
            let read = parse(&value, now);
            let is_number = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
            if trimmed.len() > MOST_LETTERS {
                assert_eq!(read, None, "{value:?}");
                "too long"
            } else if is_number {
                let seconds = trimmed.parse().unwrap_or(u64::MAX);
                assert_eq!(read, Some(Duration::from_secs(seconds)), "{value:?}");
                "seconds"
            } else if let Some(at) = second_of(trimmed) {
                let wait = u64::try_from(at - now.as_second()).ok().map(Duration::from_secs);
                assert_eq!(read, wait, "{value:?} at {now}");
                "a date"
            } else if let Some(wait) = read {
                // Dates that are written a little otherwise may be understood, but not as anything else than a date.
                let until = now.as_second() + i64::try_from(wait.as_secs()).unwrap();
                assert!(
                    until <= END_OF_TIME && trimmed.ends_with("GMT"),
                    "{value:?} at {now}: {wait:?}"
                );
                "nearly a date"
            } else {
                "ignored"
            }
        },
    );
}

/// A date that there is, in the one spelling that servers may use.
fn date(random: &mut Random) -> String {
    let second = random.below(usize::try_from(END_OF_TIME).unwrap()) as i64;
    let (days, rest) = (second / 86_400, second % 86_400);
    let (year, month, day) = civil(days);
    let name = DAYS[usize::try_from((days + 3) % 7).unwrap()];
    let month = MONTHS[month - 1];
    format!(
        "{name}, {day:02} {month} {year:04} {:02}:{:02}:{:02} GMT",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// The second of such a date, by the calendar's rule alone.
fn second_of(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse::<i64>().ok())?
    };
    let shape =
        text.len() == 29 && text.get(3..5)? == ", " && text.get(7..8)? == " " && text.get(11..12)? == " ";
    let shape = shape
        && text.get(16..17)? == " "
        && text.get(19..20)? == ":"
        && text.get(22..23)? == ":"
        && text.get(25..)? == " GMT";
    let (day, year) = (number(5, 7)?, number(12, 16)?);
    let month = MONTHS.iter().position(|month| text.get(8..11) == Some(month))?;
    let (hour, minute, second) = (number(17, 19)?, number(20, 22)?, number(23, 25)?);
    if !shape || hour > 23 || minute > 59 || second > 59 || year < 1970 {
        return None;
    }
    let days = days_before(year, month + 1) + day - 1;
    // The day must be one of its month, and be called what it is.
    let is_right = civil(days) == (year, month + 1, day)
        && text.get(..3) == Some(DAYS[usize::try_from((days + 3) % 7).ok()?]);
    is_right.then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970 to the first of this month.
fn days_before(year: i64, month: usize) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let years = year - 1;
    let leap_days = years / 4 - years / 100 + years / 400;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    // 719,162 days lie between the first of January of the year 1 and that of 1970.
    years * 365 + leap_days + BEFORE[month - 1] + i64::from(is_leap && month > 2) - 719_162
}

/// Year, month and day of a day since 1970.
fn civil(days: i64) -> (i64, usize, i64) {
    let mut year = 1970 + days / 366;
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12)
        .rev()
        .find(|month| days_before(year, *month) <= days)
        .unwrap_or(1);
    (year, month, days - days_before(year, month) + 1)
}

#[test]
fn the_calendar_of_this_test_is_the_right_one() {
    for (text, second) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Tue, 29 Feb 2000 12:00:01 GMT", Some(951_825_601)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(END_OF_TIME)),
        ("Mon, 29 Feb 2100 00:00:00 GMT", None),
        ("Fri, 01 Jan 1970 00:00:00 GMT", None),
    ] {
        assert_eq!(second_of(text), second, "{text}");
    }
    assert_eq!(
        second_of(&date(&mut Random::new(1))).map(|second| second > 0),
        Some(true)
    );
}
