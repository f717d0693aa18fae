//! What the kernel is asked to do by a process: system calls, context switches, wake-ups. Counted by `perf stat` from the
//! program's first instruction on; where that is not to be had, by `/proc`, which knows less.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child as Process, Command};
use tokio::time::timeout;

use crate::error::{Context as _, Fault, Result};
use crate::machine;

/// How long perf may take to begin, and to end.
const PERF_TIME: Duration = Duration::from_secs(20);
const SYSCALLS: &str = "raw_syscalls:sys_enter";
const SWITCHES: &str = "context-switches";
const WAKEUPS: &str = "sched:sched_wakeup";

/// Counts of a whole process, from its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    pub(crate) from: CountedBy,
    /// System calls; where `/proc` counts, only those that read or write files, which those on sockets are not.
    pub(crate) syscalls: f64,
    pub(crate) context_switches: f64,
    /// Threads that it woke; where `/proc` counts, how often its own threads went to sleep, and so were woken.
    pub(crate) wakeups: f64,
}

/// Who counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountedBy {
    Perf,
    Proc,
}

impl Counts {
    /// Each of them divided by `count`.
    pub(crate) fn for_each_of(self, count: f64) -> Self {
        Self {
            syscalls: self.syscalls / count,
            context_switches: self.context_switches / count,
            wakeups: self.wakeups / count,
            ..self
        }
    }
}

/// Counts what one process does.
pub(crate) struct Counter {
    pid: u32,
    /// perf, which ends when its input does. None where it cannot count here.
    perf: Option<Process>,
}

impl Counter {
    /// Begins to count what process `pid` does, and those threads that it starts.
    pub(crate) async fn attach(pid: u32) -> Self {
        let perf = start_perf(pid).await.ok();
        Self { pid, perf }
    }

    /// The counts up to now.
    ///
    /// # Errors
    /// The process is gone, or perf does not end.
    pub(crate) async fn finish(self) -> Result<Counts> {
        let Some(mut perf) = self.perf else {
            return from_proc(self.pid);
        };
        drop(perf.stdin.take());
        let mut text = String::new();
        if let Some(mut output) = perf.stderr.take() {
            let read = timeout(PERF_TIME, output.read_to_string(&mut text)).await;
            let read = read.map_err(|_| Fault::new("perf does not end"))?;
            read.context("reading from perf")?;
        }
        perf.wait().await.context("perf")?;
        // Where the kernel lacks one of the events, perf begins all the same, and says so only now.
        parse_perf(&text).map_or_else(|| from_proc(self.pid), Ok)
    }
}

/// Counts until its input ends: that is what the command beside it waits for. It says so when it counts.
async fn start_perf(pid: u32) -> Result<Process> {
    const WHAT: &str = "perf";
    let events = [SYSCALLS, SWITCHES, WAKEUPS].join(",");
    let mut perf = Command::new("perf")
        .env("LC_ALL", "C")
        .args(["stat", "-x", ",", "-e", &events, "-p", &pid.to_string(), "--"])
        .args(["sh", "-c", "echo counting; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context(WHAT)?;
    let output = perf.stdout.take().ok_or_else(|| Fault::new(WHAT))?;
    let first = timeout(PERF_TIME, BufReader::new(output).lines().next_line()).await;
    match first.map_err(|_| Fault::new(WHAT))?.context(WHAT)? {
        Some(_) => Ok(perf),
        None => Err(Fault::new("perf cannot count here")),
    }
}

/// Lines of `value,unit,event,…`.
fn parse_perf(text: &str) -> Option<Counts> {
    let value = |event: &str| {
        let line = text.lines().find(|line| line.split(',').nth(2) == Some(event))?;
        line.split(',').next()?.parse::<f64>().ok()
    };
    Some(Counts {
        from: CountedBy::Perf,
        syscalls: value(SYSCALLS)?,
        context_switches: value(SWITCHES)?,
        wakeups: value(WAKEUPS)?,
    })
}

fn from_proc(pid: u32) -> Result<Counts> {
    let (voluntary, involuntary) = machine::context_switches(pid)?;
    Ok(Counts {
        from: CountedBy::Proc,
        syscalls: machine::reads_and_writes(pid)? as f64,
        context_switches: (voluntary + involuntary) as f64,
        wakeups: voluntary as f64,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_lines_of_perf_are_read_by_their_events() {
        let text = "# started\n1234,,raw_syscalls:sys_enter,500,100.00,,\n\
                    7,,context-switches,500,100.00,0.1,K/sec\n99,,sched:sched_wakeup,500,100.00,,\n";
        let counts = parse_perf(text).unwrap();
        assert_eq!(
            (counts.syscalls, counts.context_switches, counts.wakeups),
            (1234.0, 7.0, 99.0)
        );
        assert_eq!(counts.for_each_of(2.0).syscalls, 617.0);
        assert_eq!(
            parse_perf("<not supported>,,raw_syscalls:sys_enter,0,0,,\n"),
            None
        );
        assert_eq!(parse_perf(""), None);
    }

    #[test]
    fn without_perf_proc_knows_of_this_process() {
        let counts = from_proc(std::process::id()).unwrap();
        assert!(counts.syscalls > 0.0);
        assert_eq!(counts.from, CountedBy::Proc);
    }
}
