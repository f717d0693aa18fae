//! A broker of the test's own, which it may stop, kill and start again.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, thread};

use crate::erlang::Erlang;
use crate::scripts::Started;
use crate::services::services;

/// Those that run and that no test has: Erlang takes six seconds of a processor to start one, and a tenth of that to empty it.
static SPARES: Mutex<Vec<Node>> = Mutex::new(Vec::new());
/// Lines of a log that are printed.
const ERRORS: usize = 100;
/// Where a node keeps the settings that it began with.
const SETTINGS: &str = "hookline_settings";

/// A RabbitMQ node in a folder of its own.
pub struct PrivateBroker {
    // Until it is given away.
    node: Option<Node>,
    runs: AtomicBool,
}

struct Node {
    started: Started,
    port: String,
    was_emptied: bool,
}

impl Node {
    /// Starts one. It may outlive the test where `with-services.sh` has named a folder: that one ends what runs there.
    async fn start() -> Self {
        let script = services().broker_script.clone();
        let started = match env::var_os("HOOKLINE_TEST_SPARES") {
            Some(spares) => Started::within(Path::new(&spares), script),
            None => Started::by(script),
        };
        started.run("start", &["auto"]).await;
        let port = started.run("port", &[]).await.trim().to_owned();
        let node = Self {
            started,
            port,
            was_emptied: false,
        };
        node.keeps_its_settings().await;
        node
    }

    /// What a test sets, the next one finds as it was.
    async fn keeps_its_settings(&self) {
        let keep = format!("persistent_term:put({SETTINGS}, application:get_all_env(rabbit)).");
        assert_eq!(self.erlang().evaluate(&keep).await, "ok");
    }

    /// Takes away all that the test before left on it: what it declared, whom it let in, and what it set.
    async fn is_emptied(&mut self) {
        self.was_emptied = true;
        // RabbitMQ 3.10 has it in the module of its database, and later ones may have another database.
        let empty = format!(
            "rabbit:stop(), case code:ensure_loaded(rabbit_db) of {{module, _}} -> rabbit_db:reset(); _ -> rabbit_mnesia:reset() end, \
             [application:set_env(rabbit, Key, Value) || {{Key, Value}} <- persistent_term:get({SETTINGS})], rabbit:start()."
        );
        assert_eq!(self.erlang().evaluate(&empty).await, "ok");
    }

    /// The last of what its log has of them, for a test that fails is not always to blame for that.
    fn errors(&self) -> String {
        let mut errors = Vec::new();
        for file in fs::read_dir(self.started.folder().join("log"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let text = fs::read(file.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            errors.extend(
                text.lines()
                    .filter(|line| line.contains("[error]"))
                    .map(str::to_owned),
            );
        }
        errors.split_off(errors.len().saturating_sub(ERRORS)).join("\n")
    }

    fn erlang(&self) -> Erlang<'_> {
        Erlang::of(self.started.script(), self.started.folder(), &self.port)
    }
}

impl PrivateBroker {
    /// Starts one, or takes one that another test is done with, as empty as a new one. It is not to be stopped: what is stored on
    /// one that was emptied does not outlive its process.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let spare = SPARES.lock().unwrap().pop();
        match spare {
            Some(mut spare) => {
                spare.is_emptied().await;
                Self::on(spare)
            }
            None => Self::start_new().await,
        }
    }

    /// Starts one that may be stopped, killed and started again.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_new() -> Self {
        Self::on(Node::start().await)
    }

    fn on(node: Node) -> Self {
        Self {
            node: Some(node),
            runs: AtomicBool::new(true),
        }
    }

    /// It is about to end.
    fn ends(&self) {
        assert!(
            !self.node().was_emptied,
            "what it stores would be lost: take one with `start_new`"
        );
        self.runs.store(false, Ordering::Relaxed);
    }

    fn node(&self) -> &Node {
        self.node.as_ref().expect("it has one until it is dropped")
    }

    async fn run(&self, command: &str, arguments: &[&str]) -> String {
        self.node().started.run(command, arguments).await
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.node().port)
    }

    /// Starts it again on the same port, with the data that it had.
    pub async fn start_again(&self) {
        self.run("start", &[&self.node().port]).await;
        self.node().keeps_its_settings().await;
        self.runs.store(true, Ordering::Relaxed);
    }

    /// Has it store which queues it has the logs of. It does so by itself half a second after they were declared, or a little
    /// later, and one that is killed before that has queues afterwards that never answer, or that it knows and cannot find.
    pub async fn has_stored_its_directory(&self) {
        let stored = self
            .evaluate("[ok = dets:sync(Table) || Table <- dets:all()], ok.")
            .await;
        assert_eq!(stored, "ok");
    }

    /// Kills it (SIGKILL), as a crash would.
    pub async fn kill(&self) {
        self.ends();
        self.run("kill", &[&self.node().port]).await;
    }

    /// Has it stop in order (SIGTERM): it tells its clients, and its data stays.
    pub async fn stop_in_order(&self) {
        self.ends();
        self.run("stop", &[&self.node().port]).await;
    }

    /// Kills it and takes away all that it has stored: started again, it is a broker with nothing on it.
    ///
    /// # Panics
    /// When its files cannot be removed.
    pub async fn lose_data(&self) {
        self.kill().await;
        fs::remove_dir_all(self.node().started.folder().join("mnesia")).expect("its data");
    }

    /// Has it evaluate an Erlang expression, and returns what that came to.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn evaluate(&self, expression: &str) -> String {
        self.node().erlang().evaluate(expression).await
    }

    /// Has `rabbitmqctl` do something on it, and returns what that printed.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn control(&self, arguments: &[&str]) -> String {
        self.run("ctl", &[&[self.node().port.as_str()], arguments].concat())
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
        format!("amqp://{name}:s3cret@127.0.0.1:{}/%2f", self.node().port)
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
}

impl Drop for PrivateBroker {
    /// Leaves it to other tests, where it runs and this one has not failed: then nobody knows what state it is in.
    fn drop(&mut self) {
        let node = self.node.take().expect("it is dropped once");
        let is_kept = env::var_os("HOOKLINE_TEST_SPARES").is_some();
        if thread::panicking() {
            eprintln!(
                "--- errors in the log of the broker at {}\n{}",
                node.port,
                node.errors()
            );
        } else if is_kept && *self.runs.get_mut() {
            SPARES.lock().unwrap().push(node);
        }
    }
}

/// Calls `what` with the process that writes a stream.
fn writer_of(stream: &str, what: &str) -> String {
    format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{stream}\">>)), {what}(amqqueue:get_pid(Q))."
    )
}
