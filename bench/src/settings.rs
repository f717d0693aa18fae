//! What the benchmark is told from outside, read once: the services' addresses, which scenario, and how much of it.

use std::path::PathBuf;

use crate::error::{Context as _, Fault, Result};

/// Where the services are and what to run.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The broker.
    pub(crate) amqp_url: String,
    /// Its management API, by which queues are deleted and the broker's process is found.
    pub(crate) management_url: String,
    /// A PostgreSQL server where databases can be made, for the scenario that needs one.
    pub(crate) database_url: Option<String>,
    /// One scenario; all of them where none is named.
    pub(crate) scenario: Option<String>,
    /// Whether to run everything in small and judge no times.
    pub(crate) is_quick: bool,
    /// Where reports, charts and the output of child processes go.
    pub(crate) folder: PathBuf,
    /// The program that is measured.
    pub(crate) dispatcher: PathBuf,
    /// Another build of it, to be compared with it.
    pub(crate) baseline: Option<PathBuf>,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is missing, or the dispatcher is not built.
    pub(crate) fn read() -> Result<Self> {
        let this = std::env::current_exe().context("finding this program")?;
        let dispatcher = this.with_file_name("hookline-dispatcher");
        if !dispatcher.exists() {
            return Err(Fault::new(format!(
                "{} does not exist; run `make bench`, which builds it",
                dispatcher.display()
            )));
        }
        Ok(Self {
            amqp_url: amqp_url()?,
            management_url: needed("HOOKLINE_TEST_MANAGEMENT_URL")?,
            database_url: variable("HOOKLINE_DATABASE_URL"),
            scenario: variable("SCENARIO"),
            is_quick: variable("QUICK").is_some_and(|value| value != "0"),
            folder: PathBuf::from("target/bench"),
            dispatcher,
            baseline: variable("BASELINE").map(PathBuf::from),
        })
    }
}

/// The broker's URL.
///
/// # Errors
/// It is not set.
pub(crate) fn amqp_url() -> Result<String> {
    needed("HOOKLINE_AMQP_URL")
}

fn needed(name: &str) -> Result<String> {
    variable(name).ok_or_else(|| {
        Fault::new(format!(
            "{name} is not set; run `make bench`, or start the services and `eval \"$(make env)\"`"
        ))
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the benchmark's settings module"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
