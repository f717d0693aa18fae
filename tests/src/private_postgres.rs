//! A PostgreSQL of the test's own, which it may stop, freeze and start again.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use url::Url;

use crate::ports::free_port;
use crate::scripts::Started;
use crate::services::services;

/// A PostgreSQL server in a folder of its own, with an empty database.
pub struct PrivatePostgres {
    server: Started,
    port: String,
    /// Where a disk of its own is mounted.
    disk: Option<PathBuf>,
}

impl PrivatePostgres {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let server = Self::prepared();
        server.start_again().await;
        server
    }

    /// Starts one whose data has so many megabytes of room and no more; none where this user may not mount such a disk.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_on_a_disk_of(megabytes: u32) -> Option<Self> {
        let mut server = Self::prepared();
        server.server.run("init", &[]).await;
        // Written where the data lies elsewhere, which is where this user is root.
        let folder = fs::read_to_string(server.server.folder().join("folder")).ok()?;
        let folder = PathBuf::from(folder.trim());
        let mount = format!(
            "cp -a \"$1\" \"$2\" && mount -t tmpfs -o size={megabytes}m tmpfs \"$1\" && cp -a \"$2/.\" \"$1\" && rm -rf \"$2\""
        );
        let aside = server.server.folder().join("aside");
        let mounted = Command::new("sh")
            .args(["-c", &mount, "sh"])
            .args([&folder, &aside])
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return None;
        }
        server.disk = Some(folder);
        server.start_again().await;
        Some(server)
    }

    /// Leaves no room on its disk, or gives it back.
    ///
    /// # Panics
    /// When it has no disk of its own.
    pub fn fill_disk(&self, is_full: bool) {
        let filler = self.disk.as_ref().expect("a disk of its own").join("filler");
        if !is_full {
            fs::remove_file(filler).expect("it is there");
            return;
        }
        let mut file = fs::File::create(filler).expect("room for a name");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn prepared() -> Self {
        let script = services().broker_script.with_file_name("postgres.sh");
        Self {
            // Its data may lie elsewhere than in the folder that goes by itself.
            server: Started::by(script).ended_by("wipe"),
            port: free_port().to_string(),
            disk: None,
        }
    }

    /// Its URL.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn url(&self) -> Url {
        let url = format!("postgres://hookline:hookline@127.0.0.1:{}/hookline", self.port);
        url.parse().expect("a URL")
    }

    /// Starts it on the same port, with the data that it had.
    pub async fn start_again(&self) {
        self.server.run("start", &[&self.port]).await;
    }

    /// Stops it: connections are closed, and refused from then on.
    pub async fn stop(&self) {
        self.server.run("stop", &[]).await;
    }

    /// Kills it (SIGKILL), as a crash would.
    pub async fn kill(&self) {
        self.server.run("kill", &[]).await;
    }

    /// Freezes it (SIGSTOP): connections stay, new ones are accepted by the system, and nobody gets an answer.
    pub async fn freeze(&self) {
        self.server.run("freeze", &[]).await;
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.server.run("thaw", &[]).await;
    }
}

impl Drop for PrivatePostgres {
    /// What is mounted cannot be removed with the rest.
    fn drop(&mut self) {
        let Some(disk) = self.disk.take() else { return };
        let script = services().broker_script.with_file_name("postgres.sh");
        let stopped = Command::new(script)
            .arg("stop")
            .arg(self.server.folder())
            .status();
        let unmounted = Command::new("umount").arg(&disk).status();
        if !stopped.is_ok_and(|status| status.success()) || !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("a small disk may be left at {}", disk.display());
        }
    }
}
