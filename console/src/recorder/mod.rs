//! The recorder: attempts, from their stream into the log. It reads where the last transaction ended, so that whatever dies
//! in between, nothing is lost and nothing stands there twice.

mod error; // why it begins anew
mod decode; // messages of the stream, as records
mod reading; // many of them at once, while others are written
mod progress; // how far behind that is
mod truncation; // what the stream has lost unread

use std::time::Duration;

use hookline_common::broker::{AttemptsLog, LinkSettings};
use hookline_common::topology::Queue;
use hookline_store::{LogBatch, StoreError};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use self::error::RecorderError;
use self::reading::Reading;
use crate::app::App;
use crate::{meters, retention};

/// The waits between two tries, while broker or database are away.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often a lasting fault is told.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Shows how far behind the log is from now on.
pub(crate) fn observe() {
    progress::observe();
}

/// Records for as long as it is let. Dropped, it loses nothing.
pub(crate) async fn run(app: App) {
    let mut recorder = Recorder::new(app);
    let (mut wait, mut told) = (FIRST_WAIT, None::<Instant>);
    loop {
        let Err(error) = recorder.record().await;
        progress::forget();
        if recorder.has_written {
            wait = FIRST_WAIT;
        }
        // The first dispatcher makes the stream, and another console may have recorded meanwhile.
        let is_usual = match &error {
            RecorderError::Broker(error) => error.is_missing(),
            RecorderError::Store(error) => matches!(error, StoreError::Moved),
            RecorderError::MadeAnew => true,
            RecorderError::Silent | RecorderError::ReaderEnded => false,
        };
        if is_usual {
            debug!(%error, "recording begins anew");
        } else if told.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            told = Some(Instant::now());
            warn!(%error, "attempts are not recorded for now; they wait in the stream, and it is tried again");
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

enum Never {}

struct Recorder {
    app: App,
    link: LinkSettings,
    log: AttemptsLog,
    stream: String,
    /// Whether the last life wrote anything.
    has_written: bool,
}

impl Recorder {
    fn new(app: App) -> Self {
        let broker = &app.settings().broker;
        let link = broker.link("hookline-console recorder");
        Self {
            log: AttemptsLog::new(link.clone(), &broker.namespace),
            link,
            stream: broker.namespace.queue(Queue::Attempts),
            has_written: false,
            app,
        }
    }

    /// One life: until something fails.
    async fn record(&mut self) -> Result<Never, RecorderError> {
        self.has_written = false;
        let store = self.app.background_store();
        let place = store.stream_place(&self.stream).await?;
        let offset = place.next_offset;
        debug!(offset, "recording attempts");
        let mut reading = Reading::begin(&self.link, &self.log, &self.stream, place);
        let mut next_offset = offset;
        loop {
            let read = match reading.next().await {
                Ok(read) => read,
                Err(RecorderError::MadeAnew) => {
                    warn!(
                        stream = self.stream,
                        offset = next_offset,
                        "the stream of attempts was made anew; it is read from its beginning"
                    );
                    store.restart_stream(&self.stream, next_offset).await?;
                    return Err(RecorderError::MadeAnew);
                }
                Err(error) => return Err(error),
            };
            let batch = LogBatch {
                offset: next_offset,
                next_offset: read.next_offset,
                last_message: read.last_message,
                records: read.records,
                set_aside: read.set_aside,
                keep_since: retention::keep_since(&self.app),
            };
            self.write(&batch).await?;
            next_offset = batch.next_offset;
            progress::written(next_offset);
            if !self.has_written {
                self.has_written = true;
                info!(offset, "attempts are recorded");
            }
        }
    }

    /// A database that is away is waited for here, so that what was read is not read again.
    async fn write(&self, batch: &LogBatch) -> Result<(), RecorderError> {
        let (mut wait, mut told) = (FIRST_WAIT, None::<Instant>);
        loop {
            match self.app.background_store().record(&self.stream, batch).await {
                Ok(recorded) => {
                    meters::recorded(recorded);
                    for item in &batch.set_aside {
                        warn!(
                            offset = item.offset,
                            reason = item.reason,
                            "something in the stream of attempts was set aside"
                        );
                    }
                    return Ok(());
                }
                Err(error) if error.is_retryable() => {
                    if told.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
                        told = Some(Instant::now());
                        warn!(%error, "attempts are not recorded for now; they wait in the stream, and it is tried again");
                    }
                }
                Err(error) => return Err(error.into()),
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}
