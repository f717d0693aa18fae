//! Endpoints from a TOML file, read again when it changes. No database is needed then.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookline_common::endpoint::{Endpoint, Format};
use hookline_common::endpoints_file::{FileFault, parse};
use hookline_common::guard::Policy;
use hookline_common::settings::Environment;
use hookline_common::shutdown::Shutdown;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::Registry;

/// How often the file is looked at. A change counts when two looks in a row agree, so that a half-written file
/// does not.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableFile {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's own word.
        source: std::io::Error,
    },
    /// It is not what an endpoints file must be.
    #[error("{} has {} fault(s):{}", path.display(), faults.len(), lines(faults))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it.
        faults: Vec<FileFault>,
    },
}

fn lines(faults: &[FileFault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// The endpoints file and how it is read.
pub struct EndpointsFile {
    path: PathBuf,
    default_format: Format,
    policy: Policy,
    registry: Arc<Registry>,
    loaded: Look,
}

/// The file as it was seen at one look.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    stamp: Stamp,
    text: String,
}

/// What changes when a file does: cheaper to look at than its contents.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified_ns: (i64, i64),
}

impl EndpointsFile {
    /// Reads the file for the first time into `registry`.
    ///
    /// # Errors
    /// [`UnusableFile`] names everything that is wrong with it.
    pub fn load(
        path: PathBuf,
        default_format: Format,
        policy: Policy,
        registry: Arc<Registry>,
    ) -> Result<Self, UnusableFile> {
        let loaded = look(&path)?;
        let file = Self {
            path,
            default_format,
            policy,
            registry,
            loaded,
        };
        let endpoints = file.parse(&file.loaded.text)?;
        file.take(endpoints);
        Ok(file)
    }

    /// Follows the file's changes until shutdown, and looks at once when `reload` fires. A broken file leaves the endpoints as they are.
    pub async fn watch(mut self, shutdown: Shutdown, reload: Arc<Notify>) {
        let mut pending: Option<Look> = None;
        let mut complaint = String::new();
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = reload.notified() => {}
            }
            let looked = match stamp(&self.path) {
                Ok(stamp) if stamp == self.loaded.stamp && pending.is_none() => continue,
                _ => look(&self.path),
            };
            let problem = match looked {
                Ok(now) if pending.as_ref() == Some(&now) => {
                    pending = None;
                    let parsed = self.parse(&now.text);
                    self.loaded = now;
                    match parsed {
                        Ok(endpoints) => {
                            self.take(endpoints);
                            String::new()
                        }
                        Err(unusable) => unusable.to_string(),
                    }
                }
                Ok(now) => {
                    pending = Some(now);
                    continue;
                }
                Err(unreadable) => unreadable.to_string(),
            };
            if !problem.is_empty() && problem != complaint {
                error!(
                    error = problem,
                    "the endpoints stay as they were until the file is mended"
                );
            }
            complaint = problem;
        }
    }

    fn parse(&self, text: &str) -> Result<Vec<Endpoint>, UnusableFile> {
        parse(text, self.default_format, &Environment).map_err(|faults| UnusableFile::Faulty {
            path: self.path.clone(),
            faults,
        })
    }

    fn take(&self, endpoints: Vec<Endpoint>) {
        let count = endpoints.len();
        for endpoint in &endpoints {
            if let Err(refusal) = self.policy.check_url(&endpoint.url) {
                let (company, endpoint) = (&endpoint.company, &endpoint.id);
                warn!(%company, %endpoint, reason = refusal.reason(), "nothing will be sent to this endpoint: {refusal}");
            }
        }
        let before = self.registry.replace(endpoints, &self.policy);
        if count == 0 && before > 0 {
            warn!(removed = before, file = %self.path.display(), "the file has no endpoints any more: nobody gets anything");
        }
        info!(endpoints = count, file = %self.path.display(), "endpoints loaded");
    }
}

fn look(path: &Path) -> Result<Look, UnusableFile> {
    let unreadable = |source| UnusableFile::Unreadable {
        path: path.to_owned(),
        source,
    };
    let stamp = stamp(path).map_err(unreadable)?;
    let text = fs::read_to_string(path).map_err(unreadable)?;
    Ok(Look { stamp, text })
}

fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok(Stamp {
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified_ns: (metadata.mtime(), metadata.mtime_nsec()),
    })
}
