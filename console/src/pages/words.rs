//! Times, counts and texts from outside, as people read them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// So long ago, or in so long, with the exact time beside it. A script keeps it true while the page stands open.
pub(super) fn time(at: Timestamp) -> Markup {
    let exact = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) title=(exact) data-time { (relative(at, Timestamp::now())) }
    }
}

/// A time that is told by the clock and stays as it is, however long the page stands open.
pub(super) fn fixed(at: Timestamp, format: &str) -> Markup {
    let exact = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) title=(exact) { (at.strftime(format)) }
    }
}

/// The time itself, to the millisecond.
pub(super) fn exact(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

/// A time as people write one, in UTC, as the API wants it; anything else as it is.
pub(super) fn moment(text: &str) -> String {
    if text.parse::<Timestamp>().is_ok() {
        return text.to_owned();
    }
    let civil = text.trim_end_matches("UTC").trim_end().parse::<DateTime>().ok();
    let at = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
    at.map_or_else(|| text.to_owned(), |at| at.timestamp().to_string())
}

/// `3 min ago`, `in 4 h`.
fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let distance = seconds.unsigned_abs();
    // What lasts a day ends in 24 h, and not in 23.
    let whole = |unit: u64| match seconds {
        1.. => distance / unit,
        _ => distance.div_ceil(unit),
    };
    let amount = match distance {
        0..5 if seconds >= 0 => return "just now".to_owned(),
        0..5 => return "now".to_owned(),
        5..60 => format!("{distance} s"),
        60..3600 => format!("{} min", whole(60)),
        3600..172_800 => format!("{} h", whole(3600)),
        _ => format!("{} days", whole(86_400)),
    };
    if seconds > 0 {
        format!("{amount} ago")
    } else {
        format!("in {amount}")
    }
}

/// An id, shortened in the middle: ids that were made one after the other differ at their end.
pub(super) fn shortened(id: &str) -> String {
    let count = id.chars().count();
    if count <= 18 {
        return id.to_owned();
    }
    let start: String = id.chars().take(8).collect();
    let end: String = id.chars().skip(count - 6).collect();
    format!("{start}…{end}")
}

/// `1 endpoint`, `1,204 endpoints`.
pub(super) fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// `1,204`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Text from outside, with everything seen that could play tricks: control characters as their pictures, and what would turn
/// the direction of text, or hide in it, by its number. Markup is escaped by whoever writes it into a page.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut seen, c| {
            match c {
                '\n' | '\t' => seen.push(c),
                '\u{7f}' => seen.push('\u{2421}'),
                '\0'..='\u{1f}' => seen.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
                '\u{80}'..='\u{9f}'
                | '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}' => seen.push_str(&format!("<U+{:04X}>", u32::from(c))),
                other => seen.push(other),
            }
            seen
        })
}

/// JSON over several lines, and any other text as it is, both visible.
pub(super) fn pretty(text: &str) -> String {
    let parsed = serde_json::from_str::<&serde_json::value::RawValue>(text);
    let is_structure = text.trim_start().starts_with(['{', '[']);
    match parsed {
        Ok(_) if is_structure => visible(&indented(text)),
        _ => visible(text),
    }
}

/// Valid JSON with its members in their order, and every token as it was written. Of what is cut short, as much as there is.
pub(super) fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut rest = text.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth.min(64)));
    };
    while let Some(c) = rest.next() {
        if in_string {
            out.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(end) = rest.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// What begins small, as what follows a colon, as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    let mut sentence = first.unwrap_or_default() + characters.as_str();
    if !sentence.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (seconds, told) in [
            (0, "just now"),
            (-4, "just now"),
            (4, "now"),
            (-5, "5 s ago"),
            (-61, "1 min ago"),
            (-7200, "2 h ago"),
            (-172_800, "2 days ago"),
            (90, "in 2 min"),
            (86_399, "in 24 h"),
            (86_400, "in 24 h"),
            (172_801, "in 3 days"),
        ] {
            let at = Timestamp::from_second(1_000_000 + seconds).unwrap();
            assert_eq!(relative(at, now), told, "{seconds}");
        }
    }

    #[test]
    fn an_exact_time_has_its_milliseconds() {
        let at: Timestamp = "2030-01-15T14:30:05.250Z".parse().unwrap();
        assert_eq!(exact(at), "2030-01-15 14:30:05.250 UTC");
    }

    #[test]
    fn a_fixed_time_is_left_alone_by_scripts() {
        let at = "2030-01-15T14:30:05Z".parse().unwrap();
        let told = fixed(at, "%b %-d, %H:%M UTC").into_string();
        assert!(told.ends_with(">Jan 15, 14:30 UTC</time>"), "{told}");
        assert!(!told.contains("data-time"), "{told}");
    }

    #[test]
    fn a_long_id_keeps_its_beginning_and_its_end() {
        assert_eq!(shortened("evt_01a2b3c4d5e666629b"), "evt_01a2…66629b");
        assert_eq!(shortened("ep_0123456789abcde"), "ep_0123456789abcde");
        assert_eq!(shortened("äöüäöüäöüäöüäöüäöüä"), "äöüäöüäö…öüäöüä");
    }

    #[test]
    fn counts_have_their_plural_and_their_commas() {
        assert_eq!(count(0, "endpoint"), "0 endpoints");
        assert_eq!(count(1, "endpoint"), "1 endpoint");
        assert_eq!(count(1_204, "endpoint"), "1,204 endpoints");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    #[test]
    fn what_hides_or_turns_text_is_seen() {
        assert_eq!(visible("a\u{202e}b\u{1b}[31m\r\n\u{0}"), "a<U+202E>b␛[31m␍\n␀");
        assert_eq!(visible("Grüße, 世界"), "Grüße, 世界");
    }

    #[test]
    fn json_is_laid_out_with_every_token_as_it_was() {
        let text = r#"{"b":1.0,"a":[{},[ ],"x,{\"\\"],"c":{"d":null}}"#;
        let laid_out = "{\n  \"b\": 1.0,\n  \"a\": [\n    {},\n    [],\n    \"x,{\\\"\\\\\"\n  ],\n  \"c\": {\n    \"d\": null\n  }\n}";
        assert_eq!(pretty(text), laid_out);
        assert_eq!(pretty("no {json}"), "no {json}");
        assert_eq!(pretty("{\"a\":"), "{\"a\":");
    }

    #[test]
    fn a_problem_becomes_a_sentence() {
        assert_eq!(sentence("the body is too long"), "The body is too long.");
        assert_eq!(sentence("Why?"), "Why?");
        assert_eq!(sentence(""), ".");
    }
}
