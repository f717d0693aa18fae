//! One event on one line. Pure; reading and publishing lines is done elsewhere.

use std::io::{self, BufRead};

use hookline_producer::{CompanyId, CreatedAt, Data, Event, EventId, EventType, TraceContext};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest line that is kept: ten times the longest event, for generous whitespace and escapes.
const MAX_BYTES: usize = 1 << 20;

/// A line of a file, counted from 1; too long a one has no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    /// How many bytes of the file are read when this line is.
    pub(super) end: u64,
    bytes: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    company: CompanyId,
    #[serde(rename = "type")]
    event_type: EventType,
    #[serde(borrow)]
    data: &'a RawValue,
    id: Option<EventId>,
}

impl Line {
    /// The event on this line, with data's bytes as they stand there.
    pub(super) fn event(&self) -> Result<Event, String> {
        let bytes = self
            .bytes
            .as_ref()
            .ok_or_else(|| format!("longer than {MAX_BYTES} bytes"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())?;
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| without_line(&error))?;
        let data = Data::new(fields.data.get().to_owned()).map_err(|error| error.to_string())?;
        Ok(Event {
            id: fields.id.unwrap_or_default(),
            company: fields.company,
            event_type: fields.event_type,
            created_at: CreatedAt::now(),
            data,
            trace: TraceContext::default(),
        })
    }
}

/// What is wrong and in which column: the parser's line is always the first, and the file's is told by
/// others.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(what, _)| what);
    format!("{what} (column {})", error.column())
}

/// The lines of a source that are not blank.
pub(super) struct Lines<R> {
    source: R,
    number: u64,
    position: u64,
    is_over: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            number: 0,
            position: 0,
            is_over: false,
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let (length, has_more) = self.read_line(&mut bytes)?;
            if length == 0 && !has_more {
                return Ok(None);
            }
            self.number += 1;
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Line {
                    number: self.number,
                    end: self.position,
                    bytes: (length <= MAX_BYTES).then_some(bytes),
                }));
            }
        }
    }

    /// Reads up to a line break, keeping no more than [`MAX_BYTES`]; says how long the line is, and whether
    /// it ended in a break.
    fn read_line(&mut self, bytes: &mut Vec<u8>) -> io::Result<(usize, bool)> {
        let mut length = 0;
        loop {
            let available = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            let room = MAX_BYTES.saturating_sub(bytes.len()).min(part.len());
            bytes.extend_from_slice(&part[..room]);
            length += part.len();
            let (consumed, is_over) = (part.len() + usize::from(end.is_some()), available.is_empty());
            self.source.consume(consumed);
            self.position += consumed as u64;
            if end.is_some() || is_over {
                return Ok((length, end.is_some()));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    /// After an error nothing more is read: a source that cannot be read once may fail for ever.
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let line = self.next_line();
        self.is_over = !matches!(line, Ok(Some(_)));
        line.transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            number: 1,
            end: 0,
            bytes: Some(text.as_bytes().to_vec()),
        }
    }

    #[test]
    fn data_keeps_its_bytes() {
        let data = "{ \"b\": 1.0, \"a\": 1e400, \"b\": \"\\u00eb\" }";
        let event = line(&format!(
            "{{\"data\":{data} , \"company\":\"acme\",\"type\":\"booking.created\"}}"
        ))
        .event();
        assert_eq!(event.unwrap().data.as_str(), data);
    }

    #[test]
    fn an_id_is_taken_or_made() {
        let text = |id: &str| format!("{{\"company\":\"acme\",\"type\":\"a.b\",\"data\":{{}}{id}}}");
        assert_eq!(
            line(&text(",\"id\":\"mine-1\"")).event().unwrap().id.as_str(),
            "mine-1"
        );
        assert!(line(&text("")).event().unwrap().id.as_str().starts_with("evt_"));
    }

    #[test]
    fn a_line_that_is_no_event_says_why() {
        for (text, why) in [
            ("x", "expected value (column 1)"),
            ("{\"company\":\"acme\",\"type\":\"a.b\"}", "missing field `data`"),
            (
                "{\"company\":\"a b\",\"type\":\"a.b\",\"data\":{}}",
                "a company must be",
            ),
            (
                "{\"company\":\"acme\",\"type\":\"A\",\"data\":{}}",
                "an event type must be",
            ),
            (
                "{\"company\":\"acme\",\"type\":\"a.b\",\"data\":[]}",
                "one JSON object",
            ),
            (
                "{\"company\":\"acme\",\"type\":\"a.b\",\"data\":{},\"id\":\"a.b\"}",
                "an event id must be",
            ),
            (
                "{\"company\":\"acme\",\"type\":\"a.b\",\"data\":{},\"createdat\":1}",
                "unknown field `createdat`",
            ),
            (
                "{\"company\":\"acme\",\"type\":\"a.b\",\"data\":{}} {}",
                "trailing characters",
            ),
        ] {
            let error = line(text).event().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let not_utf8 = Line {
            number: 1,
            end: 0,
            bytes: Some(vec![0xff]),
        };
        assert_eq!(not_utf8.event().unwrap_err(), "not UTF-8 text");
    }

    #[test]
    fn lines_are_counted_and_blank_ones_skipped() {
        let lines: Vec<Line> = Lines::new(&b"{}\n\n \r\n{}\r\nlast"[..])
            .map(Result::unwrap)
            .collect();
        let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 4, 5]);
        assert_eq!(
            lines[2],
            Line {
                number: 5,
                end: 15,
                bytes: Some(b"last".to_vec())
            }
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_once() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let lines: Vec<_> = Lines::new(io::BufReader::new(Broken)).take(10).collect();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].is_err());
    }

    #[test]
    fn a_line_without_end_costs_no_memory_and_no_other_line() {
        let source = [vec![b'x'; MAX_BYTES + 1], b"\n{}\n".to_vec()].concat();
        let lines: Vec<Line> = Lines::new(io::BufReader::with_capacity(1000, &source[..]))
            .map(Result::unwrap)
            .collect();
        assert!(lines[0].event().unwrap_err().contains("longer than"));
        assert_eq!((lines.len(), lines[1].number), (2, 2));
    }
}
