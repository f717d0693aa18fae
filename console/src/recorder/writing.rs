//! Batches on their way into the log: the second one's transaction begins while the first one's goes on.

use std::future::pending;
use std::sync::Arc;

use hookline_store::{LogBatch, Predecessor, Recorded, Store, StoreError, Turn};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::patience::Patience;
use super::progress;
use crate::meters;

/// Writes batches in their order, two at once. Dropped, it gives up what is under way, and nothing of that is stored.
pub(super) struct Writing {
    store: Store,
    stream: Arc<str>,
    under_way: Option<UnderWay>,
    has_written: bool,
}

/// A batch that is written by a task of its own.
struct UnderWay {
    batch: Arc<LogBatch>,
    task: JoinSet<Result<Recorded, StoreError>>,
    predecessor: Predecessor,
}

impl Writing {
    pub(super) fn new(store: &Store, stream: &str) -> Self {
        Self {
            store: store.clone(),
            stream: stream.into(),
            under_way: None,
            has_written: false,
        }
    }

    /// Begins to write a batch, and returns when those before it are written.
    pub(super) async fn write(&mut self, batch: LogBatch) -> Result<(), StoreError> {
        let batch = Arc::new(batch);
        let before = self.under_way.take();
        let behind = before.as_ref().map(|before| before.predecessor.clone());
        let mut next = self.begin(&batch, behind);
        if let Some(before) = before
            && !self.end(before).await?
        {
            // It stood behind one that was not written that way, so neither is it.
            next.task.shutdown().await;
            next = self.begin(&batch, None);
        }
        self.under_way = Some(next);
        Ok(())
    }

    /// Returns when what is under way has come to its end, and never where nothing is. It can be given up at any time.
    pub(super) async fn ends(&mut self) {
        match &mut self.under_way {
            Some(under_way) => under_way.predecessor.ends().await,
            None => pending().await,
        }
    }

    /// Returns when all is written.
    pub(super) async fn finish(&mut self) -> Result<(), StoreError> {
        match self.under_way.take() {
            Some(under_way) => self.end(under_way).await.map(drop),
            None => Ok(()),
        }
    }

    /// Whether anything was written.
    pub(super) fn has_written(&self) -> bool {
        self.has_written
    }

    fn begin(&self, batch: &Arc<LogBatch>, behind: Option<Predecessor>) -> UnderWay {
        let (turn, predecessor) = Turn::behind(behind);
        let (store, stream, batch) = (self.store.clone(), Arc::clone(&self.stream), Arc::clone(batch));
        let mut task = JoinSet::new();
        let written = Arc::clone(&batch);
        task.spawn(async move { store.record_behind(&stream, &written, turn).await });
        UnderWay {
            batch,
            task,
            predecessor,
        }
    }

    /// Whether it went well that way; else it is written by itself.
    async fn end(&mut self, mut under_way: UnderWay) -> Result<bool, StoreError> {
        let batch = &under_way.batch;
        let (recorded, is_well) = match under_way.task.join_next().await {
            Some(Ok(Ok(recorded))) => (recorded, true),
            failed => {
                debug!(?failed, "a batch is written by itself");
                (self.write_alone(batch).await?, false)
            }
        };
        meters::recorded(recorded);
        for item in &batch.set_aside {
            warn!(
                offset = item.offset,
                reason = item.reason,
                "something in the stream of attempts was set aside"
            );
        }
        progress::written(batch.next_offset);
        self.has_written = true;
        Ok(is_well)
    }

    /// Writes one with nothing beside it. A database that is away is waited for here, so that what was read is not read
    /// again.
    async fn write_alone(&self, batch: &LogBatch) -> Result<Recorded, StoreError> {
        let mut patience = Patience::new();
        loop {
            match self.store.record(&self.stream, batch).await {
                Err(error) if error.is_retryable() => patience.complain(&error),
                written => return written,
            }
            patience.wait().await;
        }
    }
}
