//! Reads text files of people's hands: regular ones only, up to a size, so that no path that somebody wrote down wrongly
//! can hold the reader for ever (a FIFO), or fill the memory (a device).

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[error("{} {}", .path.display(), .problem)]
pub struct ReadError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot be read: {0}")]
    Io(io::Error),
    #[error("is no regular file; name one")]
    NotRegular,
    #[error("is longer than {max_bytes} bytes")]
    TooLong { max_bytes: u64 },
    #[error("is not UTF-8 text")]
    NotText,
}

impl ReadError {
    /// What is wrong, as the end of a sentence that has named the file.
    #[must_use]
    pub fn problem(&self) -> String {
        self.problem.to_string()
    }

    /// Whether another look may find it mended without anybody's help: the system had no answer, and nothing is wrong with the path.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
        match &self.problem {
            Problem::Io(error) => !matches!(
                error.kind(),
                NotFound | PermissionDenied | NotADirectory | InvalidFilename
            ),
            Problem::NotRegular | Problem::TooLong { .. } | Problem::NotText => false,
        }
    }

    /// What is wrong, for places where the path must not be printed because a secret may stand in its place.
    #[must_use]
    pub fn without_path(&self) -> String {
        match &self.problem {
            Problem::Io(error) => error.kind().to_string(),
            problem => format!("it {problem}"),
        }
    }
}

/// Reads the whole of a regular file of at most `max_bytes`, through symlinks.
///
/// It is looked at before it is opened, because opening a device or a FIFO can have effects; opened without blocking and
/// looked at again, because another file may have taken its place meanwhile. A network file system that is gone can still
/// block here: services read on a thread that nobody waits for.
///
/// # Errors
/// [`ReadError`]; directories, FIFOs, sockets and devices are refused.
pub fn read(path: &Path, max_bytes: u64) -> Result<String, ReadError> {
    let fail = |problem| ReadError {
        path: path.to_owned(),
        problem,
    };
    let mut bytes = Vec::new();
    open(path)
        .and_then(|file| {
            file.take(max_bytes + 1)
                .read_to_end(&mut bytes)
                .map_err(Problem::Io)
        })
        .map_err(fail)?;
    if bytes.len() as u64 > max_bytes {
        return Err(fail(Problem::TooLong { max_bytes }));
    }
    String::from_utf8(bytes).map_err(|_| fail(Problem::NotText))
}

fn open(path: &Path) -> Result<File, Problem> {
    regular(&path.metadata().map_err(Problem::Io)?)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(Problem::Io)?;
    regular(&file.metadata().map_err(Problem::Io)?)?;
    Ok(file)
}

fn regular(metadata: &Metadata) -> Result<(), Problem> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(Problem::NotRegular)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn problem(path: &Path, max_bytes: u64) -> String {
        read(path, max_bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), "12345");
        assert!(problem(&path, 4).ends_with("is longer than 4 bytes"));
        std::fs::write(&path, [0xFF]).unwrap();
        assert!(problem(&path, 5).ends_with("is not UTF-8 text"));
    }

    #[test]
    fn what_stands_in_the_path_does_not_pass_by_itself_and_what_the_system_lacks_may() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!read(&folder.path().join("file"), 5).unwrap_err().may_pass());
        assert!(!read(folder.path(), 5).unwrap_err().may_pass());
        for (code, may_pass) in [
            (libc::EMFILE, true),
            (libc::EIO, true),
            (libc::ESTALE, true),
            (libc::EACCES, false),
            (libc::ENOTDIR, false),
        ] {
            let error = ReadError {
                path: folder.path().to_owned(),
                problem: Problem::Io(io::Error::from_raw_os_error(code)),
            };
            assert_eq!(error.may_pass(), may_pass, "{error}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        for path in [&fifo, &link, folder.path(), Path::new("/dev/zero")] {
            assert!(
                problem(path, 5).ends_with("is no regular file; name one"),
                "{path:?}"
            );
        }
        let gone = read(&folder.path().join("gone"), 5).unwrap_err();
        assert!(gone.to_string().contains("gone cannot be read"), "{gone}");
        assert!(!gone.without_path().contains("gone"), "{gone}");
    }
}
