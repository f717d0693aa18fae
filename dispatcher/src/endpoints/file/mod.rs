//! Endpoints from a TOML file. No database is needed then.
//!
//! Every half a second the file and the files of its secrets are looked at (`reading`), on a thread that nobody waits
//! for. What is new counts when two looks in a row agree on it (`agreement`), so that a half-written file does not, at the
//! start as later (`first`); what cannot be used changes nothing. What is taken is asked for by each message (`known`), and
//! what a reload took away is named in the log.

mod agreement; // when a change counts
mod error; // why a file cannot be used
mod first; // what counts at the start
mod known; // what was taken, and who disappeared lately
mod reading; // what stands on the disk
mod shortlist; // long lists in short lines

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use hookline_common::endpoint::Format;
use hookline_common::guard::Policy;
use hookline_common::shutdown::Shutdown;
use hookline_outbound::request::Destination;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use self::agreement::{Agreement, Verdict};
pub use self::error::UnusableFile;
pub use self::known::FileEndpoints;
use self::known::Listing;
use self::reading::{FileReader, Reading, Stamps};
use self::shortlist::{MAX_SHOWN, grouped, shortlist};

/// How often the files are looked at: twice within the 2 s after which a rotated secret must be in use, with room for the
/// second look that has to agree.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the file system may take to answer before it is said aloud: local ones take milliseconds, remote ones seconds.
const SLOW_READ: Duration = Duration::from_secs(10);

/// What the file is and how it is read.
pub struct FileSettings {
    /// Where it is.
    pub path: PathBuf,
    /// Format of endpoints that name none.
    pub default_format: Format,
    /// Where requests may go.
    pub policy: Policy,
    /// Whether the dispatcher may start with a file without endpoints.
    pub allow_none: bool,
    /// How long the events of a company wait after all its endpoints disappeared from the file.
    pub grace: Duration,
}

/// The endpoints file, followed from its first reading on.
pub struct EndpointsFile {
    reader: Arc<FileReader>,
    known: Arc<FileEndpoints>,
    agreement: Agreement,
    stamps: Arc<Stamps>,
}

impl EndpointsFile {
    /// Reads the file for the first time, and again where it was written just now. The calling thread waits for that, though not
    /// for ever.
    ///
    /// # Errors
    /// [`UnusableFile`] names what is wrong with it.
    pub fn load(settings: FileSettings) -> Result<Self, UnusableFile> {
        let FileSettings {
            path,
            default_format,
            policy,
            allow_none,
            grace,
        } = settings;
        let reader = Arc::new(FileReader::new(path.clone(), default_format, policy));
        let look = || read_in_time(&reader, &path);
        let Reading {
            digest,
            stamps,
            listing,
        } = first::at_rest(look, || thread::sleep(LOOK_EVERY), &path)?;
        let listing = listing?;
        if listing.is_empty() && !allow_none {
            return Err(UnusableFile::Empty { path });
        }
        let file = Self {
            reader,
            known: Arc::new(FileEndpoints::new(grace)),
            agreement: Agreement::new(digest),
            stamps: Arc::new(stamps),
        };
        file.take(listing);
        Ok(file)
    }

    /// The endpoints as the file has them, from now on.
    #[must_use]
    pub fn endpoints(&self) -> Arc<FileEndpoints> {
        Arc::clone(&self.known)
    }

    /// Follows the file's changes until shutdown; `reload` has it read at once, and what is read then counts at once. A
    /// file that cannot be used leaves the endpoints as they are.
    pub async fn watch(mut self, shutdown: Shutdown, reload: Arc<Notify>) {
        let follow = async {
            loop {
                let is_asked = tokio::select! {
                    () = reload.notified() => true,
                    () = sleep(LOOK_EVERY) => false,
                };
                if let Some(reading) = self.look(is_asked).await {
                    self.judge(reading, is_asked);
                }
            }
        };
        tokio::select! {
            () = shutdown.requested() => {}
            () = follow => {}
        }
    }

    /// Reads the files if they may have changed. Only this waits for the file system: where it hangs, no other read is
    /// begun, and everything else goes on.
    async fn look(&self, is_asked: bool) -> Option<Reading> {
        let must_read = is_asked || self.agreement.is_pending();
        let (reader, stamps) = (Arc::clone(&self.reader), Arc::clone(&self.stamps));
        let mut reading: JoinHandle<_> =
            spawn_blocking(move || (must_read || !stamps.are_current()).then(|| reader.read()));
        if let Ok(read) = timeout(SLOW_READ, &mut reading).await {
            return read.ok().flatten();
        }
        let seconds = SLOW_READ.as_secs();
        warn!(
            seconds,
            "the endpoints file is still being read; the endpoints stay as they are until the file system answers"
        );
        reading.await.ok().flatten()
    }

    fn judge(&mut self, reading: Reading, is_asked: bool) {
        self.stamps = Arc::new(reading.stamps);
        match self.agreement.judge(reading.digest, is_asked) {
            Verdict::Unchanged | Verdict::Wait => return,
            Verdict::Take => {}
        }
        let path = self.reader.path();
        let problem = match reading.listing {
            Ok(listing) if listing.is_empty() && !self.known.is_empty() => UnusableFile::NoneAnyMore {
                path: path.to_owned(),
            },
            Ok(listing) => return self.take(listing),
            Err(unusable) => unusable,
        };
        error!(
            error = %problem,
            "the endpoints stay as they were until the file is mended"
        );
    }

    fn take(&self, listing: Listing) {
        tell_refused(&listing);
        let count = listing.count();
        let removed = self.known.replace(listing, Instant::now());
        let file = self.reader.path().display();
        // All of them, a few in each line: who removed them by mistake has no other list of what there was.
        for some in removed.chunks(MAX_SHOWN) {
            warn!(
                removed = removed.len(),
                %file,
                "endpoints are no longer in the file, and get nothing any more: {}",
                shortlist(some, ", ")
            );
        }
        info!(endpoints = count, %file, "endpoints loaded");
    }
}

/// Reads on a thread of its own, so that a file system that hangs ends the start with a reason instead of hanging it.
fn read_in_time(reader: &Arc<FileReader>, path: &std::path::Path) -> Result<Reading, UnusableFile> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let reading = Arc::clone(reader);
    thread::Builder::new()
        .name("endpoints-file".to_owned())
        .spawn(move || drop(sender.send(reading.read())))
        .map_err(UnusableFile::NoThread)?;
    receiver
        .recv_timeout(SLOW_READ)
        .map_err(|_| UnusableFile::NoAnswer {
            path: path.to_owned(),
            waited: SLOW_READ,
        })
}

/// Says which endpoints the guard will let nothing be sent to.
fn tell_refused(listing: &Listing) {
    let refused = listing
        .iter()
        .filter_map(|registered| match &registered.destination {
            Destination::Refused(refusal) => Some((&registered.endpoint, refusal)),
            Destination::Allowed { .. } => None,
        });
    let mut count = 0_usize;
    for (endpoint, refusal) in refused {
        count += 1;
        if count <= MAX_SHOWN {
            let (company, endpoint) = (&endpoint.company, &endpoint.id);
            warn!(%company, %endpoint, reason = refusal.reason(), "nothing will be sent to this endpoint: {refusal}");
        }
    }
    if let Some(more) = count.checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        warn!("nothing will be sent to {} more endpoints either", grouped(more));
    }
}

#[cfg(test)]
mod tests;
