//! Reading a response: the head decides; the body is read for the log, and dropped where it is long, slow or broken.

use hookline_common::record::AttemptRecord;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use tokio::time::{Instant, timeout_at};

/// How much of a body is read, so that the connection can be used again after a short one.
const BODY_BYTES: usize = 16 * 1024;

/// What a receiver answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The first bytes of the body.
    pub body: Vec<u8>,
    /// Whether the body was cut off, by its sender or by us.
    pub body_incomplete: bool,
}

/// Reads as much of the body as is worth it, until `read_until` at the latest.
pub(super) async fn read(response: Response<Incoming>, read_until: Instant) -> Answer {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let is_whole = incoming.is_end_stream()
        || timeout_at(read_until, fill(&mut body, &mut incoming))
            .await
            .unwrap_or(false);
    Answer {
        status: head.status,
        headers: head.headers,
        body,
        body_incomplete: !is_whole,
    }
}

/// Keeps what a record has room for. Returns whether the body was read to its end.
async fn fill(body: &mut Vec<u8>, incoming: &mut Incoming) -> bool {
    let mut seen = 0;
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else { continue };
        let room = AttemptRecord::RESPONSE_BYTES.saturating_sub(body.len());
        body.extend_from_slice(&data[..data.len().min(room)]);
        seen += data.len();
        if seen > BODY_BYTES {
            return false;
        }
    }
    true
}
