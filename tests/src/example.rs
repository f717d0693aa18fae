//! A program of `examples/` that listens on a port: started, waited for, and its lines read.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::dispatcher::STARTS_WITHIN;
use crate::eventually::eventually;
use crate::http;

/// A running program; it is killed when it is dropped. It must outlive the scenario: its answer comes after its line.
pub struct Example {
    name: String,
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
    _child: Child,
}

impl Example {
    /// Starts it with this command, which is told by `PORT` where to listen and by `SECRET` what to verify with, and waits until
    /// it answers.
    ///
    /// # Panics
    /// When it ends, or does not listen.
    pub async fn start(name: &str, mut command: Command, secret: &str, port: u16) -> Self {
        let mut child = command
            .env("PORT", port.to_string())
            .env("SECRET", secret)
            .env_remove("HOST")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = Arc::default();
        listen(child.stdout.take().unwrap(), &lines);
        listen(child.stderr.take().unwrap(), &lines);
        let anywhere = format!("http://127.0.0.1:{port}/").parse().unwrap();
        eventually(STARTS_WITHIN, name, async || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{name} ended with {ended:?}: {lines:?}");
            http::get(&anywhere).await.ok()
        })
        .await;
        Self {
            name: name.to_owned(),
            port,
            lines,
            _child: child,
        }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has printed so far, on both streams.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn listen(stream: impl AsyncRead + Send + Unpin + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    tokio::spawn(async move {
        let mut stream = BufReader::new(stream).lines();
        while let Ok(Some(line)) = stream.next_line().await {
            lines.lock().unwrap().push(line);
        }
    });
}

impl Drop for Example {
    fn drop(&mut self) {
        // What a program said explains why its test failed.
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.lines().join("\n"));
        }
    }
}
