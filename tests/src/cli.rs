//! The real `hookline` command, as an operator types it.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::dispatcher::program;
use crate::eventually::SOON;
use crate::services::services;
use crate::world::World;

/// How long a command may take.
const ENDS_WITHIN: Duration = SOON.saturating_mul(2);

/// A command about to be started, for what needs more than a run to its end: another environment, or pipes.
#[must_use]
pub fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(program("hookline"));
    command
        .args(arguments)
        .env_clear()
        .env("HOOKLINE_AMQP_URL", &services().amqp_url)
        .env("HOOKLINE_NAMESPACE", world.namespace().to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end.
///
/// # Panics
/// When it does not end.
pub async fn run(world: &World, arguments: &[&str]) -> Output {
    let output = timeout(ENDS_WITHIN, command(world, arguments).output()).await;
    output
        .unwrap_or_else(|_| panic!("hookline {arguments:?} does not end"))
        .expect("the command starts")
}

/// Runs a command that must succeed, and returns what it printed.
///
/// # Panics
/// When it fails.
pub async fn succeed(world: &World, arguments: &[&str]) -> String {
    let output = run(world, arguments).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "hookline {arguments:?}: {stderr}");
    out(&output)
}

/// The same for a command that prints one JSON object a line.
///
/// # Panics
/// When it fails, or prints something else.
pub async fn objects(world: &World, arguments: &[&str]) -> Vec<Value> {
    let text = succeed(world, arguments).await;
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// What an ended command printed.
///
/// # Panics
/// When that is not UTF-8.
#[must_use]
pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// The one line that tells why a command failed with `code`; none of the secrets that scenarios sign with stands
/// on stderr.
///
/// # Panics
/// When it ended otherwise, or tells it in none or several lines, or prints the start of a secret.
pub fn why(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    let errors: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("hookline: "))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(
        !stderr.contains("whsec_M") && !stderr.contains("whsec_O"),
        "{stderr}"
    );
    errors[0].to_owned()
}

/// Runs a command on a terminal of so many columns, where somebody types `input`: its exit status, and what the screen shows.
///
/// # Panics
/// When it does not end.
pub async fn on_a_terminal(
    world: &World,
    arguments: &[&str],
    columns: usize,
    input: &str,
) -> (Option<i32>, String) {
    let program = program("hookline");
    let line = [program.to_str().expect("UTF-8")]
        .iter()
        .chain(arguments)
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ");
    let mut child = command(world, &[]);
    // `script` gives the command a terminal of its own.
    let mut script = Command::new("script");
    script
        .args([
            "-q",
            "-e",
            "-c",
            &format!("stty rows 50 cols {columns}; {line}"),
            "/dev/null",
        ])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("NO_COLOR", "1");
    for (name, value) in child.as_std_mut().get_envs() {
        if let Some(value) = value {
            script.env(name, value);
        }
    }
    script
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut running = script.spawn().expect("script starts");
    let mut keyboard = running.stdin.take().expect("a pipe");
    keyboard.write_all(input.as_bytes()).await.expect("typed");
    let output = timeout(ENDS_WITHIN, running.wait_with_output()).await;
    // Only now: a keyboard that is gone would end what is still to be read.
    drop(keyboard);
    let output = output
        .unwrap_or_else(|_| panic!("hookline {arguments:?} does not end"))
        .expect("it runs");
    let screen = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    (output.status.code(), screen)
}

/// Starts a command and kills it (SIGKILL) after `after`. True if it had ended by itself before.
///
/// # Panics
/// When it cannot be started.
pub async fn run_and_kill(world: &World, arguments: &[&str], after: Duration) -> bool {
    let mut command = command(world, arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the command starts");
    let had_ended = timeout(after, child.wait()).await.is_ok();
    child.kill().await.expect("killed");
    had_ended
}
