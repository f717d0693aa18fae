//! A real HTTP/1.1 receiver: it keeps what comes exactly as it came, and answers by a script.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::answer::{Answer, What};
use crate::eventually::eventually;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// `POST`, one hopes.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The protocol's version.
    pub version: Version,
    /// All headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
    /// When its head was there.
    pub arrived: Instant,
    /// The wall clock then, in seconds since the epoch.
    pub arrived_unix: i64,
    /// When the answer was handed to the connection, or the connection closed.
    pub ended: Option<Instant>,
    /// The status of the answer, if there was one.
    pub answered: Option<u16>,
}

impl Received {
    /// A header as text, or "" where there is none.
    ///
    /// # Panics
    /// When it is there more than once, or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map_or("", |value| value.to_str().expect("a text"));
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    /// The event's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Which attempt it says it is.
    ///
    /// # Panics
    /// When it does not say.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.header("webhook-attempt").parse().expect("a number")
    }

    /// Whether it was answered 2xx.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.answered.is_some_and(|status| (200..300).contains(&status))
    }
}

type Script = Box<dyn FnMut(&Received) -> Answer + Send>;

struct Shared {
    connections: AtomicUsize,
    open: AtomicUsize,
    log: Mutex<Vec<Received>>,
    /// The ids of all that was answered 2xx.
    delivered: Mutex<HashSet<String>>,
    script: Mutex<Script>,
}

/// A receiver on a port of its own; it goes with its last owner.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Receiver {
    /// One that answers every request in the same way.
    pub async fn answering(answer: Answer) -> Self {
        Self::scripted(move |_| answer.clone()).await
    }

    /// One that answers by a script.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn scripted(script: impl FnMut(&Received) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            log: Mutex::default(),
            delivered: Mutex::default(),
            script: Mutex::new(Box::new(script)),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            port,
            shared,
            accepting,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// From now on it answers like this.
    ///
    /// # Panics
    /// When a script has panicked.
    pub fn answer_now(&self, answer: Answer) {
        *self.shared.script.lock().unwrap() = Box::new(move |_| answer.clone());
    }

    /// All requests so far, in the order of their arrival.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Those that were answered 2xx.
    #[must_use]
    pub fn accepted(&self) -> Vec<Received> {
        let mut requests = self.requests();
        requests.retain(Received::is_accepted);
        requests
    }

    /// How many requests have come.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.log.lock().unwrap().len()
    }

    /// How many events have been answered 2xx, each counted once: known without a look at all requests.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.shared.delivered.lock().unwrap().len()
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits until it knows that each connection is closed: until then a request may be answered that nobody waits for.
    pub async fn is_left_within(&self, within: Duration) {
        eventually(within, "nobody is connected", async || {
            (self.shared.open.load(Ordering::Relaxed) == 0).then_some(())
        })
        .await;
    }

    /// Waits until `count` requests have come and ended, and returns all that have come.
    ///
    /// # Panics
    /// When they do not come, or a script has panicked.
    pub async fn expect(&self, count: usize, within: Duration) -> Vec<Received> {
        let what = format!("{count} requests at port {}", self.port);
        eventually(within, &what, async || {
            // Looked at where they are, and copied once: there may be many.
            let requests = self.shared.log.lock().unwrap();
            let ended = requests.iter().filter(|request| request.ended.is_some()).count();
            (ended >= count).then(|| requests.clone())
        })
        .await
    }

    /// Waits for the one request there should be.
    ///
    /// # Panics
    /// When there are more.
    pub async fn expect_one(&self, within: Duration) -> Received {
        let mut requests = self.expect(1, within).await;
        assert_eq!(requests.len(), 1, "one request: {requests:#?}");
        requests.remove(0)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Its connections go with the receiver: a stopped one refuses and resets, as a stopped server does.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        while connections.try_join_next().is_some() {}
        shared.open.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            serve(stream, Arc::clone(&shared)).await;
            shared.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { shared.answer(request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // Ends with an error where the script closes it.
    drop(connection.await);
}

impl Shared {
    async fn answer(&self, request: hyper::Request<Incoming>) -> Result<Response<Full<Bytes>>, &'static str> {
        let (arrived, arrived_unix) = (Instant::now(), jiff::Timestamp::now().as_second());
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| "half a body")?.to_bytes();
        let received = Received {
            method: head.method,
            path: head.uri.to_string(),
            version: head.version,
            headers: head.headers,
            body,
            arrived,
            arrived_unix,
            ended: None,
            answered: None,
        };
        let answer = (*self.script.lock().unwrap())(&received);
        let position = {
            let mut log = self.log.lock().unwrap();
            log.push(received);
            log.len() - 1
        };
        sleep(answer.after).await;
        if let Some(mut gate) = answer.gate {
            drop(gate.wait_for(|open| *open).await);
        }
        let end = |status| {
            let request = &mut self.log.lock().unwrap()[position];
            (request.ended, request.answered) = (Some(Instant::now()), status);
            if request.is_accepted()
                && let Some(id) = request.headers.get("webhook-id")
            {
                let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
                self.delivered.lock().unwrap().insert(id);
            }
        };
        match answer.what {
            What::Hang => std::future::pending().await,
            What::Close => {
                end(None);
                Err("closed by the script")
            }
            What::Status(status, headers, body) => {
                end(Some(status));
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                Ok(response.body(Full::new(body)).expect("an answer"))
            }
        }
    }
}
