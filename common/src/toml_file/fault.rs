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

/// What is wrong with a file: the first of its faults, and how many there are. A file may be wrong in each of its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFaults {
    /// In the order of their lines; of one line, as they were found.
    first: Vec<FileFault>,
    count: usize,
    is_cut_short: bool,
}

impl FileFaults {
    /// How many are kept: more than somebody mends before the file is looked at again.
    pub const KEPT: usize = 100;

    /// The first of them, in the order of their lines.
    #[must_use]
    pub fn first(&self) -> &[FileFault] {
        &self.first
    }

    /// How many there are, of which not all may be kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The same in words: `3`, or `at least 3` where what follows was not looked at any more.
    #[must_use]
    pub fn how_many(&self) -> String {
        let least = if self.is_cut_short { "at least " } else { "" };
        format!("{least}{}", self.count)
    }

    /// How many there are besides the first ones.
    #[must_use]
    pub fn more(&self) -> usize {
        self.count - self.first.len()
    }

    /// A text for each that is kept, and one that says how many there are besides.
    pub fn told(&self) -> impl Iterator<Item = String> {
        let more = Some(self.more()).filter(|more| *more > 0);
        let rest = more.map(|more| format!("and {more} more"));
        self.first.iter().map(ToString::to_string).chain(rest)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn add(&mut self, fault: FileFault) {
        self.count += 1;
        let place = self.first.partition_point(|kept| kept.line <= fault.line);
        if place < Self::KEPT {
            self.first.insert(place, fault);
            self.first.truncate(Self::KEPT);
        }
    }
}

impl FromIterator<FileFault> for FileFaults {
    fn from_iter<I: IntoIterator<Item = FileFault>>(faults: I) -> Self {
        let mut all = Self::default();
        faults.into_iter().for_each(|fault| all.add(fault));
        all
    }
}

/// The faults found so far in one text.
pub(super) struct Faults {
    lines: Lines,
    noun: &'static str,
    found: FileFaults,
}

impl Faults {
    pub(super) fn new(text: &str, noun: &'static str) -> Self {
        Self {
            lines: Lines::of(text),
            noun,
            found: FileFaults::default(),
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
        self.found.add(FileFault {
            line: span.map(|span| self.lines.line(&span)),
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

    /// Not all of the text is looked at.
    pub(super) fn cut_short(&mut self) {
        self.found.is_cut_short = true;
    }

    pub(super) fn into_found(self) -> FileFaults {
        self.found
    }
}

/// A key as it may be printed: a stranger's line breaks and lengths stay out of logs.
fn shown(key: &str) -> String {
    key.chars().take(40).flat_map(char::escape_debug).collect()
}
