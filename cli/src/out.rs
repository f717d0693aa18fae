//! The only place that prints: results to stdout, everything else to stderr.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use hookline_common::stderr::{self, FLUSH_WITHIN, LineWriter};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::settings;

/// How much may wait for whoever reads an [`Outlet`]: a dozen of the longest bodies.
const OUTLET_BYTES: usize = 16 << 20;

/// What is known of the terminal at the other end of stdout, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Columns; `None` where stdout is no terminal.
    pub(crate) width: Option<usize>,
    /// Whether colours are wanted.
    pub(crate) has_colour: bool,
}

impl Terminal {
    fn at_stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Self {
                width: None,
                has_colour: false,
            };
        }
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        Self {
            width: Some(width),
            has_colour: settings::wants_colour(),
        }
    }

    /// `text` in a colour, where colours are wanted.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if self.has_colour {
            format!("\x1b[{}m{text}\x1b[0m", colour.code())
        } else {
            text.to_owned()
        }
    }
}

/// How a text is made to stand out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Good,
    Bad,
    Faint,
    Bold,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Faint => "2",
            Self::Bold => "1",
        }
    }
}

/// The results of a command, on stdout.
pub(crate) struct Out {
    stdout: BufWriter<Stdout>,
    is_live: bool,
    /// Whether a command ends when nobody reads of it any more, as one does that only lists.
    ends_unread: bool,
    is_unread: bool,
    pub(crate) terminal: Terminal,
}

impl Out {
    /// For results that come in one go: written when the buffer is full, or at once on a terminal. Where nobody reads them any more
    /// they are dropped: the command does what it was told, and its exit status says how that went.
    pub(crate) fn new() -> Self {
        let terminal = Terminal::at_stdout();
        Self {
            stdout: BufWriter::new(io::stdout()),
            is_live: terminal.width.is_some(),
            ends_unread: false,
            is_unread: false,
            terminal,
        }
    }

    /// For results that somebody waits for, line by line.
    pub(crate) fn live() -> Self {
        Self {
            is_live: true,
            ..Self::new()
        }
    }

    /// The same for a command that does nothing but print: it ends with whoever reads, and that is no failure.
    pub(crate) fn until_unread(self) -> Self {
        Self {
            ends_unread: true,
            ..self
        }
    }

    /// Prints lines; the text comes without its last line break.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        if self.is_unread {
            return Ok(());
        }
        let written = writeln!(self.stdout, "{text}");
        let written = written.and_then(|()| if self.is_live { self.stdout.flush() } else { Ok(()) });
        self.if_read(written)
    }

    /// Writes out what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.is_unread {
            return Ok(());
        }
        let written = self.stdout.flush();
        self.if_read(written)
    }

    fn if_read(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if is_closed_pipe(&error) && !self.ends_unread => {
                self.is_unread = true;
                Ok(())
            }
            written => written,
        }
    }
}

/// Results on stdout of a command that answers others meanwhile, none of whom may wait long for whoever reads. What is read too late
/// is dropped, counted, and told on stderr.
pub(crate) struct Outlet {
    lines: Arc<LineWriter>,
    /// Whether somebody has waited for the reader in vain. Nobody does again until all is read.
    is_behind: AtomicBool,
    pub(crate) terminal: Terminal,
}

impl Outlet {
    pub(crate) fn open() -> Self {
        let notice = |dropped: u64| {
            tell(&format!(
                "at least {dropped} lines were dropped because nobody read stdout in time"
            ));
        };
        Self {
            lines: Arc::new(LineWriter::start(OUTLET_BYTES, io::stdout(), notice)),
            is_behind: AtomicBool::new(false),
            terminal: Terminal::at_stdout(),
        }
    }

    /// Prints lines in one piece; the text comes without its last line break. Returns when they are out, or have been waited for.
    pub(crate) async fn line(&self, text: &str) {
        let is_waited_for = !self.is_behind.load(Relaxed) || self.lines.flush(Duration::ZERO);
        self.lines.push(format!("{text}\n").as_bytes());
        if is_waited_for {
            let lines = Arc::clone(&self.lines);
            let waiting = spawn_blocking(move || lines.flush(FLUSH_WITHIN));
            self.is_behind.store(!waiting.await.unwrap_or(false), Relaxed);
        }
    }

    /// Waits a moment for whoever reads the last lines, and tells what was not read in all.
    pub(crate) fn close(&self) {
        let is_read = self.lines.flush(FLUSH_WITHIN);
        let dropped = self.lines.dropped();
        if !is_read {
            tell(&format!(
                "nobody reads stdout: its last lines are dropped, and {dropped} or more before them"
            ));
        } else if dropped > 0 {
            tell(&format!(
                "in all, at least {dropped} lines were dropped because nobody read stdout in time"
            ));
        }
    }
}

/// Prints the last line of a command that was told to end. It waits no longer for whoever reads than the log does.
pub(crate) async fn last_line(text: String) -> io::Result<()> {
    let printing = spawn_blocking(move || {
        let mut out = Out::new();
        out.line(&text).and_then(|()| out.flush())
    });
    match timeout(FLUSH_WITHIN, printing).await {
        Ok(printed) => printed.map_err(io::Error::from).flatten(),
        Err(_) => Ok(()),
    }
}

/// Whether the reader of our output has gone, as `head` does when it has seen enough.
pub(crate) fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Tells people something beside the results. Nothing is to be done where nobody can be told.
pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// The same for a command that goes on until it is told to end: it waits for nobody, and goes where the log goes, behind what was
/// logged before.
pub(crate) fn tell(text: &str) {
    stderr::writer().push(format!("{text}\n").as_bytes());
}

/// Tells why the command failed.
pub(crate) fn error(text: &str) {
    note(&format!("hookline: {text}"));
}

/// A line on stderr that is written over and over, where stderr is a terminal.
pub(crate) struct Progress {
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn show(&self, text: &str) {
        if self.is_shown {
            drop(write!(io::stderr(), "\r{text}\x1b[K"));
        }
    }

    /// Makes room for other lines.
    pub(crate) fn clear(&self) {
        self.show("");
    }
}

/// Whether somebody is there who can answer a question.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks a question that is answered with `y` or anything else. Returns the answer when it comes; a thread waits for it, which
/// nobody need wait for in turn.
pub(crate) fn ask(question: &str) -> oneshot::Receiver<bool> {
    drop(write!(io::stderr(), "{question} [y/N] "));
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let mut answer = String::new();
        let is_read = io::stdin().read_line(&mut answer).is_ok();
        // Nobody may be waiting any more.
        sender
            .send(is_read && matches!(answer.trim(), "y" | "Y" | "yes"))
            .ok()
    });
    receiver
}
