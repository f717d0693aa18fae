//! One connection: hyper's half that sends, and the task that drives the other.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::drip::{Drip, Tap};
use super::hosts::HostId;
use super::interim::Interim;
use super::keep_alive;
use super::socket::{Socket, Stream};
use super::spread::spread;

/// What is read ahead of a response at most, and so the size of its head: fifty times a server's usual headers, and
/// little enough that all receivers together, each with a head that never ends, leave our memory alone.
const READ_AHEAD: usize = 64 * 1024;

/// How long a connection that nobody has a use for may take to send what it still has. TLS takes up to 64 KiB of a request beyond what
/// the network takes, and counts them as sent: a receiver that answers and then reads nothing would hold the connection's place for good.
const CLOSED_WITHIN: Duration = Duration::from_millis(500);

/// A connection that nobody else uses. Dropped, it is closed once what it is sending is sent, or soon.
pub(super) struct Connection {
    pub(super) sender: http1::SendRequest<Full<Bytes>>,
    pub(super) host: HostId,
    pub(super) id: u64,
    pub(super) interim: Arc<Interim>,
    /// How long it may be idle, as its receiver said last.
    pub(super) idle_time: Duration,
    /// When it is too old to be used again.
    old_at: Instant,
    task: JoinHandle<()>,
    /// The task is told when this is dropped.
    _is_wanted: oneshot::Sender<()>,
}

impl Connection {
    /// Speaks HTTP/1.1 on `stream`. The task that does so ends with the connection, and watches it while it is idle; `open`
    /// is dropped when it ends, however that comes.
    pub(super) async fn start(
        stream: Stream,
        host: HostId,
        id: u64,
        max_age: Duration,
        drip: Option<Drip>,
        open: impl Send + 'static,
    ) -> Result<Self, hyper::Error> {
        let interim = Arc::new(Interim::default());
        let socket = Socket {
            stream,
            interim: Arc::clone(&interim),
            tap: drip.map(Tap::new),
        };
        let (sender, connection) = http1::Builder::new()
            // A response has 100 headers at most, which is the library's own bound; setting it costs a fill of as many each time.
            .max_buf_size(READ_AHEAD)
            // What browsers read is an answer. Where two read the same bytes differently one can be misled; here nobody else
            // reads them.
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .handshake::<_, Full<Bytes>>(TokioIo::new(socket))
            .await?;
        let (is_wanted, unwanted) = oneshot::channel();
        let task = tokio::spawn(async move {
            // Its error reaches whoever waits for a response; nobody else misses an idle connection.
            if let Either::Right((_, connection)) = select(connection, unwanted).await {
                drop(timeout(CLOSED_WITHIN, connection).await);
            }
            drop(open);
        });
        Ok(Self {
            sender,
            host,
            id,
            interim,
            idle_time: keep_alive::IDLE,
            old_at: Instant::now() + lifetime(max_age, id),
            task,
            _is_wanted: is_wanted,
        })
    }

    /// Whether it is too old to carry another request.
    pub(super) fn is_too_old(&self, now: Instant) -> bool {
        now >= self.old_at
    }

    /// Closes it now, whatever it is sending.
    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

/// How long connection number `id` lives: between three quarters of `max_age` and all of it, so that those which were made
/// together do not end together.
fn lifetime(max_age: Duration, id: u64) -> Duration {
    max_age - max_age / (4 << 16) * u32::from(spread(id))
}

/// A connection that a request is using. Dropped before its response is read, it is closed at once: no peer can hold
/// on to it by not reading what we send.
pub(super) struct InUse(Option<Connection>);

impl InUse {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Some(connection))
    }

    /// Waits for the answer to what was just handed to the connection. hyper may leave it unanswered where the connection ends in
    /// the moment in which it is handed over: then the request is in a channel that nobody reads any more, and comes back once
    /// nobody writes to it either.
    pub(super) async fn answered<F: Future>(&mut self, sending: F) -> F::Output {
        let sending = pin!(sending);
        let Some(connection) = &mut self.0 else {
            return sending.await;
        };
        let first = select(sending, &mut connection.task).await;
        match first {
            Either::Left((answer, _)) => answer,
            Either::Right((_, sending)) => {
                self.0 = None;
                sending.await
            }
        }
    }

    /// The request is over.
    pub(super) fn into_connection(mut self) -> Option<Connection> {
        self.0.take()
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_were_made_together_end_one_after_the_other() {
        let max_age = Duration::from_secs(60);
        let lives: Vec<_> = (1..=60).map(|id| lifetime(max_age, id)).collect();
        assert!(
            lives
                .iter()
                .all(|life| *life > max_age / 4 * 3 && *life <= max_age)
        );
        for second in 45..60 {
            let ends = lives.iter().filter(|life| life.as_secs() == second).count();
            assert!((1..=8).contains(&ends), "{ends} end in second {second}");
        }
        assert_eq!(lifetime(Duration::ZERO, 7), Duration::ZERO);
    }
}
