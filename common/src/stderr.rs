//! Lines for stderr that never wait for whoever reads it. A terminal that is stopped, or a collector that hangs, would
//! otherwise hold every thread that logs, and with them the whole service.
//!
//! Lines go into a bounded buffer, which a thread of its own writes out. What does not fit is dropped and counted; a line that is
//! longer than all of the buffer fits where nothing else waits. For the stdout of a program that must not wait either, another
//! [`LineWriter`] does the same.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How much may wait for a reader: some thousand lines, so a pause of a reader costs none at an ordinary log level.
const CAPACITY_BYTES: usize = 1 << 20;
/// What a pipe takes as one piece (`PIPE_BUF`): lines up to this length stay whole beside those of other writers.
const PIECE_BYTES: usize = 4096;
/// How long to wait where stderr was set to refuse instead of to block: short beside what the buffer holds.
const REFUSED_PAUSE: Duration = Duration::from_millis(10);
/// How long a process that ends waits for its last lines to be read.
pub const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// The writer of this process, once it has written anything.
static PROCESS: OnceLock<LineWriter> = OnceLock::new();

/// The writer of this process. Its thread starts with the first call.
pub fn writer() -> &'static LineWriter {
    PROCESS.get_or_init(|| {
        LineWriter::start(CAPACITY_BYTES, std::io::stderr(), |dropped| {
            tracing::warn!(dropped, "log lines were dropped because nobody read them in time");
        })
    })
}

/// Waits until everything written so far has left the process, at most [`FLUSH_WITHIN`].
pub fn flush() {
    if let Some(writer) = PROCESS.get() {
        writer.flush(FLUSH_WITHIN);
    }
}

/// How many lines this process has dropped so far.
#[must_use]
pub fn dropped() -> u64 {
    PROCESS.get().map_or(0, LineWriter::dropped)
}

/// Writes the last words of a process, and waits for them like [`flush`].
pub fn last_words(text: &str) {
    writer().push(format!("{text}\n").as_bytes());
    flush();
}

/// Lines on their way to a reader. Each call of [`Write::write`] on a reference takes one whole line.
#[derive(Debug)]
pub struct LineWriter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    capacity: usize,
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    /// The notice is being written: it fits whatever waits.
    is_announcing: bool,
    /// No thread writes: it could not be started.
    is_closed: bool,
    dropped: u64,
    /// Dropped since the last notice of it.
    unannounced: u64,
}

impl LineWriter {
    /// Starts a writer of at most `capacity` bytes in front of `sink`. Once lines get through again after some were
    /// dropped, `notice` is told how many; lines that it writes are taken whatever waits.
    #[must_use]
    pub fn start(
        capacity: usize,
        sink: impl Write + Send + 'static,
        notice: impl Fn(u64) + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            capacity,
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        });
        let ours = Arc::clone(&shared);
        let started = std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || ours.write_for_ever(sink, notice));
        if started.is_err() {
            // Without a thread every line counts as dropped: waiting for a reader would be worse.
            shared.lock().is_closed = true;
        }
        Self(shared)
    }

    /// Takes a line, or drops and counts it. Never waits for the reader.
    pub fn push(&self, line: &[u8]) {
        self.0.push(line);
    }

    /// Waits until everything pushed so far is written; `false` when that took longer than `within`.
    pub fn flush(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut state = self.0.lock();
        while state.is_writing || state.is_announcing || !state.waiting.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            state = match self.0.emptied.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }

    /// How many lines were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }
}

impl Write for &LineWriter {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        let fits = state.waiting.is_empty() || state.waiting.len() + line.len() <= self.capacity;
        if state.is_closed || !(fits || state.is_announcing) {
            state.dropped += 1;
            state.unannounced += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.filled.notify_one();
    }

    fn write_for_ever(&self, mut sink: impl Write, notice: impl Fn(u64)) {
        let mut batch = Vec::new();
        loop {
            self.next_batch(&mut batch);
            let lost = write_pieces(&mut sink, &batch);
            let mut state = self.lock();
            state.is_writing = false;
            state.dropped += lost;
            state.unannounced += lost;
            // Said only after something got through: before, nobody would read the notice either.
            if lost == 0 && state.unannounced > 0 {
                let unannounced = std::mem::take(&mut state.unannounced);
                state.is_announcing = true;
                drop(state);
                notice(unannounced);
                self.lock().is_announcing = false;
            }
            self.emptied.notify_all();
        }
    }

    /// Waits for lines and takes all that wait, in exchange for an empty buffer.
    fn next_batch(&self, batch: &mut Vec<u8>) {
        batch.clear();
        let mut state = self.lock();
        while state.waiting.is_empty() {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.waiting, batch);
        state.is_writing = true;
    }
}

/// Writes whole lines, several at once where they fit. Returns how many were lost to a reader that is gone.
fn write_pieces(sink: &mut impl Write, mut lines: &[u8]) -> u64 {
    let mut lost = 0;
    while !lines.is_empty() {
        let (piece, rest) = lines.split_at(piece_length(lines));
        if write_all(sink, piece).is_err() {
            lost += piece.split_inclusive(|byte| *byte == b'\n').count() as u64;
        }
        lines = rest;
    }
    lost
}

/// The most whole lines that fit into a piece, or one line where even that does not.
fn piece_length(lines: &[u8]) -> usize {
    let head = &lines[..lines.len().min(PIECE_BYTES)];
    let end_of = |lines: &[u8], end: Option<usize>| end.map_or(lines.len(), |end| end + 1);
    match head.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None => end_of(lines, lines.iter().position(|byte| *byte == b'\n')),
    }
}

/// Like [`Write::write_all`], also where the reader set the file to refuse instead of to block.
fn write_all(sink: &mut impl Write, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(REFUSED_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Long enough for a thread to run on a machine that is busy.
    const SOON: Duration = Duration::from_secs(60);

    /// A reader that takes one write for each permit, and tells what it read.
    struct Reader {
        permits: Receiver<()>,
        read: Sender<String>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.permits.recv().map_err(|_| ErrorKind::BrokenPipe)?;
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.read.send(text).map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn writer(capacity: usize) -> (LineWriter, Sender<()>, Receiver<String>, Receiver<u64>) {
        let (permit, permits) = channel();
        let (read, reading) = channel();
        let (announce, announced) = channel();
        let notice = move |dropped| assert!(announce.send(dropped).is_ok());
        let writer = LineWriter::start(capacity, Reader { permits, read }, notice);
        (writer, permit, reading, announced)
    }

    /// Waits until the thread is busy with what was pushed, and the buffer free.
    fn is_stuck(writer: &LineWriter) {
        let deadline = Instant::now() + SOON;
        while !writer.0.lock().waiting.is_empty() {
            assert!(Instant::now() < deadline, "the thread does not take what waits");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_no_time_and_is_told_how_many_when_it_goes_on() {
        let (writer, permit, reading, announced) = writer(10);
        writer.push(b"first\n");
        is_stuck(&writer);
        for line in [b"aaaa\n", b"bbbb\n", b"cccc\n", b"dddd\n"] {
            writer.push(line);
        }
        assert_eq!(writer.dropped(), 2);
        assert!(!writer.flush(Duration::ZERO), "nothing was read yet");
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert!(writer.flush(SOON));
        assert_eq!(
            reading.try_iter().collect::<Vec<_>>(),
            ["first\n", "aaaa\nbbbb\n"]
        );
        assert_eq!(announced.try_iter().collect::<Vec<_>>(), [2]);
        writer.push(b"later\n");
        permit.send(()).unwrap();
        assert!(writer.flush(SOON));
        assert_eq!((writer.dropped(), announced.try_iter().count()), (2, 0));
    }

    #[test]
    fn a_line_that_is_longer_than_the_room_is_taken_where_nothing_else_waits() {
        let (writer, permit, reading, _announced) = writer(10);
        writer.push(b"first\n");
        is_stuck(&writer);
        writer.push(b"longer than ten\n");
        writer.push(b"a\n");
        assert_eq!(writer.dropped(), 1);
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert!(writer.flush(SOON));
        assert_eq!(
            reading.try_iter().collect::<Vec<_>>(),
            ["first\n", "longer than ten\n"]
        );
    }

    #[test]
    fn lines_for_a_reader_that_is_gone_are_counted() {
        let (writer, permit, _reading, announced) = writer(100);
        drop(permit);
        writer.push(b"a\n");
        assert!(writer.flush(SOON));
        writer.push(b"b\n");
        assert!(writer.flush(SOON));
        assert_eq!((writer.dropped(), announced.try_iter().count()), (2, 0));
    }

    #[test]
    fn pieces_are_whole_lines() {
        let short = "x".repeat(1000) + "\n";
        let long = "y".repeat(2 * PIECE_BYTES) + "\n";
        let lines = short.repeat(5) + &long + &short;
        let mut lengths = Vec::new();
        let mut rest = lines.as_bytes();
        while !rest.is_empty() {
            lengths.push(piece_length(rest));
            rest = &rest[piece_length(rest)..];
        }
        assert_eq!(lengths, [4 * short.len(), short.len(), long.len(), short.len()]);
        assert_eq!(piece_length(b"no end"), 6);
    }
}
