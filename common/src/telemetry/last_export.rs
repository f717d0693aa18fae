//! The last export of traces and metrics: side by side, within one limit, and without holding anybody up.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// An export that blocks its thread until it is done, for as long as its collector likes.
pub(super) type Export = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// Runs every export on a thread of its own and returns what went wrong. One that is not done after `within` is left to
/// its thread, which the end of the process ends.
pub(super) async fn run(exports: Vec<(&'static str, Export)>, within: Duration) -> Vec<String> {
    let deadline = Instant::now() + within;
    let running: Vec<_> = exports
        .into_iter()
        .map(|(what, export)| (what, start(export)))
        .collect();
    let mut problems = Vec::new();
    for (what, result) in running {
        match timeout_at(deadline, result).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => problems.push(format!("{what}: {error}")),
            Ok(Err(_)) => problems.push(format!("{what}: no thread could be started")),
            Err(_) => problems.push(format!("{what}: no answer within {within:?}")),
        }
    }
    problems
}

/// No thread of the runtime's: one that hangs would be waited for when the runtime goes.
fn start(export: Export) -> oneshot::Receiver<Result<(), String>> {
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("last export".to_owned());
    // A thread that does not start drops the sender, which the receiver sees.
    drop(thread.spawn(move || drop(done.send(export()))));
    result
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_exports_that_hang_take_one_limit_together_and_do_not_hide_a_third() {
        let (release, released) = channel::<()>();
        let (release_other, other_released) = channel::<()>();
        let (done, is_done) = channel();
        let exports: Vec<(&'static str, Export)> = vec![
            (
                "done",
                Box::new(move || done.send(()).map_err(|error| error.to_string())),
            ),
            (
                "traces",
                Box::new(move || released.recv().map_err(|error| error.to_string())),
            ),
            (
                "metrics",
                Box::new(move || other_released.recv().map_err(|error| error.to_string())),
            ),
        ];
        let start = Instant::now();
        let running = run(exports, Duration::from_secs(2));
        // The clock stands still while this thread waits for the other one.
        let problems = running.await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        assert!(is_done.recv().is_ok());
        let hanging = ["traces: no answer within 2s", "metrics: no answer within 2s"];
        assert!(
            hanging
                .iter()
                .all(|text| problems.iter().any(|problem| problem == text)),
            "{problems:?}"
        );
        drop((release, release_other));
    }

    #[tokio::test]
    async fn what_an_export_complains_about_is_told() {
        let exports: Vec<(&'static str, Export)> = vec![
            ("traces", Box::new(|| Err("refused".to_owned()))),
            ("metrics", Box::new(|| Ok(()))),
        ];
        assert_eq!(run(exports, Duration::from_secs(60)).await, ["traces: refused"]);
    }
}
