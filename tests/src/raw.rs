//! A receiver that shows the bytes as they come, and answers with bytes of the test's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::eventually::eventually;

/// One request a connection; every byte is kept.
pub struct RawReceiver {
    port: u16,
    requests: Arc<Mutex<Vec<RawRequest>>>,
    accepting: JoinHandle<()>,
}

/// A request in bytes.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// Request line and headers, up to the empty line.
    pub head: String,
    /// What came after it.
    pub body: Vec<u8>,
}

impl RawRequest {
    /// The header lines whose name is `name`, whatever its case.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        let lines = self
            .head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

impl RawReceiver {
    /// One that answers every request with these bytes and closes.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn answering(answer: &'static [u8]) -> Self {
        Self::dripping(answer, b"", Duration::ZERO).await
    }

    /// One that answers with these bytes, and then adds `more` of them after each pause for as long as it is listened to.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn dripping(answer: &'static [u8], more: &'static [u8], pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    if let Some(mut stream) = hear(stream, &log).await {
                        drop(stream.write_all(answer).await);
                        while !more.is_empty() && stream.write_all(more).await.is_ok() {
                            sleep(pause).await;
                        }
                        drop(stream.shutdown().await);
                    }
                });
            }
        });
        Self {
            port,
            requests,
            accepting,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Waits for `count` requests and returns all that have come.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn expect(&self, count: usize, within: Duration) -> Vec<RawRequest> {
        eventually(within, "raw requests", async || {
            let requests = self.requests.lock().unwrap().clone();
            (requests.len() >= count).then_some(requests)
        })
        .await
    }
}

impl Drop for RawReceiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn hear(mut stream: TcpStream, log: &Mutex<Vec<RawRequest>>) -> Option<TcpStream> {
    let mut bytes = Vec::new();
    loop {
        if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return None;
        }
        if let Some(request) = whole(&bytes) {
            log.lock().unwrap().push(request);
            return Some(stream);
        }
    }
}

/// The request, once all that its Content-Length promises is there.
fn whole(bytes: &[u8]) -> Option<RawRequest> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut request = RawRequest {
        head: String::from_utf8_lossy(&bytes[..end]).into_owned(),
        body: bytes[end + 4..].to_vec(),
    };
    let promised: usize = request.values("content-length").first()?.parse().ok()?;
    if request.body.len() < promised {
        return None;
    }
    request.body.shrink_to_fit();
    Some(request)
}
