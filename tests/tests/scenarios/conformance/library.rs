//! The published libraries: installed once and kept, and asked through programs of ours.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Where the packages that `folder` pins are, for `NODE_PATH` or `PYTHONPATH`: installed `with` npm or pip once, and
/// kept; or `with` php, for `COMPOSER_VENDOR_DIR`, which is said to be NOT RUN where it cannot be had. Nothing where this machine cannot have them: then the script has said so, and fails where CI=true.
pub(crate) async fn packages(with: &str, folder: &str) -> Option<PathBuf> {
    let script = Command::new(project().join("tests/conformance/install.sh"))
        .arg(with)
        .arg(project().join(folder))
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = script.wait_with_output().await.unwrap();
    assert!(output.status.success(), "the packages of {folder} cannot be had");
    let folder = String::from_utf8(output.stdout).unwrap();
    (!folder.is_empty()).then(|| folder.trim_end().into())
}

/// A published library, asked through a program of ours.
pub(super) struct Library {
    /// Its package, of npm and of PyPI alike.
    pub(super) name: &'static str,
    /// `node` or `python3`.
    pub(super) runs: &'static str,
    program: &'static str,
    /// Where `runs` looks for packages, and where they are.
    path: (&'static str, PathBuf),
}

/// Those that this machine can have.
pub(super) async fn libraries() -> Vec<Library> {
    let mut all = Vec::new();
    for (runs, with, program, variable) in [
        ("node", "npm", "peer.js", "NODE_PATH"),
        ("python3", "pip", "peer.py", "PYTHONPATH"),
    ] {
        let Some(folder) = packages(with, "tests/conformance").await else {
            continue;
        };
        all.extend(["standardwebhooks", "svix"].map(|name| Library {
            name,
            runs,
            program,
            path: (variable, folder.clone()),
        }));
    }
    all
}

impl Library {
    /// All questions at once, as a process takes longer to start than to answer.
    pub(super) async fn ask(&self, questions: &[Value]) -> Vec<Value> {
        let mut process = Command::new(self.runs)
            .arg(project().join("tests/conformance").join(self.program))
            .arg(self.name)
            .env(self.path.0, &self.path.1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
        let mut stdin = process.stdin.take().unwrap();
        // Beside the reading: both pipes would fill up.
        let writing = tokio::spawn(async move { stdin.write_all(lines.as_bytes()).await });
        let output = process.wait_with_output().await.unwrap();
        assert!(
            output.status.success(),
            "{} for {}: {}",
            self.name,
            self.runs,
            String::from_utf8_lossy(&output.stderr)
        );
        writing.await.unwrap().unwrap();
        let answers = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = answers
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(answers.len(), questions.len());
        answers
    }
}
