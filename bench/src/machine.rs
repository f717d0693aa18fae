//! What the kernel knows of processes: their CPU time, their peak memory, and how busy the machine is.

use std::fs::{File, read_dir, read_to_string};
use std::io::Read as _;
use std::time::Instant;

use crate::error::{Context as _, Fault, Result};

/// Linux shows CPU times to programs in hundredths of a second on every architecture (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU that a process has used so far, in user space and in the kernel, all threads together.
///
/// # Errors
/// The process is gone.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = read_to_string(&path).context(&path)?;
    let ticks = cpu_ticks(&text).ok_or_else(|| Fault::new(format!("{path} cannot be read")))?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// The most memory that a process has held at once so far, in MB.
///
/// # Errors
/// The process is gone.
pub(crate) fn peak_rss_mb(pid: u32) -> Result<f64> {
    memory_mb(pid, "VmHWM:")
}

/// The memory that a process holds now, in MB.
///
/// # Errors
/// The process is gone.
pub(crate) fn rss_mb(pid: u32) -> Result<f64> {
    memory_mb(pid, "VmRSS:")
}

fn memory_mb(pid: u32, name: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = read_to_string(&path).context(&path)?;
    let kib = memory_kib(&text, name).ok_or_else(|| Fault::new(format!("{path} cannot be read")))?;
    Ok(kib as f64 * 1024.0 / 1e6)
}

/// How often the threads of a process that still run were taken off the processor: because they waited, and because their
/// time was over.
///
/// # Errors
/// The process is gone.
pub(crate) fn context_switches(pid: u32) -> Result<(u64, u64)> {
    let path = format!("/proc/{pid}/task");
    let (mut voluntary, mut involuntary) = (0, 0);
    for thread in read_dir(&path).context(&path)? {
        let status = thread.context(&path)?.path().join("status");
        // A thread may end while it is looked at.
        let Ok(text) = read_to_string(status) else {
            continue;
        };
        voluntary += field(&text, "voluntary_ctxt_switches:").unwrap_or_default();
        involuntary += field(&text, "nonvoluntary_ctxt_switches:").unwrap_or_default();
    }
    Ok((voluntary, involuntary))
}

/// How many system calls of a process have read or written files. Those on sockets are not among them.
///
/// # Errors
/// The process is gone.
pub(crate) fn reads_and_writes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/io");
    let text = read_to_string(&path).context(&path)?;
    let both = field(&text, "syscr:").zip(field(&text, "syscw:"));
    let (reads, writes) = both.ok_or_else(|| Fault::new(format!("{path} cannot be read")))?;
    Ok(reads + writes)
}

/// Nanoseconds that the cheapest system call takes here which a program can make by the standard library: reading one byte
/// of zeros.
///
/// # Errors
/// There is no `/dev/zero`.
pub(crate) fn bare_syscall_ns() -> Result<f64> {
    const PATH: &str = "/dev/zero";
    const CALLS: u32 = 100_000;
    let mut zeros = File::open(PATH).context(PATH)?;
    let mut byte = [0];
    let since = Instant::now();
    for _ in 0..CALLS {
        zeros.read_exact(&mut byte).context(PATH)?;
    }
    Ok(since.elapsed().as_nanos() as f64 / f64::from(CALLS))
}

/// The name of the program that a process runs, if there is such a process.
pub(crate) fn program(pid: u32) -> Option<String> {
    let name = read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// How many processes ran or waited to run over the last minute, on average.
pub(crate) fn load_average_1m() -> f64 {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().and_then(|number| number.parse().ok());
    first.unwrap_or_default()
}

/// How many processors there are for this process.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `utime` and `stime`, fields 14 and 15. The program's name before them stands in brackets and may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The number in the line that begins with `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().parse().ok()
}

fn memory_kib(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 12345 1000 200";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("42"), None);
    }

    #[test]
    fn peak_memory_is_the_high_water_mark() {
        let status = "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t   52340 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(memory_kib(status, "VmHWM:"), Some(52_340));
        assert_eq!(memory_kib("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn switches_of_both_kinds_are_told_apart() {
        let status = "voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(150));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), Some(545));
        assert_eq!(field(status, "syscr:"), None);
    }

    #[test]
    fn this_very_process_can_be_looked_at() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).is_ok());
        assert!(peak_rss_mb(pid).is_ok_and(|mb| mb > 0.1));
        assert!(program(pid).is_some());
        assert!(reads_and_writes(pid).is_ok_and(|calls| calls > 0));
        assert!(context_switches(pid).is_ok_and(|(voluntary, involuntary)| voluntary + involuntary > 0));
        assert!(bare_syscall_ns().is_ok_and(|ns| ns > 1.0));
    }
}
