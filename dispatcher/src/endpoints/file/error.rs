//! Why an endpoints file cannot be used, in words for whoever mends it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hookline_common::text_file::ReadError;
use hookline_common::toml_file::FileFaults;

use super::shortlist::shortlist_of;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableFile {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The file system keeps its reader waiting.
    #[error("{} could not be read within {waited:?}; is its file system there?", path.display())]
    NoAnswer {
        /// The file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It is another with each look.
    #[error(
        "{} was another in each of {looks} looks; write it whole beside its place, and rename it",
        path.display()
    )]
    Restless {
        /// The file.
        path: PathBuf,
        /// How often it was looked at.
        looks: usize,
    },
    /// There is no thread to read it on.
    #[error("no thread can be started to read the file: {0}")]
    NoThread(io::Error),
    /// It is not what an endpoints file must be.
    #[error(
        "{} has {} fault(s):\n  {}",
        path.display(),
        faults.how_many(),
        shortlist_of(faults.first(), faults.count(), "\n  ")
    )]
    Faulty {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        faults: FileFaults,
    },
    /// It is the first that is read, and holds no endpoint.
    #[error(
        "{} has no endpoints, so every event would be acknowledged and reach nobody; add one, or set \
         HOOKLINE_ALLOW_NO_ENDPOINTS=true if that is meant",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It holds no endpoint any more.
    #[error(
        "{} has no endpoints any more, which is not taken in place of some; to go on without any, set \
         HOOKLINE_ALLOW_NO_ENDPOINTS=true and restart",
        path.display()
    )]
    NoneAnyMore {
        /// The file.
        path: PathBuf,
    },
}

impl UnusableFile {
    /// Whether another look may find it mended without anybody's help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreadable(error) => error.may_pass(),
            Self::NoAnswer { .. } | Self::Restless { .. } | Self::NoThread(_) => true,
            Self::Faulty { .. } | Self::Empty { .. } | Self::NoneAnyMore { .. } => false,
        }
    }
}
