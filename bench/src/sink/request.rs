//! What is read of a request: who it is for, what it carries, and, of a sample, whether its signatures are right.

use std::borrow::Cow;

use bytes::Bytes;
use hookline_common::secret::Secret;
use hookline_common::signature::{verify_meeva, verify_standard};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderMap;

use super::behaviour::Behaviour;
use super::ledger::Arrival;
use crate::clock::now_ns;
use crate::error::{Context as _, Fault, Result};
use crate::names;

/// Of so many requests one has its signatures checked: often enough to be sure, too rarely to cost anything.
const SAMPLE: u32 = 101;
/// No request of ours is longer.
const MOST_BYTES: usize = 256 * 1024;

/// A request that was read.
pub(super) struct Read {
    pub(super) behaviour: Behaviour,
    /// Who remembers what came before it.
    pub(super) receiver: Cow<'static, str>,
    pub(super) arrival: Arrival,
}

/// Reads a request to its end.
///
/// # Errors
/// It is none of ours.
pub(super) async fn read(request: hyper::Request<Incoming>) -> Result<Read> {
    let (head, body) = request.into_parts();
    let (behaviour, endpoint) =
        Behaviour::of_path(head.uri.path()).ok_or_else(|| Fault::new("a path that no endpoint has"))?;
    let id = text(&head.headers, "webhook-id");
    let (run, number) = names::parse_event_id(id).ok_or_else(|| Fault::new("no id of ours"))?;
    let is_sample = number % SAMPLE == 0;
    let body = read_body(body, is_sample).await?;
    let arrival = Arrival {
        run,
        number,
        nth: names::nth_of(endpoint).ok_or_else(|| Fault::new("an endpoint of no number"))?,
        // Floors make one attempt and do not number it.
        attempt: text(&head.headers, "webhook-attempt").parse().unwrap_or(1),
        published_ns: published_ns(&body).ok_or_else(|| Fault::new("no time of publishing"))?,
        at_ns: now_ns(),
        verified: is_sample.then(|| is_genuine(endpoint, id, &head.headers, &body)),
    };
    Ok(Read {
        behaviour,
        receiver: behaviour.receiver(endpoint),
        arrival,
    })
}

/// The whole body, or only its beginning where nobody needs the rest.
async fn read_body(mut body: Incoming, whole: bool) -> Result<Bytes> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.context("reading a body")?;
        let Some(data) = frame.data_ref() else { continue };
        seen += data.len();
        if seen > MOST_BYTES {
            return Err(Fault::new("a body longer than any of ours"));
        }
        if whole {
            all.extend_from_slice(data);
        } else if first.is_empty() {
            first = data.clone();
        }
    }
    Ok(if whole { all.into() } else { first })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Data begins with the time of its publishing, whatever envelope is around it.
fn published_ns(body: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"{\"t\":";
    let head = body.get(..body.len().min(512))?;
    let start = head.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let digits = head.get(start..)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// Whether every signature that is there is right; the one of Standard Webhooks must be there.
fn is_genuine(endpoint: &str, id: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let Ok(secret) = Secret::parse(&names::secret(endpoint)) else {
        return false;
    };
    let secrets = [secret];
    let now = i64::try_from(now_ns() / 1_000_000_000).unwrap_or(i64::MAX);
    let (timestamp, signatures) = (
        text(headers, "webhook-timestamp"),
        text(headers, "webhook-signature"),
    );
    let meeva = text(headers, "meeva-signature");
    verify_standard(&secrets, id, timestamp, signatures, body, now).is_ok()
        && (meeva.is_empty() || verify_meeva(&secrets, meeva, body).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_publishing_is_found_in_an_envelope_and_without_one() {
        let data = br#"{"t":1700000000123456789,"n":1}"#;
        assert_eq!(published_ns(data), Some(1_700_000_000_123_456_789));
        let envelope = br#"{"id":"evt_1","type":"booking.created","createdAt":"x","data":{"t":17,"n":1}}"#;
        assert_eq!(published_ns(envelope), Some(17));
        assert_eq!(published_ns(b"{}"), None);
        assert_eq!(published_ns(b"{\"t\":1"), None);
    }
}
