//! The programs that people get hold no point at which a test could have them killed.

use std::path::{Path, PathBuf};
use std::process::Command;

use hookline_tests::dispatcher::program;
use hookline_tests::hostile::not_run;
use serde_json::Value;

/// The last words of a program that is killed at one.
const WORDS: &str = "killed at the failpoint";
const FEATURE: &str = "failpoints";

fn holds_failpoints(program: &Path) -> bool {
    let found = Command::new("grep")
        .args(["--quiet", "--text", "--fixed-strings", WORDS])
        .arg(program)
        .status()
        .expect("grep runs");
    match found.code() {
        Some(0) => true,
        Some(1) => false,
        _ => panic!("{}: {found}", program.display()),
    }
}

/// The dispatcher of the fault suite, where that has been built.
fn with_failpoints() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let built = std::env::var_os("HOOKLINE_TEST_FAILPOINTS").map(PathBuf::from);
    let path = built.unwrap_or_else(|| root.join("target/faults/debug/hookline-dispatcher"));
    path.exists().then_some(path)
}

#[test]
fn no_program_holds_a_failpoint_but_the_fault_suites_own() {
    for name in ["hookline-dispatcher", "hookline-console", "hookline"] {
        assert!(
            !holds_failpoints(&program(name)),
            "{name} could be killed by a variable"
        );
    }
    // That it would be found shows where it is.
    match with_failpoints() {
        Some(path) => assert!(holds_failpoints(&path), "{}", path.display()),
        None => not_run(
            "that a failpoint would be found",
            "no dispatcher has been built with them (make test-faults)",
        ),
    }
}

/// Whoever builds the workspace builds what its members ask for: each list of features is looked at.
#[test]
fn no_member_of_the_workspace_asks_for_failpoints() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--locked",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut asked = Vec::new();
    let mut passes_on = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        for (feature, asks) in package["features"].as_object().unwrap() {
            if feature == FEATURE {
                passes_on += 1;
            } else if asks.to_string().contains(FEATURE) {
                asked.push(format!("{name}: the feature {feature}"));
            }
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["features"].to_string().contains(FEATURE) {
                asked.push(format!("{name}: its dependency {}", dependency["name"]));
            }
        }
    }
    assert_eq!(asked, Vec::<String>::new());
    assert!(passes_on >= 2, "the feature is called otherwise by now");
}

/// What cargo makes of all those lists: each package that it would build, and its features, which no profile changes.
fn built(more: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = ["tree", "--workspace", "--offline", "--locked", "--prefix", "none"];
    let output = Command::new(cargo)
        .args(tree)
        .args(["--format", "{p} {f}"])
        .args(more)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("a text")
}

#[test]
fn no_package_is_built_with_failpoints_in_any_profile() {
    let holds = |built: &str| {
        let features = built
            .lines()
            .filter_map(|line| line.trim_end_matches(" (*)").rsplit(' ').next());
        features
            .flat_map(|features| features.split(','))
            .any(|feature| feature == FEATURE)
    };
    assert!(!holds(&built(&[])));
    // It would be seen there.
    assert!(holds(&built(&["--features", "hookline-dispatcher/failpoints"])));
}
