//! A PostgreSQL of the test's own that speaks TLS alone, with a superuser whom the test may be.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

use crate::hostile::certificates::Identity;
use crate::ports::free_port;
use crate::scripts::Started;
use crate::services::services;

/// The server.
pub struct TlsPostgres {
    server: Started,
    script: PathBuf,
    port: u16,
}

impl TlsPostgres {
    /// Starts one that shows this certificate.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(identity: &Identity) -> Self {
        let script = services().broker_script.with_file_name("postgres.sh");
        let started = Self {
            server: Started::by(script.clone()),
            script,
            port: free_port(),
        };
        started.server.run("init", &[]).await;
        let folder = fs::read_to_string(started.server.folder().join("folder"));
        let data = folder.map_or_else(
            |_| started.server.folder().join("data"),
            |folder| Path::new(folder.trim()).join("data"),
        );
        write(&data.join("server.crt"), &identity.certificate_pem);
        write(&data.join("server.key"), &identity.key_pem);
        let access = "host all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        write(&data.join("pg_hba.conf"), access);
        let configuration = data.join("postgresql.conf");
        let text = fs::read_to_string(&configuration).expect("a configuration");
        write(&configuration, &format!("{text}\nssl = on\n"));
        started.server.run("start", &[&started.port.to_string()]).await;
        started
    }

    /// Its URL for a role, whose password is its name, with further parameters.
    ///
    /// # Panics
    /// When this makes no URL.
    #[must_use]
    pub fn url(&self, role: &str, parameters: &str) -> Url {
        let url = format!(
            "postgres://{role}:{role}@127.0.0.1:{}/hookline?{parameters}",
            self.port
        );
        url.parse().expect("a URL")
    }

    /// Runs statements as a role.
    ///
    /// # Errors
    /// What the database said.
    pub async fn execute(&self, role: &str, sql: &str) -> Result<(), String> {
        let url = self.url(role, "sslmode=prefer");
        let connected = PgConnection::connect(url.as_str()).await;
        let mut connection = connected.map_err(|error| error.to_string())?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        done.map(drop).map_err(|error| error.to_string())
    }
}

impl Drop for TlsPostgres {
    /// Its data may lie elsewhere than in the folder that goes by itself.
    fn drop(&mut self) {
        let mut wipe = Command::new(&self.script);
        wipe.arg("wipe").arg(self.server.folder()).stdin(Stdio::null());
        if let Err(error) = wipe.status() {
            eprintln!(
                "a database may be left in {}: {error}",
                self.server.folder().display()
            );
        }
    }
}

/// Writes a file that is its server's alone, whoever the test is.
fn write(path: &Path, text: &str) {
    let owner = fs::metadata(path.parent().expect("a folder")).expect("its owner");
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    std::io::Write::write_all(&mut file.expect("a file"), text.as_bytes()).expect("room for it");
    // Only root can give files away, and nobody else needs to.
    if owner.uid() != fs::metadata(path).expect("an owner").uid() {
        chown(path, Some(owner.uid()), Some(owner.gid())).expect("it is given away");
    }
}
