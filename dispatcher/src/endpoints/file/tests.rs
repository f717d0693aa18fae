//! Files as people and programs write, break and swap them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hookline_common::ids::CompanyId;
use tempfile::TempDir;

use super::super::{Endpoints as _, Lookup};
use super::*;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new(text: &str) -> Self {
        let disk = Self {
            folder: TempDir::new().unwrap(),
        };
        disk.write(text);
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, text: &str) {
        fs::write(self.path("endpoints.toml"), text).unwrap();
    }

    fn load(&self, allow_none: bool) -> Result<EndpointsFile, UnusableFile> {
        EndpointsFile::load(FileSettings {
            path: self.path("endpoints.toml"),
            default_format: Format::Meeva,
            policy: Policy::default(),
            allow_none,
            grace: Duration::from_secs(120),
        })
    }

    /// An endpoint whose secret stands in this file.
    fn entry_with_secret_file(&self, secret_file: &str) -> String {
        let path = self.path(secret_file);
        entry("ep_1").replace(
            &format!("secret = \"{OLD}\""),
            &format!("secret_file = {:?}", path.display().to_string()),
        )
    }
}

fn entry(id: &str) -> String {
    format!(
        "[[endpoint]]\nid = {id:?}\ncompany = \"acme\"\nurl = \"https://example.com/\"\nsecret = \"{OLD}\"\n"
    )
}

/// One look, as every half a second brings one.
async fn look(file: &mut EndpointsFile) {
    if let Some(reading) = file.look(false).await {
        file.judge(reading, false);
    }
}

async fn look_twice(file: &mut EndpointsFile) {
    look(file).await;
    look(file).await;
}

/// The ids of the company's endpoints, and with what the first of them signs.
fn acme(endpoints: &FileEndpoints) -> (Vec<String>, Option<String>) {
    let Lookup::Known(company) = endpoints.lookup(&CompanyId::parse("acme").unwrap()) else {
        return (Vec::new(), None);
    };
    let ids = company.iter().map(|it| it.endpoint.id.to_string()).collect();
    let signature = company
        .iter()
        .next()
        .map(|first| format!("{:?}", first.endpoint.keys.meeva(b"{}")));
    (ids, signature)
}

fn ids(file: &EndpointsFile) -> Vec<String> {
    acme(&file.known).0
}

fn signature(file: &EndpointsFile) -> String {
    acme(&file.known).1.unwrap()
}

#[tokio::test]
async fn an_empty_file_is_refused_at_start_unless_it_is_allowed_and_then_may_fill() {
    let disk = Disk::new("# nothing yet\n");
    let error = disk.load(false).err().unwrap();
    assert!(
        matches!(error, UnusableFile::Empty { .. })
            && error.to_string().contains("HOOKLINE_ALLOW_NO_ENDPOINTS=true"),
        "{error}"
    );
    let mut file = disk.load(true).unwrap();
    disk.write(&entry("ep_1"));
    look_twice(&mut file).await;
    assert_eq!(ids(&file), ["ep_1"]);
}

#[tokio::test]
async fn an_empty_file_is_not_taken_in_place_of_one_with_endpoints() {
    let disk = Disk::new(&entry("ep_1"));
    let mut file = disk.load(true).unwrap();
    for empty in ["", "# nobody\n", "endpoint = []\n"] {
        disk.write(empty);
        look_twice(&mut file).await;
        look_twice(&mut file).await;
        assert_eq!(ids(&file), ["ep_1"], "{empty:?}");
    }
    // Not even where somebody asks for it.
    let reading = file.look(true).await.unwrap();
    file.judge(reading, true);
    assert_eq!(ids(&file), ["ep_1"]);
    disk.write(&entry("ep_2"));
    look_twice(&mut file).await;
    assert_eq!(ids(&file), ["ep_2"]);
}

/// What a start makes of the file where this happens between two looks, and how often it pauses for another.
fn first_reading(
    path: &Path,
    mut meanwhile: impl FnMut(usize),
) -> (Result<Vec<String>, UnusableFile>, usize) {
    let reader = FileReader::new(path.to_owned(), Format::Meeva, Policy::default());
    let mut pauses = 0;
    let pause = || {
        pauses += 1;
        meanwhile(pauses);
    };
    let reading = first::at_rest(|| Ok(reader.read()), pause, path);
    let listing = reading.and_then(|reading| reading.listing);
    let ids = listing.map(|listing| {
        let mut ids: Vec<String> = listing.iter().map(|it| it.endpoint.id.to_string()).collect();
        ids.sort_unstable();
        ids
    });
    (ids, pauses)
}

#[test]
fn a_start_takes_no_file_that_is_still_being_written() {
    let whole = [entry("ep_1"), entry("ep_2"), entry("ep_3")];
    let disk = Disk::new(&whole[0]);
    let (ids, pauses) = first_reading(&disk.path("endpoints.toml"), |pauses| match pauses {
        1 => disk.write(&whole[..2].concat()),
        2 => disk.write(&whole.concat()),
        _ => {}
    });
    assert_eq!((ids.unwrap().len(), pauses), (3, 3));
    // What cannot be used is no exception: the next look may find it mended.
    let disk = Disk::new(&whole[0][..whole[0].len() - 5]);
    let (ids, _) = first_reading(&disk.path("endpoints.toml"), |pauses| {
        if pauses == 1 {
            disk.write(&whole[0]);
        }
    });
    assert_eq!(ids.unwrap(), ["ep_1"]);
}

#[test]
fn a_start_waits_for_no_file_for_ever_and_for_one_that_rests_not_at_all() {
    let disk = Disk::new(&entry("ep_0"));
    let (ids, pauses) = first_reading(&disk.path("endpoints.toml"), |pauses| {
        disk.write(&entry(&format!("ep_{pauses}")));
    });
    let error = ids.unwrap_err();
    assert!(matches!(error, UnusableFile::Restless { .. }), "{error}");
    assert!(error.may_pass());
    assert_eq!(pauses, first::MAX_LOOKS - 1);
    // The first is no endpoints file, though an old one; the second is none at all.
    for path in [concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "/nowhere"] {
        let (ids, pauses) = first_reading(Path::new(path), |_| {});
        assert!(ids.is_err() && pauses == 0, "{path}: {pauses}");
    }
}

#[tokio::test]
async fn a_file_counts_when_it_was_seen_twice_and_only_then() {
    let disk = Disk::new(&entry("ep_1"));
    let mut file = disk.load(false).unwrap();
    for half in 1..4 {
        disk.write(&entry(&format!("ep_half_{half}")));
        look(&mut file).await;
        assert_eq!(ids(&file), ["ep_1"]);
    }
    disk.write(&(entry("ep_1") + &entry("ep_2")));
    look(&mut file).await;
    assert_eq!(ids(&file), ["ep_1"]);
    look(&mut file).await;
    assert_eq!(ids(&file), ["ep_1", "ep_2"]);
}

#[tokio::test]
async fn a_secret_file_behind_a_symlink_that_is_swapped_is_noticed() {
    let disk = Disk::new("");
    // As Kubernetes mounts a secret: the file leads through `..data` into a folder for each version.
    for (version, secret) in [("v1", OLD), ("v2", NEW)] {
        fs::create_dir(disk.path(version)).unwrap();
        fs::write(disk.path(version).join("crm"), secret).unwrap();
    }
    symlink("v1", disk.path("..data")).unwrap();
    symlink("..data/crm", disk.path("crm")).unwrap();
    disk.write(&disk.entry_with_secret_file("crm"));
    let mut file = disk.load(false).unwrap();
    let before = signature(&file);
    look_twice(&mut file).await;
    assert_eq!(signature(&file), before);
    symlink("v2", disk.path("..data_tmp")).unwrap();
    fs::rename(disk.path("..data_tmp"), disk.path("..data")).unwrap();
    look(&mut file).await;
    assert_eq!(signature(&file), before, "one look is not enough");
    look(&mut file).await;
    assert_ne!(signature(&file), before);
}

#[tokio::test]
async fn a_secret_file_that_vanishes_or_is_invalid_leaves_the_endpoints_as_they_were() {
    let disk = Disk::new("");
    let secret = disk.path("secret");
    fs::write(&secret, OLD).unwrap();
    disk.write(&disk.entry_with_secret_file("secret"));
    let mut file = disk.load(false).unwrap();
    let before = signature(&file);
    fs::remove_file(&secret).unwrap();
    look_twice(&mut file).await;
    fs::write(&secret, "short").unwrap();
    look_twice(&mut file).await;
    fs::remove_file(&secret).unwrap();
    fs::create_dir(&secret).unwrap();
    look_twice(&mut file).await;
    assert_eq!(
        (ids(&file), signature(&file)),
        (vec!["ep_1".to_owned()], before.clone())
    );
    fs::remove_dir(&secret).unwrap();
    fs::write(&secret, NEW).unwrap();
    look_twice(&mut file).await;
    assert_ne!(signature(&file), before);
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_and_holds_nobody_up() {
    let disk = Disk::new(&entry("ep_1"));
    let mut file = disk.load(false).unwrap();
    let path = disk.path("endpoints.toml");
    fs::remove_file(&path).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    look_twice(&mut file).await;
    assert_eq!(ids(&file), ["ep_1"]);
    let error = disk.load(false).err().unwrap().to_string();
    assert!(error.contains("no regular file"), "{error}");
    fs::remove_file(&path).unwrap();
    symlink(Path::new("/dev/zero"), &path).unwrap();
    look_twice(&mut file).await;
    assert_eq!(ids(&file), ["ep_1"]);
}

#[test]
fn a_file_with_tens_of_thousands_of_faults_makes_a_short_error() {
    let disk = Disk::new(&"[[endpoint]]\nid = 7\n".repeat(20_000));
    let error = disk.load(false).err().unwrap().to_string();
    // Four faults each: the id, and company, url and secret that are missing.
    assert!(error.contains("has 80000 fault(s)"), "{}", &error[..200]);
    assert!(
        error.ends_with("and 79,980 more") && error.len() < 10_000,
        "{}",
        error.len()
    );
    assert_eq!(error.lines().count(), 22);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_is_asked_for_counts_at_once() {
    let disk = Disk::new(&entry("ep_1"));
    let file = disk.load(false).unwrap();
    let known = file.endpoints();
    let (trigger, shutdown) = Shutdown::new();
    let reload = Arc::new(Notify::new());
    let watching = tokio::spawn(file.watch(shutdown, Arc::clone(&reload)));
    disk.write(&entry("ep_2"));
    let begin = Instant::now();
    reload.notify_one();
    while acme(&known).0 != ["ep_2"] {
        tokio::task::yield_now().await;
    }
    assert!(begin.elapsed() < LOOK_EVERY, "it came with an ordinary look");
    trigger.pull();
    watching.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_is_in_use_after_two_looks() {
    let disk = Disk::new(&entry("ep_1"));
    let file = disk.load(false).unwrap();
    let known = file.endpoints();
    let (_trigger, shutdown) = Shutdown::new();
    tokio::spawn(file.watch(shutdown, Arc::new(Notify::new())));
    disk.write(&entry("ep_2"));
    let begin = Instant::now();
    while acme(&known).0 != ["ep_2"] {
        sleep(Duration::from_millis(10)).await;
    }
    let took = begin.elapsed();
    assert!((2 * LOOK_EVERY..3 * LOOK_EVERY).contains(&took), "{took:?}");
}
