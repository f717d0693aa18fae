//! What is wrong with a file, and where.

use std::ops::Range;

use super::lines::Lines;

/// One fault of a file. Its text holds no value of the file, because any may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(*.line, .noun, .entry.as_deref(), .key.as_deref()))]
pub struct FileFault {
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What the file holds: `endpoint`.
    pub noun: &'static str,
    /// The entry's id, or `#2` for the second one where it has no valid id.
    pub entry: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// What is wrong and what is allowed.
    pub problem: String,
}

fn place(line: Option<usize>, noun: &str, entry: Option<&str>, key: Option<&str>) -> String {
    let line = line.map(|line| format!("line {line}: "));
    let entry = entry.map(|entry| format!("{noun} {entry}: "));
    let key = key.map(|key| format!("{key}: "));
    [line, entry, key].into_iter().flatten().collect()
}

/// The faults found so far in one text.
pub(super) struct Faults {
    lines: Lines,
    noun: &'static str,
    found: Vec<FileFault>,
}

impl Faults {
    pub(super) fn new(text: &str, noun: &'static str) -> Self {
        Self {
            lines: Lines::of(text),
            noun,
            found: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.lines.line(span)
    }

    pub(super) fn add(
        &mut self,
        span: Option<Range<usize>>,
        entry: Option<&str>,
        key: Option<&str>,
        problem: impl Into<String>,
    ) {
        self.found.push(FileFault {
            line: span.map(|span| self.line(&span)),
            noun: self.noun,
            entry: entry.map(str::to_owned),
            key: key.map(shown),
            problem: problem.into(),
        });
    }

    /// A fault of the TOML itself. Only the parser's message is taken: its full text quotes the line.
    pub(super) fn add_syntax(&mut self, error: &toml::de::Error) {
        let problem = format!("this is not TOML: {}", error.message());
        self.add(error.span(), None, None, problem);
    }

    pub(super) fn into_sorted(mut self) -> Vec<FileFault> {
        self.found.sort_by_key(|fault| fault.line);
        self.found
    }
}

/// A key as it may be printed: a stranger's line breaks and lengths stay out of logs.
fn shown(key: &str) -> String {
    key.chars().take(40).flat_map(char::escape_debug).collect()
}
