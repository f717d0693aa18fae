//! Processes that the benchmark starts: each ends with it, and is ended by its pid.
//!
//! Those that are asked things answer one line of JSON for each line of JSON, and end when their input does: so none
//! outlives a benchmark that was killed.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, stdin, stdout};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::error::{Context as _, Fault, Result};
use crate::machine;

/// How long a process may take to start, and to end after it was killed.
const START_TIME: Duration = Duration::from_secs(20);

/// A process of ours.
pub(crate) struct Child {
    name: String,
    pid: u32,
    process: tokio::process::Child,
}

impl Child {
    /// Starts `command`; what it writes to stderr is added to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let log = open_log(log)?;
        let process = command
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .context(format_args!("starting {name}"))?;
        let pid = process
            .id()
            .ok_or_else(|| Fault::new(format!("{name} has no pid")))?;
        Ok(Self {
            name: name.to_owned(),
            pid,
            process,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Seconds of CPU used so far.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        machine::cpu_seconds(self.pid).context(&self.name)
    }

    /// The most memory held so far, in MB.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn peak_rss_mb(&self) -> Result<f64> {
        machine::peak_rss_mb(self.pid).context(&self.name)
    }

    /// The memory that it holds now, in MB.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn rss_mb(&self) -> Result<f64> {
        machine::rss_mb(self.pid).context(&self.name)
    }

    /// Fails where the process has ended by itself.
    ///
    /// # Errors
    /// It has.
    pub(crate) fn is_alive(&mut self) -> Result<()> {
        match self.process.try_wait().context(&self.name)? {
            None => Ok(()),
            Some(status) => Err(Fault::new(format!("{} ended by itself: {status}", self.name))),
        }
    }

    /// Lets a program begin that was held back by [`held`].
    ///
    /// # Errors
    /// It is gone.
    pub(crate) async fn release(&mut self) -> Result<()> {
        let input = self.process.stdin.as_mut();
        let input = input.ok_or_else(|| Fault::new(format!("{} has no input", self.name)))?;
        input
            .write_all(b"\n")
            .await
            .context(format_args!("starting {}", self.name))
    }

    /// Ends it at once. What it held unacknowledged lies in queues that are deleted after it.
    ///
    /// # Errors
    /// It does not end.
    pub(crate) async fn kill(mut self) -> Result<()> {
        match timeout(START_TIME, self.process.kill()).await {
            Ok(killed) => killed.context(format_args!("ending {}", self.name)),
            Err(_) => Err(Fault::new(format!("{} does not end", self.name))),
        }
    }
}

/// A command that waits for a line of its input before it becomes `program`, under the same pid: so that whoever counts what
/// the program does can begin before it does.
pub(crate) fn held(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "read -r _ && exec \"$0\" \"$@\""])
        .arg(program)
        .stdin(Stdio::piped());
    command
}

fn open_log(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    options.open(path).context(path.display())
}

fn this_program() -> Result<PathBuf> {
    std::env::current_exe().context("finding this program")
}

/// A process of ours that answers questions.
pub(crate) struct Helper {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Helper {
    /// Starts this program once more, as `arguments` say.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(name: &str, arguments: &[&str], log: &Path) -> Result<Self> {
        Self::spawn(name, Command::new(this_program()?), arguments, log)
    }

    /// The same, but held back until [`Self::release`].
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start_held(name: &str, arguments: &[&str], log: &Path) -> Result<Self> {
        Self::spawn(name, held(&this_program()?), arguments, log)
    }

    fn spawn(name: &str, mut command: Command, arguments: &[&str], log: &Path) -> Result<Self> {
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = Child::spawn(name, command, log)?;
        let pipes = (child.process.stdin.take(), child.process.stdout.take());
        let (Some(questions), Some(answers)) = pipes else {
            return Err(Fault::new(format!("{name} has no pipes")));
        };
        Ok(Self {
            child,
            questions,
            answers: BufReader::new(answers).lines(),
        })
    }

    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    /// Lets it begin where it was held back.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) async fn release(&mut self) -> Result<()> {
        let sent = self.questions.write_all(b"\n").await;
        sent.context(format_args!("starting {}", self.child.name))
    }

    /// The process alone, for one that is asked nothing more. Its input stays open: it ends with it.
    pub(crate) fn into_child(mut self) -> Child {
        self.child.process.stdin = Some(self.questions);
        self.child
    }

    /// The line that it prints when it has started.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn started<A: DeserializeOwned>(&mut self) -> Result<A> {
        self.answer(START_TIME).await
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// It fails, ends, or does not answer in time.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
        within: Duration,
    ) -> Result<A> {
        let mut line = serde_json::to_vec(question).context("writing a question")?;
        line.push(b'\n');
        let sent = self.questions.write_all(&line).await;
        sent.context(format_args!("asking {}", self.child.name))?;
        self.answer(within).await
    }

    async fn answer<A: DeserializeOwned>(&mut self, within: Duration) -> Result<A> {
        let name = self.child.name.clone();
        let line = timeout(within, self.answers.next_line()).await;
        let line = line
            .map_err(|_| Fault::new(format!("{name} has not answered within {within:?}")))?
            .context(format_args!("reading from {name}"))?
            .ok_or_else(|| Fault::new(format!("{name} has ended; see its log in target/bench")))?;
        serde_json::from_str(&line).context(format_args!("{name} said {line:?}"))
    }
}

/// The other side: answers each line of the input, until it ends.
///
/// # Errors
/// A question cannot be read or answered.
pub(crate) async fn answer_questions<Q, A>(mut answer: impl AsyncFnMut(Q) -> Result<A>) -> Result<()>
where
    Q: DeserializeOwned,
    A: Serialize,
{
    let mut questions = BufReader::new(stdin()).lines();
    while let Some(line) = questions.next_line().await.context("reading questions")? {
        let question = serde_json::from_str(&line).context("reading a question")?;
        say(&answer(question).await?).await?;
    }
    Ok(())
}

/// Prints one line for the parent process.
///
/// # Errors
/// The parent is gone.
pub(crate) async fn say(answer: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(answer).context("writing an answer")?;
    line.push(b'\n');
    let mut out = stdout();
    out.write_all(&line).await.context("answering")?;
    out.flush().await.context("answering")
}
