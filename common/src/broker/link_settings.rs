//! Where and as whom to connect.

use std::sync::Arc;

use super::stats::BrokerStats;
use super::url::BrokerUrl;

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// The broker.
    pub url: BrokerUrl,
    /// Further roots to trust for `amqps://`, in PEM.
    pub ca_pem: Option<String>,
    /// The connection's name in the broker's own tools and logs, and in ours.
    pub name: String,
    /// The longest frame, in bytes, where the broker takes that; 128 KiB where there is none, or what the URL says beyond that. The
    /// client library reserves 32 of them for each direction. What is published must have headers that fit into one; of those that
    /// are received and do not, long values are left out.
    pub max_frame: Option<u32>,
    /// Where reconnects and refusals are counted.
    pub stats: Arc<BrokerStats>,
}

impl LinkSettings {
    /// A link to this broker, counted for itself, with nothing special about it.
    #[must_use]
    pub fn new(url: BrokerUrl, name: &str) -> Self {
        Self {
            url,
            ca_pem: None,
            name: name.to_owned(),
            max_frame: None,
            stats: Arc::default(),
        }
    }

    /// The same, counted together with every other link that is given these `stats`.
    #[must_use]
    pub fn counting_in(mut self, stats: &Arc<BrokerStats>) -> Self {
        self.stats = Arc::clone(stats);
        self
    }
}
