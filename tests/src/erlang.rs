//! What a broker's node evaluates for a test, in Erlang.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::scripts;

/// How often a node is called that refuses the connection, before the slower way is taken.
const CALLS: usize = 5;
const CALL_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What came of a call.
enum Called {
    Result(String),
    /// The node did not let us in.
    Refused,
    /// There is no such tool here.
    NotInstalled,
}

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
        // Erlang's own tool takes milliseconds of the processor, rabbitmqctl two seconds, which tests beside this one miss. Now and
        // then the node refuses its connection, for one that was made a moment before; nothing is evaluated then.
        for _ in 0..CALLS {
            match self.call(expression).await {
                Called::Result(result) => return result,
                Called::Refused => sleep(CALL_AGAIN_AFTER).await,
                Called::NotInstalled => break,
            }
        }
        let arguments = [self.port, "eval", expression];
        scripts::run(self.script, "ctl", self.folder, &arguments).await
    }

    async fn call(&self, expression: &str) -> Called {
        let Some(mut call) = self.erl_call() else {
            return Called::NotInstalled;
        };
        let mut stdin = call.stdin.take().expect("a pipe");
        // A full stop ends an expression only where something stands behind it. One that is not connected may have ended.
        let line = format!("{expression}\n");
        drop(stdin.write_all(line.as_bytes()).await);
        drop(stdin);
        let output = call.wait_with_output().await.expect("erl_call ends");
        let said = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let result = said
            .trim()
            .strip_prefix("{ok, ")
            .and_then(|rest| rest.strip_suffix('}'));
        match result {
            Some(result) => Called::Result(result.to_owned()),
            None if said.is_empty() && stderr.contains("failed to connect") => Called::Refused,
            None => panic!("{expression}: {said} {stderr}"),
        }
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
