//! The floor: the smallest programs that could do the dispatcher's work. Consume from the quorum queue, sign, POST,
//! acknowledge; one program for each HTTP client.
//!
//! No records, no retries, no guard, no limits, no reconnecting: the first fault ends them. They have the settings that
//! were fastest on two cores: 500 messages in hand, acknowledgements in batches of fifty, 64 connections kept alive,
//! TCP_NODELAY. This is one of the two places beside `hookline-common` that use the broker's client library directly,
//! because what the product's own door to the broker costs must show.

mod bare; // one HTTP/1 connection of hyper's for each worker
mod shared; // one reqwest client for all workers

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flume::{Receiver, Sender, unbounded};
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use sha2::Sha256;

use crate::amqp::{connect, short};
use crate::child;
use crate::clock::now_ns;
use crate::error::{Context as _, Fault, Result};
use crate::settings;

const PREFETCH: u16 = 500;
const WORKERS: usize = 64;
const ACK_BATCH: u64 = 50;

/// A message on its way through the floor.
struct Job {
    tag: u64,
    id: String,
    body: Bytes,
}

/// What a request carries.
struct Signed {
    id: String,
    timestamp: String,
    signature: String,
    body: Bytes,
}

/// Says when it consumes, and goes on until it is killed or its standard input ends.
///
/// # Errors
/// Anything that goes wrong.
pub(crate) async fn run(client: &str, queue: &str, url: &str, secret: &str) -> Result<()> {
    let key = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = STANDARD.decode(key).context("the secret")?;
    let key = Hmac::<Sha256>::new_from_slice(&key).context("the secret")?;
    let (_connection, channel) = connect(&settings::amqp_url()?, "hookline-bench floor").await?;
    let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
    qos.await.context("setting the prefetch")?;
    let consume = channel.basic_consume(
        short(queue),
        short(""),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let consumer = consume.await.context(queue)?;
    child::say(&()).await?;

    let (jobs, work) = unbounded();
    let (done, finished) = unbounded();
    let working = async {
        match client {
            "bare" => bare::work(WORKERS, url, key, work, done).await,
            "reqwest" => shared::work(WORKERS, url, key, work, done).await,
            _ => Err(Fault::new("the floor is bare or reqwest")),
        }
    };
    tokio::select! {
        ended = move_deliveries(consumer, jobs) => ended,
        ended = acknowledge(channel, finished) => ended,
        ended = working => ended,
        ended = child::answer_questions(async |(): ()| Ok(())) => ended,
    }
}

async fn move_deliveries(mut consumer: Consumer, jobs: Sender<Job>) -> Result<()> {
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery.context("consuming")?;
        let id = delivery.properties.message_id().as_ref();
        let job = Job {
            tag: delivery.delivery_tag,
            id: id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            body: delivery.data.into(),
        };
        jobs.send(job).context("passing a message on")?;
    }
    Err(Fault::new("the queue is gone"))
}

/// One acknowledgement for all finished tags that no unfinished one interrupts.
#[expect(
    clippy::disallowed_methods,
    reason = "the floor is measured against the product's Acker"
)]
async fn acknowledge(channel: Channel, finished: Receiver<u64>) -> Result<()> {
    let mut done = HashSet::new();
    let (mut next, mut acked) = (1, 0);
    while let Ok(tag) = finished.recv_async().await {
        done.insert(tag);
        while done.remove(&next) {
            next += 1;
        }
        let through = next - 1;
        if through - acked >= ACK_BATCH || (finished.is_empty() && through > acked) {
            let ack = channel.basic_ack(through, BasicAckOptions { multiple: true });
            ack.await.context("acknowledging")?;
            acked = through;
        }
    }
    Err(Fault::new("all workers have ended"))
}

/// Standard Webhooks: an HMAC over id, time and body.
fn sign(key: &Hmac<Sha256>, job: &Job) -> Signed {
    let timestamp = (now_ns() / 1_000_000_000).to_string();
    let mut mac = key.clone();
    for part in [job.id.as_bytes(), b".", timestamp.as_bytes(), b".", &job.body] {
        mac.update(part);
    }
    Signed {
        id: job.id.clone(),
        timestamp,
        signature: format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())),
        body: job.body.clone(),
    }
}
