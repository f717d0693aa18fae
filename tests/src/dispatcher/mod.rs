//! The real `hookline-dispatcher` as a child process: started with settings, asked whether it is ready, killed.

mod program;
mod setup;

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

pub use self::program::{program, program_with_failpoints};
pub use self::setup::{RETRY_SCHEDULE, Setup};
use crate::eventually::{SOON, eventually};
use crate::http;

/// What scenarios reckon that one dispatcher has in flight for one endpoint. By default it may have more once it has seen that the
/// endpoint bears them; a scenario that would see so many says how many there may be.
pub const IN_FLIGHT: usize = 32;

/// How long a dispatcher may take to become ready.
pub const STARTS_WITHIN: Duration = SOON;

/// A running dispatcher. It is killed when its world ends, if it still runs.
pub struct Dispatcher {
    child: tokio::sync::Mutex<Child>,
    pid: u32,
    port: u16,
    stderr: Mutex<Option<ChildStderr>>,
    lines: Arc<Mutex<Vec<String>>>,
    /// Ends when all that it wrote has been read.
    reading: Mutex<Option<JoinHandle<()>>>,
    is_over: Mutex<bool>,
}

impl Dispatcher {
    fn spawn(mut command: Command, port: u16) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the dispatcher starts");
        let pid = child.id().expect("a running child has a pid");
        Self {
            pid,
            port,
            stderr: Mutex::new(child.stderr.take()),
            lines: Arc::default(),
            reading: Mutex::default(),
            is_over: Mutex::new(false),
            child: tokio::sync::Mutex::new(child),
        }
    }

    /// Reads from now on what it writes.
    ///
    /// # Panics
    /// When it is read already.
    pub fn read_stderr(&self) {
        let log = Arc::clone(&self.lines);
        let stderr = self.stderr.lock().unwrap().take().expect("nobody reads it yet");
        let reading = tokio::spawn(async move {
            let mut stderr = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = stderr.next_line().await {
                log.lock().unwrap().push(line);
            }
        });
        *self.reading.lock().unwrap() = Some(reading);
    }

    /// The port that probes ask.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it has a handler for the signal with this number.
    pub async fn catches(&self, signal: u32, within: Duration) {
        let path = format!("/proc/{}/status", self.pid);
        eventually(within, &format!("signal {signal} is caught"), async || {
            let status = std::fs::read_to_string(&path).ok()?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
            (caught >> (signal - 1) & 1 == 1).then_some(())
        })
        .await;
    }

    /// What it is called in what a failed test prints.
    #[must_use]
    pub fn name(&self) -> String {
        format!("pid {} port {}", self.pid, self.port)
    }

    /// What it has written so far: all of it, once its end has been waited for.
    ///
    /// # Panics
    /// When the reader has panicked.
    #[must_use]
    pub fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Asks one of its routes.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Result<http::Page, String> {
        let url: Url = format!("http://127.0.0.1:{}{path}", self.port)
            .parse()
            .expect("a URL");
        http::get(&url).await
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        self.get("/readyz").await.is_ok_and(|page| page.status == 200)
    }

    /// Waits until it holds no message of any queue: stopped before, it would give some back.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub async fn has_let_go_within(&self, within: Duration) {
        eventually(within, "the dispatcher has nothing in hand", async || {
            let metrics = self.get("/metrics").await.ok()?.body;
            let in_hand = |line: &&str| line.starts_with("hookline_messages_in_hand{");
            let mut samples = metrics.lines().filter(in_hand).peekable();
            samples.peek()?;
            samples.all(|line| line.ends_with(" 0")).then_some(())
        })
        .await;
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready, or has ended.
    pub async fn is_ready_within(&self, within: Duration) {
        eventually(within, "the dispatcher is ready", async || {
            if let Some(status) = self.ended().await {
                panic!("the dispatcher ended with {status}:\n{}", self.log());
            }
            self.is_ready().await.then_some(())
        })
        .await;
    }

    /// Waits for a line of its log that contains `text`.
    pub async fn says(&self, text: &str, within: Duration) -> String {
        eventually(within, &format!("the log says {text:?}"), async || {
            let lines = self.lines.lock().unwrap();
            lines.iter().find(|line| line.contains(text)).cloned()
        })
        .await
    }

    async fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().await.try_wait().expect("a child of ours")
    }

    /// Whether it has ended by itself, however that came.
    ///
    /// # Panics
    /// When it is no child of ours.
    pub async fn has_ended(&self) -> bool {
        let has_ended = self.ended().await.is_some();
        if has_ended {
            *self.is_over.lock().unwrap() = true;
        }
        has_ended
    }

    /// The sum of a metric's samples, over all its labels, or none where there is no sample.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let page = self.get("/metrics").await.ok()?.body;
        let samples = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_it = rest.starts_with('{') || rest.starts_with(' ');
            is_it
                .then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())
                .flatten()
        });
        samples.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// Waits until a metric has this value: what it counts can be seen elsewhere a moment before it is counted.
    ///
    /// # Panics
    /// When it does not come to it.
    pub async fn shows(&self, name: &str, value: f64) {
        eventually(SOON, &format!("{name} is {value}"), async || {
            (self.metric(name).await == Some(value)).then_some(())
        })
        .await;
    }

    /// What the kernel says of the process (proc_pid_status(5)).
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn proc_status(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("a running process")
    }

    /// What the process has resident, in KiB: now, and at the worst since [`Dispatcher::forget_peak`].
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn resident_kb(&self) -> (u64, u64) {
        let status = self.proc_status();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let text = line.expect(name).trim().trim_end_matches(" kB");
            text.parse().expect("a number")
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// The processor's time that it has taken so far.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("a running process");
        // What stands behind the name, which may hold anything; user and system time are its 12th and 13th words, in hundredths
        // of a second (proc_pid_stat(5)).
        let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = words
            .skip(11)
            .take(2)
            .map(|word| word.parse::<u64>().expect("a number"));
        Duration::from_millis(10 * ticks.sum::<u64>())
    }

    /// Has the kernel forget what was resident at the worst.
    ///
    /// # Panics
    /// When it has ended.
    pub fn forget_peak(&self) {
        // 5 is the peak (proc_pid_clear_refs(5)).
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5").expect("a process of ours");
    }

    /// Waits for its end, however it comes, and for all that it wrote.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ends_within(&self, within: Duration) -> ExitStatus {
        let mut child = self.child.lock().await;
        let ended = timeout(within, child.wait()).await;
        *self.is_over.lock().unwrap() = true;
        let status = ended
            .unwrap_or_else(|_| panic!("the dispatcher has not ended within {within:?}"))
            .expect("a child of ours");
        let reading = self.reading.lock().unwrap().take();
        if let Some(reading) = reading {
            let read = timeout(SOON, reading).await;
            read.expect("its log ends with it").expect("its log is read");
        }
        status
    }

    /// Asks it to stop (SIGTERM) and waits for nothing.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Sends it a signal, named as `kill` wants it. After `STOP` it stands.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid.to_string()])
            .status()
            .await;
        assert!(sent.expect("kill runs").success(), "pid {} is gone", self.pid);
        if name == "STOP" {
            // `kill` comes back before each of its threads stands: until then it may still answer, and deliver.
            eventually(SOON, "all its threads stand", async || {
                self.threads_stand().then_some(())
            })
            .await;
        }
    }

    fn threads_stand(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).expect("a running process");
        threads.flatten().all(|thread| {
            // One that has ended meanwhile does nothing any more.
            let status = std::fs::read_to_string(thread.path().join("status"));
            status.map_or(true, |status| status.contains("State:\tT"))
        })
    }

    /// Asks it to stop, and makes sure that it does so as it should.
    ///
    /// # Panics
    /// When it does not exit with 0 in time.
    pub async fn stop(&self) {
        if *self.is_over.lock().unwrap() {
            return;
        }
        self.terminate().await;
        let status = self.ends_within(SOON).await;
        assert_eq!(
            status.code(),
            Some(0),
            "a dispatcher that is asked to stop exits with 0"
        );
    }

    /// Kills it (SIGKILL), if it still runs, and waits until it is gone.
    ///
    /// # Panics
    /// When it is no child of ours.
    pub async fn kill(&self) {
        if std::mem::replace(&mut *self.is_over.lock().unwrap(), true) {
            return;
        }
        self.child.lock().await.kill().await.expect("killed");
    }
}
