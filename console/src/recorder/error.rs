//! Why the recorder begins anew.

use hookline_common::broker::BrokerError;
use hookline_store::StoreError;

/// Why it begins anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecorderError {
    #[error("the stream of attempts cannot be read: {0}")]
    Broker(#[from] BrokerError),
    #[error("attempts cannot be recorded: {0}")]
    Store(#[from] StoreError),
    #[error("the stream of attempts is another than the one that was read before")]
    MadeAnew,
    #[error(
        "the stream of attempts says nothing, although something of it is there; see rabbitmqctl cluster_status"
    )]
    Silent,
    #[error("its reader has ended")]
    ReaderEnded,
}
