//! Publishing a file of events: many at once, each line answered for.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt as _, stream};
use hookline_common::settings::BrokerSettings;
use hookline_producer::{Producer, PublishError, Settings};
use tokio::sync::mpsc;

use super::connect::connect;
use super::ndjson::{Line, Lines};
use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out::{self, Out, Progress};

/// How often the line of progress is written anew: fast enough to look alive.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Lines that are read ahead of publishing: a quarter of what may be in flight, so that the disk is never waited for.
const READ_AHEAD: usize = 256;

/// What became of one line.
enum Done {
    Published,
    /// It is no event.
    Bad(String),
    Failed(PublishError),
    /// Nothing more can be read.
    Unreadable(io::Error),
}

/// Publishes every event of `file` (`-` for stdin).
pub(super) async fn run(file: &str, broker: BrokerSettings) -> Result<(), CliError> {
    let source = open(file).map_err(|error| unreadable(file, &error))?;
    let producer = connect(broker).await?;
    let shutdown = on_signals()?;
    let stop = Arc::new(AtomicBool::new(false));
    let lines = read_in_background(source, Arc::clone(&stop));
    let results = lines
        .map(|read| publish(&producer, read))
        .buffered(Settings::DEFAULT_MAX_IN_FLIGHT);
    let mut results = std::pin::pin!(results);
    let mut tally = Tally::new();
    loop {
        let next = tokio::select! {
            next = results.next() => next,
            // Events that were sent are still waited for.
            () = shutdown.requested(), if !tally.is_interrupted => {
                stop.store(true, Ordering::Relaxed);
                tally.is_interrupted = true;
                continue;
            }
        };
        let Some((number, done)) = next else { break };
        // Where the broker is away for longer than an event waits, more of them would only wait in vain.
        if matches!(done, Done::Failed(_)) {
            stop.store(true, Ordering::Relaxed);
        }
        tally.add(number, done);
    }
    tally.close(file)
}

fn open(file: &str) -> io::Result<Box<dyn BufRead + Send>> {
    Ok(if file == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(file)?))
    })
}

fn unreadable(file: &str, error: &io::Error) -> CliError {
    CliError::Failed(format!(
        "{file} cannot be read: {error}; name a file with one event a line, or - for stdin"
    ))
}

/// A thread of its own, because a read of stdin may block for ever and must not hold up anything else. It
/// reads only as far ahead as the channel is long, and ends when `stop` is set.
fn read_in_background(
    source: Box<dyn BufRead + Send>,
    stop: Arc<AtomicBool>,
) -> impl Stream<Item = io::Result<Line>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let is_stopped = Arc::clone(&stop);
    thread::spawn(move || {
        for line in Lines::new(source) {
            if is_stopped.load(Ordering::Relaxed) || sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    stream::unfold((receiver, stop), |(mut receiver, stop)| async move {
        loop {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            // The reader may be blocked while it is asked to stop.
            match tokio::time::timeout(PROGRESS_EVERY, receiver.recv()).await {
                Ok(line) => return line.map(|line| (line, (receiver, stop))),
                Err(_) => continue,
            }
        }
    })
}

async fn publish(producer: &Producer, read: io::Result<Line>) -> (u64, Done) {
    let line = match read {
        Ok(line) => line,
        Err(error) => return (0, Done::Unreadable(error)),
    };
    let done = match line.event() {
        Err(why) => Done::Bad(why),
        Ok(event) => match producer.publish(&event).await {
            Ok(_) => Done::Published,
            Err(error) => Done::Failed(error),
        },
    };
    (line.number, done)
}

/// Counts what became of the lines, and names on stderr each one that was not published.
struct Tally {
    since: Instant,
    progress: Progress,
    shown: Instant,
    published: u64,
    bad: u64,
    failed: u64,
    last_line: u64,
    is_interrupted: bool,
    unreadable: Option<io::Error>,
}

impl Tally {
    fn new() -> Self {
        let (since, progress) = (Instant::now(), Progress::new());
        let (published, bad, failed, last_line) = (0, 0, 0, 0);
        Self {
            since,
            progress,
            shown: since,
            published,
            bad,
            failed,
            last_line,
            is_interrupted: false,
            unreadable: None,
        }
    }

    fn add(&mut self, number: u64, done: Done) {
        self.last_line = self.last_line.max(number);
        match done {
            Done::Published => self.published += 1,
            Done::Bad(why) => {
                self.bad += 1;
                self.tell(number, &format!("{why}; mend it and publish it again"));
            }
            Done::Failed(error) => {
                self.failed += 1;
                self.tell(number, &error.to_string());
            }
            Done::Unreadable(error) => self.unreadable = Some(error),
        }
        if self.shown.elapsed() >= PROGRESS_EVERY {
            self.shown = Instant::now();
            self.progress
                .show(&format!("{} published, {:.0}/s", self.published, self.rate()));
        }
    }

    fn tell(&self, number: u64, what: &str) {
        self.progress.clear();
        out::error(&crate::text::escape(&format!("line {number}: {what}")));
    }

    fn rate(&self) -> f64 {
        self.published as f64 / self.since.elapsed().as_secs_f64().max(0.001)
    }

    /// The closing line, and whether all went well.
    fn close(self, file: &str) -> Result<(), CliError> {
        self.progress.clear();
        let (seconds, rate) = (self.since.elapsed().as_secs_f64(), self.rate());
        let Self {
            published,
            bad,
            failed,
            last_line,
            ..
        } = self;
        let lines = published + bad + failed;
        let mut out = Out::new();
        out.line(&format!(
            "published {published} of {lines} events in {seconds:.1} s ({rate:.0}/s), {bad} bad lines, \
             {failed} failed"
        ))?;
        out.flush()?;
        if let Some(error) = &self.unreadable {
            return Err(unreadable(file, error));
        }
        if self.is_interrupted || failed > 0 {
            let why = if failed > 0 {
                "the broker did not confirm"
            } else {
                "it was interrupted"
            };
            return Err(CliError::Failed(format!(
                "stopped after line {last_line} because {why}; publish the lines named above and those \
                 behind {last_line} again"
            )));
        }
        if bad > 0 {
            return Err(CliError::Failed(format!(
                "{bad} of {lines} lines are no events; mend and publish those again"
            )));
        }
        Ok(())
    }
}
