//! What a broker's node evaluates for a test, in Erlang.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::scripts;

/// A node that `broker.sh` started, as its AMQP port tells which of its ports is for Erlang.
pub(crate) struct Erlang<'a> {
    script: &'a Path,
    folder: &'a Path,
    port: &'a str,
}

impl<'a> Erlang<'a> {
    /// Of the node in a folder.
    pub(crate) fn of(script: &'a Path, folder: &'a Path, port: &'a str) -> Self {
        Self { script, folder, port }
    }

    /// Has it evaluate an expression, and returns what that came to.
    ///
    /// # Panics
    /// When it cannot.
    pub(crate) async fn evaluate(&self, expression: &str) -> String {
        // Erlang's own tool takes milliseconds of the processor, rabbitmqctl two seconds, which tests beside this one miss.
        let Some(mut call) = self.erl_call() else {
            let arguments = [self.port, "eval", expression];
            return scripts::run(self.script, "ctl", self.folder, &arguments).await;
        };
        let mut stdin = call.stdin.take().expect("a pipe");
        // A full stop ends an expression only where something stands behind it.
        let line = format!("{expression}\n");
        stdin.write_all(line.as_bytes()).await.expect("it reads");
        drop(stdin);
        let output = call.wait_with_output().await.expect("erl_call ends");
        let said = String::from_utf8_lossy(&output.stdout);
        let result = said
            .trim()
            .strip_prefix("{ok, ")
            .and_then(|rest| rest.strip_suffix('}'));
        let stderr = String::from_utf8_lossy(&output.stderr);
        result
            .unwrap_or_else(|| panic!("{expression}: {said} {stderr}"))
            .to_owned()
    }

    /// Erlang's tool for one expression, connected to this node, where it is installed.
    fn erl_call(&self) -> Option<Child> {
        let port: u16 = self.port.parse().expect("a port");
        // See broker.sh for the ports of a node; its cookie lies in the home that it has there.
        Command::new("erl_call")
            .args(["-e", "-address", &format!("localhost:{}", port + 3)])
            .env("HOME", self.folder.join("home"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()
    }
}
