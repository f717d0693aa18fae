//! One connection: hyper's half that sends, and the task that drives the other.

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::hosts::HostId;
use super::socket::Socket;

/// What is read ahead of a response at most, and so the size of its head: fifty times a server's usual headers, and
/// little enough that all receivers together, each with a head that never ends, leave our memory alone.
const READ_AHEAD: usize = 64 * 1024;

/// A connection that nobody else uses. Dropped, it is closed once what it is sending is sent.
pub(super) struct Connection {
    pub(super) sender: http1::SendRequest<Full<Bytes>>,
    pub(super) host: HostId,
    pub(super) id: u64,
    task: AbortHandle,
}

impl Connection {
    /// Speaks HTTP/1.1 on `socket`. The task that does so ends with the connection, and watches it while it is idle; `open`
    /// is dropped when it ends, however that comes.
    pub(super) async fn start(
        socket: Socket,
        host: HostId,
        id: u64,
        open: impl Send + 'static,
    ) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::Builder::new()
            // A response has 100 headers at most, which is the library's own bound; setting it costs a fill of as many each time.
            .max_buf_size(READ_AHEAD)
            .handshake::<_, Full<Bytes>>(TokioIo::new(socket))
            .await?;
        let task = tokio::spawn(async move {
            // Its error reaches whoever waits for a response; nobody else misses an idle connection.
            drop(connection.await);
            drop(open);
        });
        Ok(Self {
            sender,
            host,
            id,
            task: task.abort_handle(),
        })
    }

    /// Closes it now, whatever it is sending.
    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

/// A connection that a request is using. Dropped before its response is read, it is closed at once: no peer can hold
/// on to it by not reading what we send.
pub(super) struct InUse(Option<Connection>);

impl InUse {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Some(connection))
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
