//! The end: what has begun is finished and acknowledged, what has not is somebody else's already, and the connections close.

use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::info;

use crate::dispatch::Dispatch;
use crate::stop;

impl Dispatch {
    /// Finishes what is in flight, writes its records, acknowledges it, and closes the connections. By now the intakes have
    /// ended, and no work begins any more. The stop began at `since`: what a silent broker took of it up to here is not given to it
    /// once more.
    pub(crate) async fn drain(self, since: Instant) {
        let Self {
            settings,
            publisher,
            records,
            consumers,
            in_flight,
            ..
        } = self;
        let close = async {
            let mut closing = JoinSet::new();
            for consumer in consumers {
                closing.spawn(async move { consumer.close().await });
            }
            if let Some(log) = records {
                closing.spawn(async move { log.close().await });
            }
            closing.spawn(async move { publisher.close().await });
            while closing.join_next().await.is_some() {}
        };
        let max = settings.request_timeout + stop::DRAIN_MARGIN;
        let close_within = stop::CLOSE_WITHIN.saturating_sub(since.elapsed());
        in_flight.finish(max, close_within, close).await;
        info!("drained");
    }
}
