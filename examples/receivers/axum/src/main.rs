//! Receives webhooks in the meeva and the standard format: checks who sent them over the raw body, takes each event once, answers,
//! and works afterwards.
//!
//! `SECRET=whsec_… cargo run`

#![allow(
    clippy::disallowed_methods,
    reason = "a program that stands for itself reads its own environment"
)]

use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// The longest body that is ever sent.
const MAX_BYTES: usize = 102_400;
/// What is older, in seconds, may be a recording.
const MAX_AGE: u64 = 300;
/// The ids of the last events that are remembered. They outlive no restart: a table with a unique column does.
const MOST_REMEMBERED: usize = 10_000;

struct Receiver {
    secret: String,
    /// What Standard Webhooks signs with; none where the secret is no such key.
    key: Option<Vec<u8>>,
    seen: Mutex<Seen>,
    /// What is done after the answer. It is lost with the process: a table of your own, written before the answer, is not.
    waiting: mpsc::Sender<(String, String)>,
}

#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// True the first time that this id comes.
    fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > MOST_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// What this receiver wants to know of an event.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
}

/// What stands behind `whsec_`, in base64.
fn standard_key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac)
}

/// Meeva's scheme: the body alone. The key is the secret as it is written, `whsec_` included.
fn holds_meeva(secret: &str, body: &[u8], signature: &str) -> Option<()> {
    let hex = signature.strip_prefix("sha256=").filter(|hex| hex.len() == 64)?;
    let pairs = hex.as_bytes().chunks(2);
    let given: Option<Vec<u8>> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    // Compares in the same time wherever they differ.
    mac(secret.as_bytes(), &[body])?.verify_slice(&given?).ok()
}

/// Standard Webhooks: id, time and body. There may be several signatures while a secret is replaced.
fn holds_standard(key: &[u8], body: &[u8], headers: &HeaderMap, signatures: &str) -> Option<()> {
    let text = |name| headers.get(name)?.to_str().ok();
    let (id, timestamp) = (text("webhook-id")?, text("webhook-timestamp")?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    if now.abs_diff(timestamp.parse().ok()?) > MAX_AGE {
        return None;
    }
    let signed = format!("{id}.{timestamp}.");
    let holds = |signature: &str| {
        let given = STANDARD.decode(signature.strip_prefix("v1,")?).ok()?;
        mac(key, &[signed.as_bytes(), body])?.verify_slice(&given).ok()
    };
    signatures.split(' ').find_map(holds)
}

/// Every signature that came has to hold, and one has to be there.
fn is_signed(receiver: &Receiver, headers: &HeaderMap, body: &[u8]) -> bool {
    let Receiver { secret, key, .. } = receiver;
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let meeva = text("meeva-signature");
    if meeva.is_some_and(|signature| holds_meeva(secret, body, signature).is_none()) {
        return false;
    }
    match (text("webhook-signature"), key) {
        (Some(signatures), Some(key)) => holds_standard(key, body, headers, signatures).is_some(),
        // With a key of the scheme there is always one; otherwise an attacker would leave it out.
        (_, key) => meeva.is_some() && key.is_none(),
    }
}

/// `body` holds the bytes as they came: JSON that is parsed and written again is another text.
async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    if !is_signed(&receiver, &headers, &body) {
        println!("refused: the signature does not match");
        return (StatusCode::UNAUTHORIZED, "Invalid signature");
    }
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let (Some(id), Ok(event)) = (id, serde_json::from_slice::<Event>(&body)) else {
        return (StatusCode::BAD_REQUEST, "Invalid event");
    };
    let is_new = receiver
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_new(id);
    if !is_new {
        println!("{id} duplicate");
        return (StatusCode::OK, "OK");
    }
    match receiver.waiting.send((id.to_owned(), event.event_type)).await {
        Ok(()) => (StatusCode::OK, "OK"),
        // It comes again.
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "Stopping"),
    }
}

async fn work(mut waiting: mpsc::Receiver<(String, String)>) {
    while let Some((id, event_type)) = waiting.recv().await {
        match event_type.as_str() {
            "booking.created" => println!("{id} new booking"),
            "booking.cancelled" => println!("{id} cancelled booking"),
            "booking.rescheduled" => println!("{id} moved booking"),
            // A type that this receiver does not know yet is no error.
            _ => println!("{id} ignored"),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let secret =
        std::env::var("SECRET").map_err(|_| "SECRET is not set: give it the endpoint's signing secret")?;
    let (sender, waiting) = mpsc::channel(MOST_REMEMBERED);
    tokio::spawn(work(waiting));
    let receiver = Arc::new(Receiver {
        key: standard_key(&secret),
        secret,
        seen: Mutex::default(),
        waiting: sender,
    });
    let router = Router::new()
        .route("/", post(receive))
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .with_state(receiver);
    let address = format!("{}:{}", variable("HOST", "127.0.0.1"), variable("PORT", "3000"));
    let listener = TcpListener::bind(&address).await?;
    println!("listening on http://{address}");
    axum::serve(listener, router).await?;
    Ok(())
}
