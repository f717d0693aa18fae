//! A console beside a measurement.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::broker::http_client;
use crate::child::Child;
use crate::error::{Context as _, Fault, Result};
use crate::settings::Settings;
use crate::subject::{Registry, free_port, metric_sum};

/// How long it may take to be ready.
const START_TIME: Duration = Duration::from_secs(30);

/// A console with a database.
pub(crate) struct Console {
    pub(crate) child: Child,
    address: String,
}

impl Console {
    /// Starts one, and returns at once: it may have much to do from its first moment on.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn launch(settings: &Settings, namespace: &str, database: &Registry) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(settings.dispatcher.with_file_name("hookline-console"));
        command
            .env_clear()
            .env("HOOKLINE_AMQP_URL", &settings.amqp_url)
            .env("HOOKLINE_NAMESPACE", namespace)
            .env("HOOKLINE_HTTP_ADDR", &address)
            .env("HOOKLINE_DATABASE_URL", &database.database_url)
            .env("HOOKLINE_MASTER_KEY", &database.master_key)
            .env("HOOKLINE_ADMIN_TOKEN", "bench-admin-token-0123456789")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = Child::spawn("the console", command, &settings.folder.join("console.log"))?;
        Ok(Self { child, address })
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// It does not.
    pub(crate) async fn serves(&mut self) -> Result<()> {
        let since = Instant::now();
        while since.elapsed() < START_TIME {
            self.child.is_alive()?;
            if self.metric("hookline_console_leads").await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Fault::new("the console does not serve its metrics"))
    }

    /// One of its metrics, 0 where it has none of that name.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let url = format!("http://{}/metrics", self.address);
        let answer = http_client()?
            .get(url)
            .send()
            .await
            .context("asking for metrics")?;
        let text = answer.text().await.context("asking for metrics")?;
        Ok(metric_sum(&text, name))
    }
}
