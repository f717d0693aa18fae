//! Dead letters that are just sent again, one or a step of many. What the broker has and the database does not know of looks as if
//! nobody had sent it, and is sent twice: so a sending goes on to its note, whoever hangs up or stops in the middle of it.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// How long a stop waits for the note of what is just sent: a broker and a database that are there take milliseconds.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// Those of one console.
#[derive(Default)]
pub(crate) struct Sendings(TaskTracker);

impl Sendings {
    /// Begins one, which goes on when nobody waits for it any more.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        sending: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.spawn(sending)
    }

    /// Returns when none is under way, however long that takes.
    pub(crate) async fn ended(&self) {
        self.0.close();
        self.0.wait().await;
        self.0.reopen();
    }

    /// The same where the lead or the process ends, which waits for [`ENDED_WITHIN`] at most.
    pub(crate) async fn end(&self) {
        if timeout(ENDED_WITHIN, self.ended()).await.is_err() {
            warn!(
                count = self.0.len(),
                "giving up while dead letters were sent again; the broker may have some that are still listed as if nobody had sent \
                 them: look at their deliveries' attempts before they are sent once more"
            );
        }
    }
}
