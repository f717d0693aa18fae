//! Where the broker is, and how long a caller is made to wait for it.

use std::time::Duration;

use hookline_common::broker::{BrokerUrl, InvalidBrokerUrl};
use hookline_common::settings::{BrokerSettings, Environment, Faults, Reader};
use hookline_common::topology::Namespace;

/// What a [`Producer`](crate::Producer) needs to know. Printing it shows no password.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) broker: BrokerSettings,
    pub(crate) connection_name: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) publish_timeout: Duration,
    pub(crate) max_in_flight: usize,
}

impl Settings {
    /// How long [`Producer::connect`](crate::Producer::connect) waits: long enough for one try to run into
    /// its own limit of 10 s, so that the error can say why.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
    /// How long one event is tried: a broker that restarts, or a cluster that chooses another leader, is back by then.
    pub const DEFAULT_PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
    /// How many events wait for the broker's answer at once: enough to keep it busy, and at most 100 MB of
    /// data.
    pub const DEFAULT_MAX_IN_FLIGHT: usize = 1000;
    /// The most events that may wait for an answer at once. The broker is busy with far fewer, and the events themselves
    /// stay in memory until they are answered.
    pub const MAX_IN_FLIGHT: usize = 65_535;
    /// The longest timeout. A day is longer than any caller waits, and far from where adding to a clock overflows.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

    /// Reads `HOOKLINE_AMQP_URL` (or `HOOKLINE_AMQP_URL_FILE`, the path of a file that holds it),
    /// `HOOKLINE_NAMESPACE` and `HOOKLINE_AMQP_CA_FILE`; the rest has its defaults.
    ///
    /// # Errors
    /// [`Faults`] lists everything that is wrong, with the variables' names and what is allowed.
    pub fn from_env() -> Result<Self, Faults> {
        let mut reader = Reader::new(&Environment);
        let broker = BrokerSettings::read(&mut reader);
        reader.finish(|| broker.map(Self::from))
    }

    /// Settings without the environment: the broker at `url` (`amqp://user:password@host:5672/vhost`, or
    /// `amqps://`). Several, separated by commas, are the nodes of one cluster: each connect tries the next.
    ///
    /// # Errors
    /// [`InvalidBrokerUrl`] says what is wrong, without repeating the URL, which may hold a password.
    pub fn new(url: &str) -> Result<Self, InvalidBrokerUrl> {
        Ok(Self::from(BrokerSettings {
            url: BrokerUrl::parse(url)?,
            namespace: Namespace::default(),
            ca_pem: None,
        }))
    }

    /// What every name on the broker starts with; `hookline` by default.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.broker.namespace = namespace;
        self
    }

    /// Further roots to trust for an `amqps://` broker, in PEM.
    #[must_use]
    pub fn with_ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.broker.ca_pem = Some(pem.into());
        self
    }

    /// What the connection is called in the broker's own tools: best the service's name.
    #[must_use]
    pub fn with_connection_name(mut self, name: impl Into<String>) -> Self {
        self.connection_name = name.into();
        self
    }

    /// How long connecting may take at the start, at most [`Self::MAX_TIMEOUT`].
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.min(Self::MAX_TIMEOUT);
        self
    }

    /// How long one `publish` may take, waiting for a slot and through outages included, at most
    /// [`Self::MAX_TIMEOUT`].
    #[must_use]
    pub fn with_publish_timeout(mut self, timeout: Duration) -> Self {
        self.publish_timeout = timeout.min(Self::MAX_TIMEOUT);
        self
    }

    /// How many events may wait for the broker's answer at once, 1 to [`Self::MAX_IN_FLIGHT`].
    #[must_use]
    pub fn with_max_in_flight(mut self, events: usize) -> Self {
        self.max_in_flight = events.clamp(1, Self::MAX_IN_FLIGHT);
        self
    }
}

/// Settings of a program that has read where the broker is together with settings of its own.
impl From<BrokerSettings> for Settings {
    fn from(broker: BrokerSettings) -> Self {
        Self {
            broker,
            connection_name: "hookline-producer".to_owned(),
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            publish_timeout: Self::DEFAULT_PUBLISH_TIMEOUT,
            max_in_flight: Self::DEFAULT_MAX_IN_FLIGHT,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_would_make_no_sense_is_brought_within_bounds() {
        let settings = Settings::new("amqp://localhost").unwrap();
        let bounded = settings.with_max_in_flight(0).with_publish_timeout(Duration::MAX);
        assert_eq!(
            (bounded.max_in_flight, bounded.publish_timeout),
            (1, Settings::MAX_TIMEOUT)
        );
        assert_eq!(
            bounded.with_max_in_flight(usize::MAX).max_in_flight,
            Settings::MAX_IN_FLIGHT
        );
    }

    #[test]
    fn neither_settings_nor_their_error_show_a_password() {
        let settings = Settings::new("amqp://guest:s3cret@localhost").unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
        for text in [
            "http://guest:s3cret@localhost",
            "amqp://a:s3cret@h1;amqp://b:s3cret@h2/",
        ] {
            let error = Settings::new(text).unwrap_err();
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
