//! Untrusted text on a terminal: nothing in it may move the cursor, hide, or turn the reading direction.

/// `text` with everything that a terminal would obey, or a reader not see, written out.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// Control characters (ESC and the C1 set among them), and those of no width or that turn the direction.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` in at most `width` characters; what is cut off leaves a `…`.
pub(crate) fn fit(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// JSON on one line: the same text without the whitespace between its tokens.
pub(crate) fn compact(json: &str) -> String {
    tokens(json)
        .filter(|(c, in_string)| *in_string || !c.is_ascii_whitespace())
        .map(|(c, _)| c)
        .collect()
}

/// JSON on one line for programs, whose output may end on a terminal all the same: what that would obey is written as JSON's own
/// escapes, which are the same value. Nothing else of it is changed.
pub(crate) fn json_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in compact(json).chars() {
        let mut buffer = [0; 4];
        let text: &str = c.encode_utf8(&mut buffer);
        if escape(text) == text {
            line.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    line
}

/// How much of a JSON text is shown to people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Lines at most.
    pub(crate) lines: usize,
    /// Characters of a line at most.
    pub(crate) width: usize,
    /// Objects and lists within each other at most; what is deeper is a `…`.
    pub(crate) depth: usize,
}

impl Bounds {
    /// Deeper than any data that people write. Each level costs a line as many characters more, so that there is always a
    /// bound of it.
    const MAX_DEPTH: usize = 40;

    /// The first `lines` lines, each as wide as it is.
    pub(crate) const fn lines(lines: usize) -> Self {
        Self {
            lines,
            width: usize::MAX,
            depth: Self::MAX_DEPTH,
        }
    }
}

/// JSON over many lines for people: the same text with other whitespace. No number, no escape and no order is
/// changed, as they would be by reading and writing it. Beyond the bounds it is cut, with a `…`.
pub(crate) fn indent(json: &str, bounds: Bounds) -> Vec<String> {
    let (mut lines, mut line, mut depth) = (Vec::new(), String::new(), 0_usize);
    let mut left = tokens(json)
        .filter(|(c, in_string)| *in_string || !c.is_ascii_whitespace())
        .peekable();
    while let Some((c, in_string)) = left.next() {
        if lines.len() >= bounds.lines {
            lines.push("…".to_owned());
            return lines;
        }
        let next = left.peek().map(|(next, _)| *next);
        if depth > bounds.depth {
            match c {
                _ if in_string => {}
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                _ => {}
            }
            if depth > bounds.depth {
                continue;
            }
            line.push('…');
            line.push(c);
            continue;
        }
        let mut break_line = |line: &mut String, depth: usize| {
            let done = std::mem::replace(line, "  ".repeat(depth));
            lines.push(fit(&done, bounds.width));
        };
        match c {
            _ if in_string => line.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
            '{' | '[' if matches!(next, Some('}' | ']')) => line.push(c),
            '{' | '[' => {
                line.push(c);
                depth += 1;
                if depth <= bounds.depth {
                    break_line(&mut line, depth);
                }
            }
            '}' | ']' if line.ends_with(['{', '[']) => line.push(c),
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut line, depth);
                line.push(c);
            }
            ',' => {
                line.push(c);
                break_line(&mut line, depth);
            }
            ':' => line.push_str(": "),
            c => line.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    lines.push(fit(&line, bounds.width));
    lines
}

/// The characters of a JSON text, and whether each stands in a string (its quotes do).
fn tokens(json: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut in_string, mut is_escaped) = (false, false);
    json.chars().map(move |c| {
        let was_in_string = in_string;
        match c {
            '"' if !is_escaped => in_string = !in_string,
            _ => {}
        }
        is_escaped = in_string && c == '\\' && !is_escaped;
        (c, was_in_string || in_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(
            escape("a\x1b[2J\u{9b}b\n\u{202e}c"),
            "a\\u{1b}[2J\\u{9b}b\\n\\u{202e}c"
        );
        assert_eq!(escape("Zoë 你好 🎉"), "Zoë 你好 🎉");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(fit("Zoë你好", 5), "Zoë你好");
        assert_eq!(fit("Zoë你好!", 5), "Zoë你…");
        assert_eq!(fit("ab", 0), "…");
    }

    #[test]
    fn json_changes_nothing_but_its_whitespace() {
        let json = "{ \"a\" : [1.0, 1e3,\n{}] ,\"b\":\"x \\\" { \\\\\" , \"c\":[ ] }";
        assert_eq!(
            compact(json),
            "{\"a\":[1.0,1e3,{}],\"b\":\"x \\\" { \\\\\",\"c\":[]}"
        );
        let lines = [
            "{",
            "  \"a\": [",
            "    1.0,",
            "    1e3,",
            "    {}",
            "  ],",
            "  \"b\": \"x \\\" { \\\\\",",
            "  \"c\": []",
            "}",
        ];
        assert_eq!(indent(json, Bounds::lines(100)), lines);
        assert_eq!(indent(json, Bounds::lines(2)), ["{", "  \"a\": [", "…"]);
    }

    #[test]
    fn deep_json_is_cut_where_it_is_too_deep_and_goes_on_behind() {
        let bounds = Bounds {
            depth: 2,
            ..Bounds::lines(100)
        };
        assert_eq!(
            indent("{\"a\":[{\"x\":[\"]\"]},1,{}],\"b\":2}", bounds),
            [
                "{",
                "  \"a\": [",
                "    {…},",
                "    1,",
                "    {}",
                "  ],",
                "  \"b\": 2",
                "}"
            ]
        );
        for hostile in [
            "[".repeat(100_000),
            format!("{{\"a\":{}1", "[{\"b\":".repeat(20_000)),
        ] {
            let lines = indent(&hostile, Bounds::lines(1000));
            let bytes: usize = lines.iter().map(String::len).sum();
            assert!(lines.len() < 100 && bytes < 10_000, "{} {bytes}", lines.len());
        }
        let balanced = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(indent(&balanced, Bounds::lines(1000)).len(), 2 * 40 + 1);
    }

    #[test]
    fn wide_lines_are_cut() {
        let bounds = Bounds {
            width: 10,
            ..Bounds::lines(100)
        };
        let json = format!("{{\"a\":\"{}\",\"b\":1}}", "x".repeat(1000));
        assert_eq!(indent(&json, bounds), ["{", "  \"a\": \"x…", "  \"b\": 1", "}"]);
    }

    #[test]
    fn what_is_no_json_is_still_harmless() {
        for text in ["", "}}}]]]", "\"\\", "{\x1b[0m", "[[[[", "\u{9b}"] {
            assert!(
                indent(text, Bounds::lines(10))
                    .iter()
                    .all(|line| !line.contains('\x1b') && !line.contains('\u{9b}')),
                "{text}"
            );
        }
    }

    #[test]
    fn json_keeps_its_value_and_moves_no_cursor() {
        let plain = "{\"b\":1.0,\"a\":\"Zo\u{eb} \\n\"}";
        assert_eq!(json_line(plain), plain);
        let hostile = "{\"a\":\"\u{9b}2J\u{202e}\u{e0001}\"}";
        let line = json_line(hostile);
        assert!(line.is_ascii(), "{line}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&line), value(hostile));
    }
}
