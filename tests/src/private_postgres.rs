//! A PostgreSQL of the test's own, which it may stop, freeze and start again.

use url::Url;

use crate::ports::free_port;
use crate::scripts::Started;
use crate::services::services;

/// A PostgreSQL server in a folder of its own, with an empty database.
pub struct PrivatePostgres {
    server: Started,
    port: String,
}

impl PrivatePostgres {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let script = services().broker_script.with_file_name("postgres.sh");
        let server = Self {
            // Its data may lie elsewhere than in the folder that goes by itself.
            server: Started::by(script).ended_by("wipe"),
            port: free_port().to_string(),
        };
        server.start_again().await;
        server
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
