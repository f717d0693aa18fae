//! The receivers of `examples/receivers`, each held against a certificate. What this machine has no toolchain for is named.

use std::path::Path;
use std::process::Stdio;

use hookline_tests::dispatcher::program;
use hookline_tests::endpoint::SECRET;
use hookline_tests::example::Example;
use hookline_tests::ports::free_port;
use hookline_tests::{World, eventually, scenario};
use tokio::process::Command;

use crate::SOON;
use crate::certify::{certify, named};
use crate::conformance::library::{packages, project};
use crate::seed_receivers::all_running;

/// A secret that only Meeva's scheme can use, as an existing one may be.
const OLD_SECRET: &str = "correct horse battery staple";

/// It passes; in whichever ways it may be better, `advice` names them.
async fn passes(world: &World, url: &str, format: &str, secret: &str, advice: &[&str]) {
    let more = ["--format", format, "--secret", secret];
    let (code, report) = certify(world, url, &more).await;
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(named(&report, "advice"), advice, "{report}");
}

/// A receiver of those that take the formats `meeva` and `standard`.
struct Started {
    url: String,
    program: Example,
}

/// Starts it with this command, which is told where to listen, and waits until it does.
async fn start(command: Command, secret: &str, port: u16) -> Started {
    Started {
        url: format!("http://127.0.0.1:{port}/"),
        program: Example::start("the receiver", command, secret, port).await,
    }
}

impl Started {
    /// How many lines end like this, once there are `count`.
    async fn says(&self, end: &str, count: usize) {
        let what = format!("{count} lines {end:?}");
        eventually(SOON, &what, async || {
            let lines = self.program.lines();
            let found = lines.iter().filter(|line| line.ends_with(end)).count();
            assert!(found <= count, "{end:?}: {found}: {lines:?}");
            (found == count).then_some(())
        })
        .await;
    }
}

/// Whether a program is on this machine.
#[expect(
    clippy::print_stderr,
    reason = "what was not run is told whoever reads the tests"
)]
async fn has(program: &str, flag: &str) -> bool {
    let version = Command::new(program)
        .arg(flag)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    let is_there = version.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!(
            "NOT RUN: the receiver of examples/receivers that needs {program}, which is not on this machine"
        );
    }
    is_there
}

#[tokio::test]
async fn those_in_node_and_python_pass() {
    let receivers = all_running(SECRET, "").await;
    scenario(async |world| {
        for receiver in &receivers {
            let (_, format, url) = receiver.addressed();
            passes(world, &url, format, SECRET, &[]).await;
        }
    })
    .await;
}

#[tokio::test]
async fn those_of_meeva_pass_with_a_secret_that_is_no_key_of_standard_webhooks() {
    let receivers = all_running(OLD_SECRET, "meeva").await;
    scenario(async |world| {
        for receiver in &receivers {
            let (_, format, url) = receiver.addressed();
            passes(world, &url, format, OLD_SECRET, &[]).await;
        }
    })
    .await;
}

#[tokio::test]
async fn those_of_meetergo_pass_without_a_secret() {
    let receivers = all_running("", "meetergo").await;
    scenario(async |world| {
        for receiver in &receivers {
            let (_, format, url) = receiver.addressed();
            let (code, report) = certify(world, &url, &["--format", format]).await;
            assert_eq!(code, Some(0), "{report}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_one_in_rust_passes_and_works_once_for_each_event() {
    scenario(async |world| {
        let receiver = start(Command::new(program("receiver-axum")), SECRET, free_port()).await;
        passes(world, &receiver.url, "standard", SECRET, &[]).await;
        // One of the life, one in another spelling, one that came three times, one last of its booking, the largest, ten, one in drips,
        // and five.
        receiver.says("new booking", 21).await;
        receiver.says("duplicate", 2).await;
        receiver.says("moved booking", 2).await;
        receiver.says("cancelled booking", 2).await;
        passes(world, &receiver.url, "meeva", SECRET, &[]).await;
        let old = start(Command::new(program("receiver-axum")), OLD_SECRET, free_port()).await;
        passes(world, &old.url, "meeva", OLD_SECRET, &[]).await;
    })
    .await;
}

#[tokio::test]
async fn the_one_in_go_passes() {
    if !has("go", "version").await {
        return;
    }
    scenario(async |world| {
        let built = world.path("receiver");
        let status = Command::new("go")
            .args(["build", "-o"])
            .arg(&built)
            .current_dir(project().join("examples/receivers/go"))
            .env("GOFLAGS", "-mod=mod")
            .env("GOCACHE", world.path("go-cache"))
            .status()
            .await
            .unwrap();
        assert!(status.success());
        for secret in [SECRET, OLD_SECRET] {
            let receiver = start(Command::new(&built), secret, free_port()).await;
            passes(world, &receiver.url, "meeva", secret, &[]).await;
            if secret == SECRET {
                passes(world, &receiver.url, "standard", secret, &[]).await;
            }
            receiver
                .says("cancelled booking", if secret == SECRET { 4 } else { 2 })
                .await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_one_in_php_passes_and_its_work_is_done_afterwards() {
    // What its publisher needs brings PHP itself, where this machine may install it.
    drop(packages("php", "examples/publishers/php").await);
    if !has("php", "--version").await {
        return;
    }
    scenario(async |world| {
        let folder = project().join("examples/receivers/php");
        let spool = world.path("spool");
        let (port, command) = php(&folder, &spool);
        let receiver = start(command, SECRET, port).await;
        passes(world, &receiver.url, "meeva", SECRET, &[]).await;
        passes(world, &receiver.url, "standard", SECRET, &[]).await;
        let work = || {
            Command::new("php")
                .arg(folder.join("work.php"))
                .env("SPOOL", &spool)
                .output()
        };
        let done = String::from_utf8(work().await.unwrap().stdout).unwrap();
        assert_eq!(done.lines().count(), 2 * 25, "each event once: {done}");
        assert!(work().await.unwrap().stdout.is_empty(), "and not again");
    })
    .await;
}

/// PHP's own server, which takes ten at once only with several workers.
fn php(folder: &Path, spool: &Path) -> (u16, Command) {
    let port = free_port();
    let mut command = Command::new("php");
    command
        .args(["-S", &format!("127.0.0.1:{port}"), "receive.php"])
        .current_dir(folder)
        .env("SPOOL", spool);
    (port, command)
}
