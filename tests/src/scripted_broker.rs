//! The other end of an AMQP connection, frame by frame: it answers what is published by what stands in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xce;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is confirmed at once.
    Ack,
    /// It is refused at once.
    Nack,
    /// It is confirmed right after the next one that comes back.
    AckAfterReturn,
    /// It comes back, and is confirmed behind those that waited for that.
    Return,
}

/// A broker without queues. It goes with its owner, and its connections with it.
pub struct ScriptedBroker {
    port: u16,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    _accepting: JoinSet<()>,
}

/// A message that is on its way.
#[derive(Default)]
struct Published {
    exchange: Vec<u8>,
    routing_key: Vec<u8>,
    header: Vec<u8>,
    length: usize,
    body: Vec<u8>,
}

/// What a channel has published.
#[derive(Default)]
struct Traffic {
    number: u64,
    coming: Published,
    waiting: Vec<u64>,
}

impl ScriptedBroker {
    /// One that answers each body as `script` says.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(script: impl Fn(&[u8]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (script, seen) = (Arc::new(script), Arc::default());
        let log: Arc<Mutex<Vec<Vec<u8>>>> = Arc::clone(&seen);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                // Whoever leaves ends it.
                talks.spawn(async move { drop(talk(stream, &*script, &log).await) });
            }
        });
        Self {
            port,
            seen,
            _accepting: accepting,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// All bodies that came, in their order.
    ///
    /// # Panics
    /// When a connection has panicked.
    #[must_use]
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().clone()
    }
}

async fn talk(
    mut stream: TcpStream,
    script: &(dyn Fn(&[u8]) -> Answer + Send + Sync),
    seen: &Mutex<Vec<Vec<u8>>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; 8]).await?;
    let start = [&[0, 9][..], &[0; 4], &long(b"PLAIN"), &long(b"en_US")].concat();
    stream.write_all(&method(0, (10, 10), &start)).await?;
    let mut channels = HashMap::<u16, Traffic>::new();
    loop {
        let mut head = [0; 7];
        stream.read_exact(&mut head).await?;
        let [kind, a, b, length @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes(length) as usize + 1];
        stream.read_exact(&mut payload).await?;
        payload.pop();
        let id = u16::from_be_bytes([a, b]);
        let traffic = channels.entry(id).or_default();
        let answer = match kind {
            METHOD => called(id, traffic, &payload),
            HEADER => {
                traffic.coming.length = payload[4..12]
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                traffic.coming.header = payload;
                traffic.complete(id, script, seen)
            }
            BODY => {
                traffic.coming.body.extend(payload);
                traffic.complete(id, script, seen)
            }
            _ => Vec::new(),
        };
        stream.write_all(&answer).await?;
    }
}

/// What is answered to a method.
fn called(id: u16, traffic: &mut Traffic, payload: &[u8]) -> Vec<u8> {
    let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
    match (number(0), number(2)) {
        // No heartbeats, and large frames.
        (10, 11) => method(
            0,
            (10, 30),
            &[&[7, 255][..], &131_072_u32.to_be_bytes(), &[0, 0]].concat(),
        ),
        (10, 40) => method(0, (10, 41), &[0]),
        (10, 50) => method(0, (10, 51), &[]),
        (20, 10) => method(id, (20, 11), &[0; 4]),
        (20, 40) => method(id, (20, 41), &[]),
        (85, 10) => method(id, (85, 11), &[]),
        (60, 40) => {
            let (exchange, rest) = short(&payload[6..]);
            traffic.coming = Published {
                exchange: exchange.to_vec(),
                routing_key: short(rest).0.to_vec(),
                ..Published::default()
            };
            Vec::new()
        }
        _ => Vec::new(),
    }
}

impl Traffic {
    /// What is answered once the message is whole.
    fn complete(
        &mut self,
        id: u16,
        script: &(dyn Fn(&[u8]) -> Answer + Send + Sync),
        seen: &Mutex<Vec<Vec<u8>>>,
    ) -> Vec<u8> {
        if self.coming.body.len() < self.coming.length {
            return Vec::new();
        }
        let message = std::mem::take(&mut self.coming);
        self.number += 1;
        let number = self.number;
        seen.lock().unwrap().push(message.body.clone());
        let ack = |number: u64| method(id, (60, 80), &[&number.to_be_bytes()[..], &[0]].concat());
        match script(&message.body) {
            Answer::Ack => ack(number),
            Answer::Nack => method(id, (60, 120), &[&number.to_be_bytes()[..], &[0]].concat()),
            Answer::AckAfterReturn => {
                self.waiting.push(number);
                Vec::new()
            }
            Answer::Return => {
                let mut answer = message.returned(id);
                answer.extend(self.waiting.drain(..).chain([number]).flat_map(ack));
                answer
            }
        }
    }
}

impl Published {
    fn returned(&self, id: u16) -> Vec<u8> {
        let counted = |text: &[u8]| [&[u8::try_from(text.len()).unwrap()][..], text].concat();
        let reason = [&312_u16.to_be_bytes()[..], &counted(b"NO_ROUTE")].concat();
        let arguments = [reason, counted(&self.exchange), counted(&self.routing_key)].concat();
        [
            method(id, (60, 50), &arguments),
            frame(HEADER, id, &self.header),
            frame(BODY, id, &self.body),
        ]
        .concat()
    }
}

fn method(id: u16, (class, number): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    let payload = [&class.to_be_bytes()[..], &number.to_be_bytes(), arguments].concat();
    frame(METHOD, id, &payload)
}

fn frame(kind: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [
        &[kind][..],
        &id.to_be_bytes(),
        &length.to_be_bytes(),
        payload,
        &[FRAME_END],
    ]
    .concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat()
}

/// A short string, and what stands behind it.
fn short(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes[1..].split_at(usize::from(bytes[0]))
}
