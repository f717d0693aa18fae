//! A collector of traces: a process that takes spans over HTTP, counts them and forgets them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};

use crate::child::{self, Helper};
use crate::error::{Context as _, Result};
use crate::settings::Settings;

/// Where a request of OTLP has its spans: in the first field of its groups by sender, which have groups by library in their second
/// field, which have spans in theirs.
const WAY_TO_SPANS: [u64; 3] = [1, 2, 2];

/// 512 spans of less than a kilobyte are half a megabyte.
const MAX_EXPORT_BYTES: usize = 8 << 20;

/// How many spans have come since the start.
#[derive(Debug, Serialize, Deserialize)]
struct Count;

/// The process, as a scenario speaks to it.
pub(crate) struct Collector {
    helper: Helper,
    port: u16,
}

impl Collector {
    /// Starts it; it listens at once.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(settings: &Settings) -> Result<Self> {
        let mut helper = Helper::start(
            "the collector",
            &["collector"],
            &settings.folder.join("collector.log"),
        )?;
        let port = helper.started().await?;
        Ok(Self { helper, port })
    }

    /// Where it takes them.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many spans have come since the start.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) async fn spans(&mut self) -> Result<u64> {
        self.helper.ask(&Count, Duration::from_secs(20)).await
    }
}

/// Listens and counts until the standard input ends.
///
/// # Errors
/// There is no port.
pub(crate) async fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listening")?;
    let port = listener.local_addr().context("listening")?.port();
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, Arc::clone(&counted)));
        }
    });
    child::say(&port).await?;
    child::answer_questions(async |_: Count| Ok(count.load(Ordering::Relaxed))).await
}

async fn serve(socket: TcpStream, count: Arc<AtomicU64>) {
    let service = service_fn(move |request| take(request, Arc::clone(&count)));
    // How a connection ends is the sender's affair.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service)
            .await,
    );
}

async fn take(
    request: Request<Incoming>,
    count: Arc<AtomicU64>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    let message = read(request.into_body()).await;
    match message.and_then(|message| spans(&message, &WAY_TO_SPANS)) {
        Some(spans) => {
            count.fetch_add(spans, Ordering::Relaxed);
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

/// A whole request; none where it is cut off or longer than any export of ours.
async fn read(mut body: Incoming) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            message.extend_from_slice(&data);
        }
        if message.len() > MAX_EXPORT_BYTES {
            return None;
        }
    }
    Some(message)
}

/// How many fields there are at the end of the way; none where this is no protobuf.
fn spans(message: &[u8], way: &[u64]) -> Option<u64> {
    let (wanted, way) = way.split_first()?;
    let (mut rest, mut count) = (message, 0);
    while !rest.is_empty() {
        let key;
        (key, rest) = varint(rest)?;
        let length = match key & 7 {
            0 => {
                (_, rest) = varint(rest)?;
                continue;
            }
            1 => 8,
            5 => 4,
            2 => {
                let length;
                (length, rest) = varint(rest)?;
                usize::try_from(length).ok()?
            }
            _ => return None,
        };
        let field;
        (field, rest) = rest.split_at_checked(length)?;
        if key >> 3 == *wanted && key & 7 == 2 {
            count += if way.is_empty() { 1 } else { spans(field, way)? };
        }
    }
    Some(count)
}

/// A number of protobuf, seven bits a byte, and what comes after it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds this, which is shorter than 128 bytes.
    fn field(number: u8, inner: &[u8]) -> Vec<u8> {
        let mut field = vec![(number << 3) | 2, inner.len() as u8];
        field.extend_from_slice(inner);
        field
    }

    #[test]
    fn spans_of_all_groups_are_counted_and_nothing_else() {
        let span = field(2, &field(5, b"POST"));
        // A number, eight bytes and four bytes stand between them.
        let numbers = [8, 0x96, 1, 17, 0, 0, 0, 0, 0, 0, 0, 0, 29, 0, 0, 0, 0];
        let group = field(2, &[field(1, b"hookline"), span.clone(), span].concat());
        let sender = field(
            1,
            &[field(1, b"resource"), group.clone(), numbers.to_vec(), group].concat(),
        );
        assert_eq!(spans(&[sender.clone(), sender].concat(), &WAY_TO_SPANS), Some(8));
        assert_eq!(spans(&[], &WAY_TO_SPANS), Some(0));
    }

    #[test]
    fn what_is_cut_off_is_no_message() {
        let whole = field(1, &field(2, &field(2, b"span")));
        for length in 1..whole.len() {
            assert_eq!(spans(&whole[..length], &WAY_TO_SPANS), None, "{length}");
        }
    }
}
