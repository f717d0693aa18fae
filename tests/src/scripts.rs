//! What a script of the project starts for one test, in a folder of its own, and the end of that.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

/// A folder in which a script has started something. All of it ends with this.
pub(crate) struct Started {
    folder: TempDir,
    script: PathBuf,
    end: &'static str,
}

impl Started {
    /// A folder in which `script` will start something: it is called with a command, the folder and what belongs to the
    /// command, and understands `stop`.
    pub(crate) fn by(script: PathBuf) -> Self {
        Self::within(&std::env::temp_dir(), script)
    }

    /// The same, within a folder.
    pub(crate) fn within(parent: &Path, script: PathBuf) -> Self {
        Self {
            folder: TempDir::with_prefix_in("hookline-test-", parent).expect("a folder"),
            script,
            end: "stop",
        }
    }

    /// The same, ended by another command.
    pub(crate) fn ended_by(mut self, end: &'static str) -> Self {
        self.end = end;
        self
    }

    /// The script.
    pub(crate) fn script(&self) -> &Path {
        &self.script
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has the script do something, and returns what it printed.
    pub(crate) async fn run(&self, command: &str, arguments: &[&str]) -> String {
        run(&self.script, command, self.folder(), arguments).await
    }
}

impl Drop for Started {
    /// For a test that failed before it could stop it. A second stop does nothing.
    fn drop(&mut self) {
        let mut stop = std::process::Command::new(&self.script);
        stop.arg(self.end).arg(self.folder()).stdin(Stdio::null());
        if let Err(error) = stop.status() {
            eprintln!("something may be left in {}: {error}", self.folder().display());
        }
    }
}

/// Runs a script, and returns what it printed.
///
/// # Panics
/// When it fails, with what it says.
pub(crate) async fn run(script: &Path, command: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(script)
        .arg(command)
        .arg(folder)
        .args(arguments)
        // Nobody looks at the pages of a single broker, and it starts in half the time. A cluster has its own.
        .env("HOOKLINE_BROKER_PLUGINS", "none")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the script runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} {command} {arguments:?}: {stderr}",
        script.display()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
