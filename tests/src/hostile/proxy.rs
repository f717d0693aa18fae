//! A web proxy with a script: it makes tunnels, or says why not, and remembers who asked for what.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::raw::RawRequest;

/// What the proxy does with a request.
#[derive(Debug, Clone)]
pub enum Tunnel {
    /// Connects to this address, and makes a tunnel.
    To(String),
    /// Answers with these bytes and closes.
    Say(String),
    /// Says nothing.
    Hang,
    /// Closes.
    HangUp,
}

impl Tunnel {
    /// An answer with this status and these further header lines.
    #[must_use]
    pub fn refuse(status: u16, headers: &str) -> Self {
        Self::Say(format!(
            "HTTP/1.1 {status} Because\r\n{headers}Content-Length: 2\r\n\r\nno"
        ))
    }
}

/// A proxy on a port of 127.0.0.1. It goes with its owner, and its tunnels with it.
pub struct WebProxy {
    port: u16,
    asked: Arc<Mutex<Vec<RawRequest>>>,
    _accepting: JoinSet<()>,
}

impl WebProxy {
    /// One that asks `script` about each request: it is given the destination and the value of `Proxy-Authorization`.
    ///
    /// # Panics
    /// When there is no port to listen on.
    pub async fn start(script: impl Fn(&str, Option<&str>) -> Tunnel + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", script).await
    }

    /// The same at `address`.
    ///
    /// # Panics
    /// When it cannot listen there.
    pub async fn listen(
        address: &str,
        script: impl Fn(&str, Option<&str>) -> Tunnel + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("an address to listen on");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                tunnels.spawn(async move {
                    // How a tunnel ends is between its two ends.
                    drop(serve(client, &log, &*script).await);
                });
            }
        });
        Self {
            port,
            asked,
            _accepting: accepting,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far: heads, or whatever came instead.
    ///
    /// # Panics
    /// When a script has panicked.
    #[must_use]
    pub fn asked(&self) -> Vec<RawRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// The first lines of what it was asked.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let first = |request: &RawRequest| request.head.lines().next().unwrap_or_default().to_owned();
        self.asked().iter().map(first).collect()
    }
}

async fn serve(
    mut client: TcpStream,
    log: &Mutex<Vec<RawRequest>>,
    script: impl Fn(&str, Option<&str>) -> Tunnel,
) -> std::io::Result<()> {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        if client.read_buf(&mut heard).await? == 0 {
            return Ok(());
        }
    }
    let request = RawRequest {
        head: String::from_utf8_lossy(&heard).trim_end().to_owned(),
        body: Vec::new(),
    };
    log.lock().unwrap().push(request.clone());
    let destination = request.head.split(' ').nth(1).unwrap_or_default();
    let credentials = request.values("proxy-authorization");
    match script(destination, credentials.first().copied()) {
        Tunnel::To(address) => {
            let mut there = TcpStream::connect(address).await?;
            client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            copy_bidirectional(&mut client, &mut there).await?;
        }
        Tunnel::Say(answer) => client.write_all(answer.as_bytes()).await?,
        Tunnel::Hang => while client.read_buf(&mut heard).await? > 0 {},
        Tunnel::HangUp => {}
    }
    Ok(())
}
