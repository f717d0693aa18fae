//! Where our programs are that scenarios start.

use std::path::{Path, PathBuf};

/// The path of one of our programs, built beside the tests.
///
/// # Panics
/// When it has not been built: with what to do about it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var("HOOKLINE_TEST_BIN_DIR").map_or_else(
        |_| {
            // target/<profile>/deps/<test>
            let this = std::env::current_exe().expect("this program has a path");
            this.ancestors()
                .nth(2)
                .map(Path::to_owned)
                .expect("a folder above deps")
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} does not exist: run the scenarios with `make test`, or first `cargo build --workspace --bins`",
        path.display()
    );
    path
}

/// The path of the dispatcher that has failpoints.
///
/// # Panics
/// When the environment does not name it: with what to do about it.
#[must_use]
pub fn program_with_failpoints() -> PathBuf {
    let path = std::env::var("HOOKLINE_TEST_FAILPOINTS")
        .expect("HOOKLINE_TEST_FAILPOINTS is not set: run the fault suite with `make test-faults`");
    PathBuf::from(path)
}
