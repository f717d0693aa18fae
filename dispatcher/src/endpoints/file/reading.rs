//! Reads the endpoints file and the files of its secrets, and tells whether they may have changed since. All of it can
//! block as long as the file system likes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hookline_common::endpoint::Format;
use hookline_common::endpoints_file::{MAX_BYTES, SecretSource, parse};
use hookline_common::guard::Policy;
use hookline_common::settings::{Environment, read_secret_file};
use hookline_common::text_file;

use super::super::PreparedEndpoint;
use super::error::UnusableFile;
use super::known::Listing;

/// Files that changed more recently than this may change again without a trace: some file systems count time in whole
/// seconds.
const TRACELESS_S: i64 = 2;

/// What is read, and by which rules.
pub(super) struct FileReader {
    path: PathBuf,
    default_format: Format,
    policy: Policy,
    /// Makes digests of secrets that mean nothing outside this process.
    hashing: RandomState,
}

/// What one look saw.
pub(super) struct Reading {
    /// Of all that was read: two readings of one digest are the same.
    pub(super) digest: u64,
    /// What the files looked like just before they were read.
    pub(super) stamps: Stamps,
    /// The endpoints, if the file can be used.
    pub(super) listing: Result<Listing, UnusableFile>,
}

impl FileReader {
    pub(super) fn new(path: PathBuf, default_format: Format, policy: Policy) -> Self {
        Self {
            path,
            default_format,
            policy,
            hashing: RandomState::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads everything, whatever it may be.
    pub(super) fn read(&self) -> Reading {
        let secrets = SecretFiles::default();
        let mut stamps = vec![(self.path.clone(), stamp(&self.path))];
        let text = text_file::read(&self.path, MAX_BYTES);
        let mut digest = self.hashing.build_hasher();
        match &text {
            Ok(text) => text.hash(&mut digest),
            Err(unreadable) => unreadable.to_string().hash(&mut digest),
        }
        let mut may_pass = text.as_ref().is_err_and(text_file::ReadError::may_pass);
        let listing = text
            .map_err(UnusableFile::from)
            .and_then(|text| self.list(&text, &secrets));
        for (path, secret) in secrets.read.into_inner() {
            may_pass |= secret.may_pass;
            (&path, secret.content).hash(&mut digest);
            stamps.push((path.into(), secret.stamp));
        }
        Reading {
            digest: digest.finish(),
            stamps: Stamps::new(stamps, SystemTime::now(), may_pass),
            listing,
        }
    }

    fn list(&self, text: &str, secrets: &SecretFiles) -> Result<Listing, UnusableFile> {
        let endpoints = parse(text, self.default_format, secrets).map_err(|faults| UnusableFile::Faulty {
            path: self.path.clone(),
            faults,
        })?;
        let registered = endpoints
            .into_iter()
            .map(|endpoint| PreparedEndpoint::new(endpoint, &self.policy));
        Ok(Listing::new(registered))
    }
}

/// The files of secrets, each read once in a reading, and remembered so that it can be watched.
#[derive(Default)]
struct SecretFiles {
    read: RefCell<BTreeMap<String, SecretFile>>,
}

struct SecretFile {
    stamp: Option<Stamp>,
    content: Result<String, String>,
    /// Whether it was not read for a reason that may be gone without anybody touching the file.
    may_pass: bool,
}

impl SecretSource for SecretFiles {
    fn env(&self, name: &str) -> Option<String> {
        Environment.env(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let mut read = self.read.borrow_mut();
        let secret = read.entry(path.to_owned()).or_insert_with(|| {
            let stamp = stamp(Path::new(path));
            let content = read_secret_file(path);
            SecretFile {
                stamp,
                may_pass: content.as_ref().is_err_and(text_file::ReadError::may_pass),
                content: content.map_err(|error| error.without_path()),
            }
        });
        secret.content.clone()
    }
}

/// What changes when a file does: cheaper to look at than its contents. Of the file that a symlink leads to, so that a
/// symlink that is led elsewhere is a change, which is how mounted secrets are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// When anything of the file changed, in seconds and nanoseconds. Nobody can set it back.
    changed: (i64, i64),
}

/// Nothing where there is no file to be seen.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// What all files of a reading looked like.
pub(super) struct Stamps {
    of: Vec<(PathBuf, Option<Stamp>)>,
    is_certain: bool,
}

impl Stamps {
    /// `may_pass`: whether one of them could not be read for a reason that leaves it as it is, and is gone perhaps.
    fn new(of: Vec<(PathBuf, Option<Stamp>)>, now: SystemTime, may_pass: bool) -> Self {
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        let is_fresh = |stamp: &Stamp| now.abs_diff(stamp.changed.0) <= TRACELESS_S.unsigned_abs();
        let is_certain = !may_pass && !of.iter().filter_map(|(_, stamp)| stamp.as_ref()).any(is_fresh);
        Self { of, is_certain }
    }

    /// Whether the files had not been touched for so long that a look at them again would be worth nothing.
    pub(super) fn are_of_rest(&self) -> bool {
        self.is_certain
    }

    /// Whether the files are certainly those that were read.
    pub(super) fn are_current(&self) -> bool {
        self.is_certain && self.of.iter().all(|(path, before)| stamp(path) == *before)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    #[test]
    fn stamps_of_fresh_files_prove_nothing_and_those_of_old_ones_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "one").unwrap();
        let seen = |now| Stamps::new(vec![(path.clone(), stamp(&path))], now, false);
        let (now, later) = (SystemTime::now(), SystemTime::now() + Duration::from_secs(60));
        assert!(!seen(now).are_current(), "it may have been written again since");
        let old = seen(later);
        assert!(old.are_current());
        // Another file of the same length in its place, as a symlink's target or a rename brings.
        fs::write(folder.path().join("other"), "two").unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert!(!old.are_current());
        let other = seen(later);
        fs::remove_file(&path).unwrap();
        assert!(!other.are_current());
        assert!(seen(now).are_current(), "what is not there is not fresh");
    }

    /// As where no descriptor was left: nothing of the file will change when one is there again.
    #[test]
    fn what_could_not_be_read_for_a_reason_that_passes_is_read_again() {
        let later = SystemTime::now() + Duration::from_secs(60);
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let seen = |may_pass| Stamps::new(vec![(here.clone(), stamp(&here))], later, may_pass);
        assert!(seen(false).are_current() && !seen(true).are_current());
        let secrets = SecretFiles::default();
        // A regular file that can be opened, and whose first byte the system cannot read (EIO).
        let paths = ["/proc/self/mem", "/nowhere", "/"];
        let may_pass = paths.map(|path| {
            assert!(secrets.file(path).is_err(), "{path}");
            secrets.read.borrow()[path].may_pass
        });
        assert_eq!(may_pass, [true, false, false]);
    }

    #[test]
    fn a_symlink_that_is_led_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("crm"), "secret").unwrap();
        }
        symlink("v1", path("..data")).unwrap();
        symlink("..data/crm", path("crm")).unwrap();
        let later = SystemTime::now() + Duration::from_secs(60);
        let seen = Stamps::new(vec![(path("crm"), stamp(&path("crm")))], later, false);
        assert!(seen.are_current());
        symlink("v2", path("draft")).unwrap();
        fs::rename(path("draft"), path("..data")).unwrap();
        assert!(!seen.are_current());
    }

    /// What this thread has had of the processor so far.
    fn processor_time() -> Duration {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
    }

    /// How much of the processor one look at a file with so many endpoints takes.
    fn look_at(endpoints: usize) -> Duration {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endpoints.toml");
        let entry = |number: usize| {
            format!(
                "[[endpoint]]\nid = \"ep_{number}\"\ncompany = \"company_{}\"\nurl = \"https://example.com/{number}\"\n\
                 secret = \"{}\"\nevents = [\"booking.*\"]\n",
                number / 3,
                "s".repeat(16)
            )
        };
        fs::write(&path, (0..endpoints).map(entry).collect::<String>()).unwrap();
        let reader = FileReader::new(path, Format::Meeva, Policy::default());
        let before = processor_time();
        let reading = reader.read();
        let took = processor_time() - before;
        assert_eq!(reading.listing.unwrap().count(), endpoints);
        took
    }

    #[test]
    fn ten_times_the_endpoints_take_ten_times_as_long_and_not_a_hundred() {
        // By turns, and the least of several: a machine that is busy with something else lengthens some of them.
        let (mut few, mut many) = (Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            few = few.min(look_at(3_000));
            many = many.min(look_at(30_000));
        }
        assert!(many <= 30 * few, "{few:?} for 3,000, {many:?} for 30,000");
    }
}
