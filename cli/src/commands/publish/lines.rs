//! Publishing a file of events: many at once, each line answered for.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::{Stream, StreamExt as _, stream};
use hookline_common::settings::BrokerSettings;
use hookline_producer::{Producer, Settings};
use tokio::sync::mpsc;

use super::connect::connect;
use super::ndjson::{Line, Lines};
use super::source::LineSource;
use super::tally::{Done, PROGRESS_EVERY, Tally, unreadable};
use crate::commands::signals::on_signals;
use crate::error::CliError;

/// Lines that are read ahead of publishing: a quarter of what may be in flight, so that the disk is never waited for.
const READ_AHEAD: usize = 256;

/// Publishes every event of `file` (`-` for stdin).
pub(super) async fn run(file: &str, broker: BrokerSettings) -> Result<(), CliError> {
    let source = LineSource::open(file).map_err(|error| CliError::Failed(unreadable(file, &error)))?;
    let producer = connect(broker).await?;
    let shutdown = on_signals()?;
    let stop = Arc::new(AtomicBool::new(false));
    let lines = read_in_background(source.lines, Arc::clone(&stop));
    let results = lines
        .map(|read| publish(&producer, read))
        .buffered(Settings::DEFAULT_MAX_IN_FLIGHT);
    let mut results = std::pin::pin!(results);
    let mut tally = Tally::new(source.length);
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
        let Some((number, end, done)) = next else { break };
        // Where the broker is away for longer than an event waits, more of them would only wait in vain.
        if matches!(done, Done::Failed(_)) {
            stop.store(true, Ordering::Relaxed);
        }
        tally.add(number, end, done);
    }
    tally.close(file)
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

async fn publish(producer: &Producer, read: io::Result<Line>) -> (u64, u64, Done) {
    let line = match read {
        Ok(line) => line,
        Err(error) => return (0, 0, Done::Unreadable(error)),
    };
    let done = match line.event() {
        Err(why) => Done::Bad(why),
        Ok(event) => match producer.publish(&event).await {
            Ok(_) => Done::Published,
            Err(error) => Done::Failed(error),
        },
    };
    (line.number, line.end, done)
}
