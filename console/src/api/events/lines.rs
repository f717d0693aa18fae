//! The lines of a body as they arrive, so that no more of it is in memory than the line that is being read.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hookline_common::event::Data;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::limits::MAX_BODY_BYTES;
use crate::problem::Problem;

/// Events in one request at most.
pub(super) const MAX_EVENTS: usize = 1_000;
/// What an event's line has besides its data, at most, written without spaces: its type, its id, its time, and the line break.
const BESIDE_DATA: usize = 512;
/// A whole body at most: room for as many of the largest events. Of these a line at a time is in memory.
pub(super) const MAX_LINES_BYTES: usize = MAX_EVENTS * (Data::MAX_BYTES + BESIDE_DATA);

/// The lines of a body that are not blank.
pub(super) struct Lines {
    body: Body,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line break.
    searched: usize,
    /// How much of the body was read.
    read: usize,
    /// Whether the line that is being read is too long already, and what was read of it dropped.
    is_too_long: bool,
    is_over: bool,
    deadline: Instant,
}

impl Lines {
    /// The lines of `body`, which must have arrived by `deadline`.
    pub(super) fn new(body: Body, deadline: Instant) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
            read: 0,
            is_too_long: false,
            is_over: false,
            deadline,
        }
    }

    /// The next line without its line break; why it is none, where it is too long; or why there are no more, after which
    /// nothing comes.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        loop {
            let line = match self.take_line() {
                Some(line) => line,
                None if self.is_over => self.take_rest()?,
                None => match self.read_more().await {
                    Ok(()) => continue,
                    Err(problem) => {
                        self.is_over = true;
                        self.buffer.clear();
                        self.is_too_long = false;
                        return Some(Err(problem));
                    }
                },
            };
            if std::mem::take(&mut self.is_too_long) {
                return Some(Err(Problem::too_large(MAX_BODY_BYTES)));
            }
            if !line.trim_ascii().is_empty() {
                return Some(Ok(line));
            }
        }
    }

    /// Reads on to the end and keeps nothing, so that whoever still sends gets to read the answer.
    pub(super) async fn skip_rest(&mut self) {
        while !self.is_over && self.read_more().await.is_ok() {
            self.buffer.clear();
        }
        self.is_over = true;
        self.buffer.clear();
        self.is_too_long = false;
    }

    fn take_line(&mut self) -> Option<Bytes> {
        let found = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        let Some(at) = found else {
            self.searched = self.buffer.len();
            return None;
        };
        let mut line = self.buffer.split_to(self.searched + at + 1);
        line.truncate(line.len() - 1);
        self.searched = 0;
        self.is_too_long |= line.len() > MAX_BODY_BYTES;
        Some(line.freeze())
    }

    /// What stands behind the last line break.
    fn take_rest(&mut self) -> Option<Bytes> {
        self.searched = 0;
        let rest = self.buffer.split().freeze();
        (!rest.is_empty() || self.is_too_long).then_some(rest)
    }

    async fn read_more(&mut self) -> Result<(), Problem> {
        if self.buffer.len() > MAX_BODY_BYTES {
            self.is_too_long = true;
            self.buffer.clear();
            self.searched = 0;
        }
        let frame = timeout_at(self.deadline, self.body.frame()).await;
        match frame.map_err(|_| Problem::request_timeout())? {
            None => self.is_over = true,
            Some(Err(_)) => return Err(Problem::invalid("the body ended before it was whole")),
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                self.read += data.len();
                if self.read > MAX_LINES_BYTES {
                    return Err(Problem::too_large(MAX_LINES_BYTES));
                }
                self.buffer.extend_from_slice(&data);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;

    use super::*;

    fn lines(chunks: Vec<&'static [u8]>) -> Lines {
        let chunks = chunks.into_iter().map(Ok::<_, std::io::Error>);
        let body = Body::from_stream(stream::iter(chunks));
        Lines::new(body, Instant::now() + Duration::from_secs(60))
    }

    async fn all(mut lines: Lines) -> Vec<Result<Vec<u8>, u16>> {
        let mut all = Vec::new();
        while let Some(line) = lines.next().await {
            all.push(match line {
                Ok(line) => Ok(line.to_vec()),
                Err(problem) => Err(problem.status().as_u16()),
            });
        }
        all
    }

    #[tokio::test]
    async fn lines_come_whole_whatever_pieces_they_came_in() {
        for chunks in [
            vec![&b"{\"a\":1}\n\n  \r\n{\"b\":2}"[..]],
            vec![&b"{\"a\""[..], b":1}", b"\n", b"\n", b"  \r\n{\"b\":", b"2}"],
            vec![&b"{\"a\":1}\n{\"b\":2}\n"[..], b"\n"],
        ] {
            let wanted = [Ok(b"{\"a\":1}".to_vec()), Ok(b"{\"b\":2}".to_vec())];
            assert_eq!(all(lines(chunks)).await, wanted);
        }
        assert!(all(lines(vec![])).await.is_empty());
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_costs_no_other() {
        let long: &'static [u8] = vec![b'x'; MAX_BODY_BYTES + 1].leak();
        for chunks in [
            vec![&b"1\n"[..], long, b"\n2\n"],
            vec![b"1\n", long, long, b"\n2"],
        ] {
            let wanted = [Ok(b"1".to_vec()), Err(413), Ok(b"2".to_vec())];
            assert_eq!(all(lines(chunks)).await, wanted);
        }
        assert_eq!(all(lines(vec![long])).await, [Err(413)]);
    }

    #[tokio::test]
    async fn a_body_ends_where_it_is_too_long_and_what_came_before_counts() {
        let piece: &'static [u8] = [vec![b'x'; 65_535], vec![b'\n']].concat().leak();
        let whole = MAX_LINES_BYTES / piece.len();
        let mut lines = lines(vec![piece; whole + 1]);
        for number in 0..whole {
            assert!(lines.next().await.is_some_and(|line| line.is_ok()), "{number}");
        }
        let refused = lines.next().await.unwrap().unwrap_err();
        assert_eq!(refused.status().as_u16(), 413);
        assert!(lines.next().await.is_none());
    }

    #[test]
    fn a_body_has_room_for_as_many_of_the_largest_events_as_it_may_have() {
        let data = "x".repeat(Data::MAX_BYTES);
        let (id, event_type) = ("x".repeat(64), "x".repeat(128));
        let at = "2030-01-15T14:30:00.250+00:00";
        let line = format!(
            "{{\"type\":\"{event_type}\",\"data\":{data},\"id\":\"{id}\",\"createdAt\":\"{at}\"}}\r\n"
        );
        assert!(MAX_EVENTS * line.len() <= MAX_LINES_BYTES, "{}", line.len());
    }
}
