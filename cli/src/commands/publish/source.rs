//! Where the lines come from: a file, a pipe or stdin.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd as _;
use std::path::Path;

/// Something to read lines from, and how long it is, where that is known.
pub(super) struct LineSource {
    pub(super) lines: Box<dyn BufRead + Send>,
    /// Bytes that are left to read; `None` of what has no end that is known, as a pipe.
    pub(super) length: Option<u64>,
}

impl LineSource {
    /// Opens `file`, or stdin for `-`.
    pub(super) fn open(file: &str) -> io::Result<Self> {
        if file == "-" {
            let stdin = io::stdin();
            // The same open file, asked what it is: the shell may have put a file there, or a folder.
            let opened = File::from(stdin.as_fd().try_clone_to_owned()?);
            return Ok(Self {
                length: length(&opened)?,
                lines: Box::new(BufReader::new(stdin)),
            });
        }
        // Before it is opened: that of a pipe waits until somebody writes.
        if Path::new(file).is_dir() {
            return Err(folder());
        }
        let opened = File::open(file)?;
        Ok(Self {
            length: length(&opened)?,
            lines: Box::new(BufReader::new(opened)),
        })
    }
}

/// How long a regular file is, and `None` for all else that can be read.
fn length(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(folder());
    }
    // A file of /proc says 0 and has more.
    let length = Some(metadata.len()).filter(|length| *length > 0);
    Ok(length.filter(|_| metadata.is_file()))
}

fn folder() -> io::Error {
    io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_refused_and_a_file_has_its_length() {
        let error = LineSource::open("/").err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let length = std::fs::metadata(manifest).unwrap().len();
        assert_eq!(LineSource::open(manifest).unwrap().length, Some(length));
        assert_eq!(LineSource::open("/dev/null").unwrap().length, None);
    }
}
