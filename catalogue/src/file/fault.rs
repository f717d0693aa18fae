//! What is wrong with a file of event types, and where.

use std::ops::Range;

use hookline_common::endpoints_file::Lines;

/// One fault of a file of event types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(*.line, .event_type.as_deref(), .key.as_deref()))]
pub struct FileFault {
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The type's name, or `#2` for the second one where it has no valid name.
    pub event_type: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// What is wrong and what is allowed.
    pub problem: String,
}

fn place(line: Option<usize>, event_type: Option<&str>, key: Option<&str>) -> String {
    let line = line.map(|line| format!("line {line}: "));
    let event_type = event_type.map(|event_type| format!("event type {event_type}: "));
    let key = key.map(|key| format!("{key}: "));
    [line, event_type, key].into_iter().flatten().collect()
}

/// The faults found so far in one text.
pub(super) struct Faults {
    lines: Lines,
    found: Vec<FileFault>,
}

impl Faults {
    pub(super) fn new(text: &str) -> Self {
        Self {
            lines: Lines::of(text),
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
        event_type: Option<&str>,
        key: Option<&str>,
        problem: impl Into<String>,
    ) {
        self.found.push(FileFault {
            line: span.map(|span| self.line(&span)),
            event_type: event_type.map(str::to_owned),
            key: key.map(shown),
            problem: problem.into(),
        });
    }

    /// A fault of the TOML itself.
    pub(super) fn add_syntax(&mut self, error: &toml::de::Error) {
        let problem = format!("this is not TOML: {}", error.message());
        self.add(error.span(), None, None, problem);
    }

    pub(super) fn into_sorted(mut self) -> Vec<FileFault> {
        self.found.sort_by_key(|fault| fault.line);
        self.found
    }
}

/// A key as it may be printed: no line breaks, and not of any length.
fn shown(key: &str) -> String {
    key.chars().take(40).flat_map(char::escape_debug).collect()
}
