//! What the kernel knows of processes: their CPU time, their peak memory, and how busy the machine is.

use std::fs::read_to_string;

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
    let path = format!("/proc/{pid}/status");
    let text = read_to_string(&path).context(&path)?;
    let kib = high_water_kib(&text).ok_or_else(|| Fault::new(format!("{path} cannot be read")))?;
    Ok(kib as f64 * 1024.0 / 1e6)
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

fn high_water_kib(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
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
        assert_eq!(high_water_kib(status), Some(52_340));
        assert_eq!(high_water_kib("Name:\tx\n"), None);
    }

    #[test]
    fn this_very_process_can_be_looked_at() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).is_ok());
        assert!(peak_rss_mb(pid).is_ok_and(|mb| mb > 0.1));
        assert!(program(pid).is_some());
    }
}
