//! A name server with a script, which remembers who asked for what. Over UDP, and over TCP what is too long for that.

use std::sync::{Arc, Mutex};

use hookline_dispatcher::client::Resolver;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::names::{Question, Record, Reply, answer, of, read_question, truncated};
use super::rig::resolver;

/// What a datagram of an answer may take: what resolvers ask for, because longer ones get lost on some ways.
const LONGEST_DATAGRAM: usize = 1232;

type Script = Box<dyn Fn(&Question, usize) -> Reply + Send>;

/// A name server on a port of 127.0.0.1. It goes with its owner.
pub struct NameServer {
    port: u16,
    heard: Arc<Heard>,
    _answering: JoinSet<()>,
}

/// What was asked, and what is said to it.
struct Heard {
    script: Mutex<Script>,
    asked: Mutex<Vec<Question>>,
    by_tcp: Mutex<Vec<Question>>,
}

/// A message that answers a question which ended at a byte of it.
struct Answer {
    message: Vec<u8>,
    question_end: usize,
}

impl NameServer {
    /// One whose `script` is given each question and how often the very same was asked before.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn start(script: impl Fn(&Question, usize) -> Reply + Send + 'static) -> Self {
        Self::listen("127.0.0.1:0", script).await
    }

    /// The same at `address`.
    ///
    /// # Panics
    /// When it cannot listen there.
    pub async fn listen(address: &str, script: impl Fn(&Question, usize) -> Reply + Send + 'static) -> Self {
        let (udp, tcp) = sockets(address).await;
        let port = udp.local_addr().expect("an address").port();
        let heard = Arc::new(Heard {
            script: Mutex::new(Box::new(script)),
            asked: Mutex::default(),
            by_tcp: Mutex::default(),
        });
        let mut answering = JoinSet::new();
        answering.spawn(answer_datagrams(udp, Arc::clone(&heard)));
        answering.spawn(answer_streams(tcp, Arc::clone(&heard)));
        Self {
            port,
            heard,
            _answering: answering,
        }
    }

    /// One that knows these records and nothing else.
    pub async fn knowing(records: Vec<Record>) -> Self {
        Self::start(move |question, _| of(question, &records)).await
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A resolver that asks it.
    #[must_use]
    pub fn resolver(&self) -> Resolver {
        resolver(self.port, &[])
    }

    /// What it was asked so far.
    ///
    /// # Panics
    /// When the script has panicked.
    #[must_use]
    pub fn asked(&self) -> Vec<Question> {
        self.heard.asked.lock().unwrap().clone()
    }

    /// What of that it was asked over TCP.
    ///
    /// # Panics
    /// When the script has panicked.
    #[must_use]
    pub fn asked_by_tcp(&self) -> Vec<Question> {
        self.heard.by_tcp.lock().unwrap().clone()
    }

    /// How often it was asked for this kind of record of any name.
    #[must_use]
    pub fn asked_for(&self, kind: &str) -> usize {
        self.asked()
            .iter()
            .filter(|question| question.kind == kind)
            .count()
    }
}

/// Sockets of both kinds with the same port. One that is free for the one may be taken for the other.
async fn sockets(address: &str) -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind(address).await.expect("an address to listen on");
        let here = udp.local_addr().expect("an address");
        if let Ok(tcp) = TcpListener::bind(here).await {
            return (udp, tcp);
        }
    }
    panic!("no port of {address} is free for UDP and TCP");
}

impl Heard {
    /// The answer to a query, when it is time for it, if there is one.
    async fn answer(&self, query: &[u8], is_tcp: bool) -> Option<Answer> {
        let (question, question_end) = read_question(query)?;
        let before = {
            let mut asked = self.asked.lock().unwrap();
            let before = asked.iter().filter(|other| **other == question).count();
            asked.push(question.clone());
            before
        };
        if is_tcp {
            self.by_tcp.lock().unwrap().push(question.clone());
        }
        let reply = (self.script.lock().unwrap())(&question, before);
        let reply = match reply {
            Reply::Late(delay, reply) => {
                sleep(delay).await;
                *reply
            }
            reply => reply,
        };
        let message = answer(query, question_end, &question, reply)?;
        Some(Answer {
            message,
            question_end,
        })
    }
}

async fn answer_datagrams(socket: UdpSocket, heard: Arc<Heard>) {
    let socket = Arc::new(socket);
    let mut answering = JoinSet::new();
    let mut buffer = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let (socket, heard, query) = (Arc::clone(&socket), Arc::clone(&heard), buffer[..length].to_vec());
        while answering.try_join_next().is_some() {}
        answering.spawn(async move {
            let Some(answer) = heard.answer(&query, false).await else {
                return;
            };
            let message = if answer.message.len() > LONGEST_DATAGRAM {
                truncated(answer.message, answer.question_end)
            } else {
                answer.message
            };
            drop(socket.send_to(&message, from).await);
        });
    }
}

async fn answer_streams(listener: TcpListener, heard: Arc<Heard>) {
    let mut answering = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let heard = Arc::clone(&heard);
        answering.spawn(async move { drop(answer_stream(stream, &heard).await) });
    }
}

/// One query after the other, each behind its length.
async fn answer_stream(mut stream: TcpStream, heard: &Heard) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut query = vec![0; length.into()];
        stream.read_exact(&mut query).await?;
        if let Some(Answer { message, .. }) = heard.answer(&query, true).await {
            stream
                .write_u16(u16::try_from(message.len()).expect("no longer"))
                .await?;
            stream.write_all(&message).await?;
        }
    }
}
