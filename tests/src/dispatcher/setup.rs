//! What a dispatcher is started with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::process::Command;

use super::program::{program, program_with_failpoints};
use super::{Dispatcher, STARTS_WITHIN};
use crate::ports::free_port;
use crate::services::services;
use crate::world::World;

/// The delays between attempts, where a scenario says nothing else.
pub const RETRY_SCHEDULE: &str = "1s,2s,3s";

/// A dispatcher that is about to be started.
pub struct Setup<'a> {
    world: &'a World,
    settings: BTreeMap<String, String>,
    flags: Vec<String>,
    /// What a shell does before it becomes the program, and where it sends what that writes.
    limits: Vec<String>,
    redirections: String,
    port: u16,
    is_unread: bool,
    program: PathBuf,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let port = free_port();
        let settings = [
            ("HOOKLINE_AMQP_URL", services().amqp_url.clone()),
            ("HOOKLINE_NAMESPACE", world.namespace().to_string()),
            (
                "HOOKLINE_ENDPOINTS_FILE",
                world.endpoints_file().display().to_string(),
            ),
            // Most scenarios that need no endpoint are about something else.
            ("HOOKLINE_ALLOW_NO_ENDPOINTS", "true".to_owned()),
            ("HOOKLINE_HTTP_ADDR", format!("127.0.0.1:{port}")),
            ("HOOKLINE_ALLOW_HTTP", "true".to_owned()),
            ("HOOKLINE_ALLOW_CIDRS", "127.0.0.0/8".to_owned()),
            ("HOOKLINE_RETRY_SCHEDULE", RETRY_SCHEDULE.to_owned()),
            ("HOOKLINE_LOG_FORMAT", "text".to_owned()),
        ];
        Self {
            world,
            settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
            flags: Vec::new(),
            limits: Vec::new(),
            redirections: String::new(),
            port,
            is_unread: false,
            program: program("hookline-dispatcher"),
        }
    }

    /// Another program than the product's, built beside the tests.
    #[must_use]
    pub fn program(mut self, name: &str) -> Self {
        self.program = program(name);
        self
    }

    /// The product's, built with failpoints by `make test-faults`: it is killed where it comes to this one for the first time, or
    /// as `common/src/failpoint.rs` reads it.
    ///
    /// # Panics
    /// When it has not been built.
    #[must_use]
    pub fn killed_at(mut self, point: &str) -> Self {
        self.program = program_with_failpoints();
        self.set("FAILPOINT", point)
    }

    /// With a stderr that nobody reads until [`Dispatcher::read_stderr`].
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.is_unread = true;
        self
    }

    /// With this environment variable.
    #[must_use]
    pub fn set(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.settings.insert(variable.to_owned(), value.into());
        self
    }

    /// Without this environment variable.
    #[must_use]
    pub fn unset(mut self, variable: &str) -> Self {
        self.settings.remove(variable);
        self
    }

    /// With this flag and its value.
    #[must_use]
    pub fn flag(mut self, flag: &str, value: impl Into<String>) -> Self {
        self.flags.extend([flag.to_owned(), value.into()]);
        self
    }

    /// With these limits of open files, the soft and the hard one.
    #[must_use]
    pub fn open_files(mut self, soft: u32, hard: u32) -> Self {
        self.limits
            .push(format!("ulimit -Sn {soft} && ulimit -Hn {hard}"));
        self
    }

    /// Allowed to write files of this size at most, in blocks of 512 bytes.
    #[must_use]
    pub fn file_blocks(mut self, blocks: u32) -> Self {
        self.limits.push(format!("ulimit -f {blocks}"));
        self
    }

    /// With stdout and stderr somewhere else, as a shell is told: `2>/dev/full`, say. Then its log is not seen here.
    #[must_use]
    pub fn redirected(mut self, redirections: &str) -> Self {
        redirections.clone_into(&mut self.redirections);
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(self) -> Arc<Dispatcher> {
        let dispatcher = self.launch();
        dispatcher.is_ready_within(STARTS_WITHIN).await;
        dispatcher
    }

    /// Starts it and waits for nothing.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn launch(self) -> Arc<Dispatcher> {
        let program = self.program;
        let mut command = if self.limits.is_empty() && self.redirections.is_empty() {
            Command::new(program)
        } else {
            let mut shell = Command::new("/bin/sh");
            let mut script = self.limits;
            script.push(format!("exec \"$0\" \"$@\" {}", self.redirections));
            shell.args(["-c", &script.join(" && ")]).arg(program);
            shell
        };
        command.args(&self.flags).env_clear().envs(&self.settings);
        let dispatcher = Arc::new(Dispatcher::spawn(command, self.port));
        if !self.is_unread {
            dispatcher.read_stderr();
        }
        self.world.adopt(Arc::clone(&dispatcher));
        dispatcher
    }
}
