//! The recorder: attempts, from their stream into the log. It reads where the last transaction ended, so that whatever dies
//! in between, nothing is lost and nothing stands there twice.

mod error; // why it begins anew
mod patience; // and when
mod decode; // messages of the stream, as records
mod reading; // many of them at once, while others are written
mod progress; // how far behind that is
mod writing; // two batches at once
mod truncation; // what the stream has lost unread

use std::convert::Infallible;

use hookline_common::broker::{AttemptsLog, LinkSettings};
use hookline_common::topology::Queue;
use hookline_store::{LogBatch, StoreError};
use tokio::select;
use tracing::{debug, info, warn};

use self::error::RecorderError;
use self::patience::Patience;
use self::reading::Reading;
use self::writing::Writing;
use crate::app::App;
use crate::retention;

/// Shows how far behind the log is from now on.
pub(crate) fn observe() {
    progress::observe();
}

/// Records for as long as it is let. Dropped, it loses nothing.
pub(crate) async fn run(app: App) {
    // Also where the lead is lost in the middle: another console is behind then, or not.
    let _forgotten = progress::Forgotten;
    let mut recorder = Recorder::new(app);
    let mut patience = Patience::new();
    loop {
        let Err(error) = recorder.record().await;
        progress::forget();
        if recorder.has_written {
            patience.renew();
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
        } else {
            patience.complain(&error);
        }
        patience.wait().await;
    }
}

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
    async fn record(&mut self) -> Result<Infallible, RecorderError> {
        self.has_written = false;
        let store = self.app.background_store();
        let place = store.stream_place(&self.stream).await?;
        let offset = place.next_offset;
        debug!(offset, "recording attempts");
        let mut reading = Reading::begin(&self.link, &self.log, &self.stream, place);
        let mut writing = Writing::new(store, &self.stream);
        let mut next_offset = offset;
        loop {
            if writing.has_written() && !self.has_written {
                self.has_written = true;
                info!(offset, "attempts are recorded");
            }
            let read = select! {
                biased;
                read = reading.next() => Some(read),
                // What was written is told although nothing more comes.
                () = writing.ends() => None,
            };
            let read = match read {
                Some(Ok(read)) => read,
                Some(Err(error)) => {
                    writing.finish().await?;
                    return Err(self.began_anew(error, next_offset).await?);
                }
                None => {
                    writing.finish().await?;
                    continue;
                }
            };
            let batch = LogBatch {
                offset: next_offset,
                next_offset: read.next_offset,
                last_message: read.last_message,
                records: read.records,
                set_aside: read.set_aside,
                keep_since: retention::keep_since(&self.app),
            };
            next_offset = batch.next_offset;
            writing.write(batch).await?;
        }
    }

    /// The error itself; of a stream that was made anew, after its place is forgotten.
    async fn began_anew(&self, error: RecorderError, next_offset: u64) -> Result<RecorderError, StoreError> {
        if matches!(error, RecorderError::MadeAnew) {
            warn!(
                stream = self.stream,
                offset = next_offset,
                "the stream of attempts was made anew; it is read from its beginning"
            );
            let store = self.app.background_store();
            store.restart_stream(&self.stream, next_offset).await?;
        }
        Ok(error)
    }
}
