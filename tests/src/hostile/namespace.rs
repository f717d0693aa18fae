//! A network that leads nowhere: every address on earth is this machine, and each packet and each connection that
//! somebody begins is counted by the kernel.

use std::process::Stdio;

use tokio::process::Command;

use super::not_run;

/// Set in the processes that run inside.
const INSIDE: &str = "HOOKLINE_TEST_NAMESPACE";

/// Brings up loopback, makes every address a local one, puts files in the place of the machine's own, and then becomes
/// the program that it is given.
const SET_UP: &str = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo \
                      && mount --bind \"$1/hosts\" /etc/hosts && mount --bind \"$1/resolv.conf\" /etc/resolv.conf \
                      && shift && exec \"$@\"";

/// The files there: one name that is nowhere else, and one server with a search list.
const FILES: [(&str, &str); 2] = [
    (
        "hosts",
        "127.0.0.1 localhost\n127.0.0.1 only-in-hosts.example.com\n",
    ),
    (
        "resolv.conf",
        "nameserver 127.0.0.1\nsearch search.example.com\noptions ndots:5\n",
    ),
];

/// Runs the test `name` of this program again, inside such a network. Where the machine has none to give, that is said in one
/// line, and nothing is run.
///
/// # Panics
/// When the test fails there.
pub async fn run_inside(name: &str) {
    let folder = tempfile::TempDir::new().expect("a folder");
    for (file, text) in FILES {
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    // Without being root a namespace of users comes first; some machines give that to nobody, root included.
    let mut reason = String::new();
    for options in [
        ["--net", "--mount"].as_slice(),
        &["--user", "--map-root-user", "--net", "--mount"],
    ] {
        let mut command = Command::new("unshare");
        command
            .args(options)
            .args(["sh", "-ec", SET_UP, "sh"])
            .arg(folder.path())
            .env(INSIDE, "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        match try_out(command).await {
            Ok(command) => return run(command, name).await,
            Err(why) => reason = why,
        }
    }
    not_run(
        name,
        &format!("this machine gives no network namespace ({reason})"),
    );
}

/// Whether the namespace comes to be, before the test is held responsible.
async fn try_out(command: Command) -> Result<Command, String> {
    let mut trial = Command::new(command.as_std().get_program());
    trial
        .args(command.as_std().get_args())
        .arg("true")
        .stdin(Stdio::null());
    let output = trial
        .output()
        .await
        .map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(command);
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(reason.lines().next().unwrap_or("no reason given").to_owned())
}

async fn run(mut command: Command, name: &str) {
    let this = std::env::current_exe().expect("this program has a path");
    let output = command
        .arg(this)
        .args(["--exact", name, "--nocapture"])
        .output()
        .await
        .expect("the namespace was there a moment ago");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "inside the namespace:\n{stdout}\n{stderr}"
    );
    assert!(
        stdout.contains("1 passed"),
        "{name} is not the name of a test:\n{stdout}"
    );
}

/// Whether this process runs inside such a network.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// What the kernel has counted in this network so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections that somebody here began, whatever became of them.
    pub connects: u64,
    /// Packets of any kind.
    pub packets: u64,
}

impl Counts {
    /// Reads the kernel's counters.
    ///
    /// # Panics
    /// When they are not where Linux keeps them.
    #[must_use]
    pub fn now() -> Self {
        let read = |path| std::fs::read_to_string(path).expect("the kernel's counters");
        let snmp = read("/proc/self/net/snmp");
        let mut tcp = snmp.lines().filter(|line| line.starts_with("Tcp:"));
        let (names, values) = (tcp.next().expect("names"), tcp.next().expect("values"));
        let mut pairs = names.split_whitespace().zip(values.split_whitespace());
        let connects = pairs.find(|(name, _)| *name == "ActiveOpens");
        let interfaces = read("/proc/self/net/dev");
        let loopback = interfaces
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("lo:"));
        // The tenth number is packets sent; what loopback sends it also receives.
        let packets = loopback.and_then(|line| line.split_whitespace().nth(9));
        let number = |text: &str| text.parse().expect("a number");
        Self {
            connects: number(connects.expect("a counter").1),
            packets: number(packets.expect("a counter")),
        }
    }
}
