//! RabbitMQ's management API: what AMQP does not tell, such as policies, replicas, leaders and alarms.
//!
//! Its counts are up to five seconds old. What must be known at this moment is asked for over AMQP.

mod answers; // what it says
mod error; // why it says nothing
mod url; // where it is

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;

use crate::settings::BrokerSettings;

pub use self::answers::{Alarm, AlarmKind, NodeInfo, QueueInfo, alarms_of};
pub use self::error::ManagementError;
pub use self::url::{InvalidManagementUrl, ManagementUrl};

use self::answers::Page;

/// A node that is down makes the API wait for it; one that answers at all does so within a few seconds.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// It answers 500 when a queue that it lists is deleted meanwhile, and knows better the next time.
const TRIES: u32 = 5;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// A queue takes about 3 KB.
const QUEUES_A_PAGE: u32 = 200;
/// Far above what a page or a large cluster takes; more is not read.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// The management API of one broker, looked at for one virtual host. Cheap to make: it connects when it is asked.
pub struct Management {
    client: Client,
    url: ManagementUrl,
    /// As the broker calls it.
    vhost: String,
    user: String,
    password: String,
}

impl Management {
    /// For the virtual host of `broker`; the account is that of `url`, or the one of `broker` where it names none.
    ///
    /// # Errors
    /// [`ManagementError`] where the client cannot be set up: the further roots are no PEM.
    pub fn connect(url: ManagementUrl, broker: &BrokerSettings) -> Result<Self, ManagementError> {
        // Fails only where the process chose a provider already, and then that one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut client = Client::builder()
            // What the environment says of proxies is meant for the world outside; and what leads elsewhere is not the broker.
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        if let Some(pem) = &broker.ca_pem {
            let roots = Certificate::from_pem_bundle(pem.as_bytes()).map_err(ManagementError::SetUp)?;
            client = client.tls_certs_merge(roots);
        }
        let (user, password) = match url.account() {
            Some((user, password)) => (user.to_owned(), password.to_owned()),
            None => (broker.url.user().to_owned(), broker.url.password().to_owned()),
        };
        Ok(Self {
            client: client.build().map_err(ManagementError::SetUp)?,
            url,
            vhost: broker.url.vhost().to_owned(),
            user,
            password,
        })
    }

    /// The queues and streams whose names start with `prefix`, by name.
    ///
    /// # Errors
    /// [`ManagementError`] says why it is not known.
    pub async fn queues(&self, prefix: &str) -> Result<Vec<QueueInfo>, ManagementError> {
        let mut queues: Vec<QueueInfo> = Vec::new();
        for page in 1.. {
            let mut url = self.url.join(&["api", "queues", &self.vhost]);
            url.query_pairs_mut()
                .append_pair("page", &page.to_string())
                .append_pair("page_size", &QUEUES_A_PAGE.to_string())
                .append_pair("use_regex", "true")
                .append_pair("name", &pattern_for(prefix));
            let answer: Page<QueueInfo> = self.get(url).await?;
            queues.extend(answer.items);
            if page >= answer.page_count {
                break;
            }
        }
        queues.retain(|queue| queue.name.starts_with(prefix));
        for queue in &mut queues {
            queue.leader = queue.leader.take().or_else(|| queue.node.take());
        }
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(queues)
    }

    /// The nodes of the cluster, those that are down included, by name.
    ///
    /// # Errors
    /// [`ManagementError`] says why it is not known; the account needs the tag `monitoring` for it.
    pub async fn nodes(&self) -> Result<Vec<NodeInfo>, ManagementError> {
        let mut nodes: Vec<NodeInfo> = self.get(self.url.join(&["api", "nodes"])).await?;
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(nodes)
    }

    /// What keeps the broker from taking messages from publishers.
    ///
    /// # Errors
    /// As [`Self::nodes`].
    pub async fn alarms(&self) -> Result<Vec<Alarm>, ManagementError> {
        Ok(alarms_of(&self.nodes().await?))
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ManagementError> {
        let unreachable = |source: reqwest::Error| ManagementError::Unreachable {
            url: self.url.to_string(),
            // The library would add the URL, which may hold a password.
            source: source.without_url(),
        };
        let mut tries = 1;
        let mut answer = loop {
            let request = self.client.get(url.clone());
            let request = request.basic_auth(&self.user, Some(&self.password));
            let answer = request.send().await.map_err(unreachable)?;
            if !answer.status().is_server_error() || tries == TRIES {
                break answer;
            }
            tries += 1;
            sleep(TRY_AGAIN_AFTER).await;
        };
        let status = answer.status();
        if !status.is_success() {
            return Err(ManagementError::refused(
                &self.url,
                &self.user,
                &self.vhost,
                status,
            ));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ManagementError::unreadable(
                    &self.url,
                    "its answer has more than 16 MiB",
                ));
            }
            body.extend_from_slice(&chunk);
        }
        // By way of a tree: some versions name a member twice, of which the last one counts.
        let tree: Result<Value, _> = serde_json::from_slice(&body);
        tree.and_then(serde_json::from_value)
            .map_err(|error| ManagementError::unreadable(&self.url, &error))
    }
}

/// A regular expression for names that start with `prefix`, which holds no other special character than a dot.
fn pattern_for(prefix: &str) -> String {
    format!("^{}", prefix.replace('.', "\\."))
}

#[cfg(test)]
mod tests;
