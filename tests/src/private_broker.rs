//! A broker of the test's own, which it may stop, kill and start again.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::scripts::Started;
use crate::services::services;

/// A RabbitMQ node in a folder of its own.
pub struct PrivateBroker {
    node: Started,
    port: String,
}

impl PrivateBroker {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let mut broker = Self {
            node: Started::by(services().broker_script.clone()),
            port: "auto".to_owned(),
        };
        broker.start_again().await;
        broker.port = broker.node.run("port", &[]).await.trim().to_owned();
        broker
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Starts it again on the same port, with the data that it had.
    pub async fn start_again(&self) {
        self.node.run("start", &[&self.port]).await;
    }

    /// Kills it (SIGKILL), as a crash would.
    pub async fn kill(&self) {
        self.node.run("kill", &[&self.port]).await;
    }

    /// Has it stop in order (SIGTERM): it tells its clients, and its data stays.
    pub async fn stop_in_order(&self) {
        self.node.run("stop", &[&self.port]).await;
    }

    /// Kills it and takes away all that it has stored: started again, it is a broker with nothing on it.
    ///
    /// # Panics
    /// When its files cannot be removed.
    pub async fn lose_data(&self) {
        self.kill().await;
        std::fs::remove_dir_all(self.node.folder().join("mnesia")).expect("its data");
    }

    /// Has it evaluate an Erlang expression, and returns what that came to.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn evaluate(&self, expression: &str) -> String {
        // Erlang's own tool takes milliseconds of the processor, rabbitmqctl two seconds, which scenarios beside this one miss.
        let Some(mut call) = self.erl_call() else {
            return self.control(&["eval", expression]).await;
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
            .env("HOME", self.node.folder().join("home"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()
    }

    /// Has `rabbitmqctl` do something on it, and returns what that printed.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn control(&self, arguments: &[&str]) -> String {
        self.node
            .run("ctl", &[&[self.port.as_str()], arguments].concat())
            .await
    }

    /// Makes an account that may do everything but what `write` (a pattern) leaves out, and returns its URL.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn account(&self, name: &str, write: &str) -> String {
        let added =
            format!("rabbit_auth_backend_internal:add_user(<<\"{name}\">>, <<\"s3cret\">>, <<\"tests\">>).");
        assert_eq!(self.evaluate(&added).await, "ok");
        self.may_write(name, write).await;
        format!("amqp://{name}:s3cret@127.0.0.1:{}/%2f", self.port)
    }

    /// What an account may write to from now on. A channel keeps what it was allowed for some seconds.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn may_write(&self, name: &str, write: &str) {
        let texts = [name, "/", ".*", write, ".*", "tests"].map(|text| format!("<<{text:?}>>"));
        let set = format!(
            "rabbit_auth_backend_internal:set_permissions({}).",
            texts.join(", ")
        );
        assert_eq!(self.evaluate(&set).await, "ok");
    }

    /// Lets the stream `name` stand still: it is there, and confirms nothing; reading goes on. Not for ever: see
    /// [`PrivateBroker::let_go_on`].
    pub async fn hold_stream(&self, name: &str) {
        self.evaluate(&writer_of(name, "sys:suspend")).await;
    }

    /// Lets it go on: whatever was written meanwhile is stored.
    pub async fn let_go_on(&self, name: &str) {
        self.evaluate(&writer_of(name, "sys:resume")).await;
    }

    /// Ends it and everything that belongs to it.
    pub async fn stop(self) {
        self.node.run("stop", &[&self.port]).await;
    }
}

/// Calls `what` with the process that writes a stream.
fn writer_of(stream: &str, what: &str) -> String {
    format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{stream}\">>)), {what}(amqqueue:get_pid(Q))."
    )
}
