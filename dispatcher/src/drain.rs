//! The end: what has begun is finished and acknowledged, what has not is somebody else's already, and the connections close.

use tokio::task::JoinSet;
use tracing::info;

use crate::dispatch::Dispatch;
use crate::stop;

impl Dispatch {
    /// Finishes what is in flight, writes its records, acknowledges it, and closes the connections. By now the intakes have
    /// ended, and no work begins any more.
    pub(crate) async fn drain(self) {
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
        in_flight
            .finish(settings.request_timeout + stop::DRAIN_MARGIN, close)
            .await;
        info!("drained");
    }
}
