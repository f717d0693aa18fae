//! One attempt in the test's own process: from an entry of the endpoints file to the record, without a broker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hookline_common::delivery::{Delivery, PassThrough, Unrouted};
use hookline_common::endpoint::Format;
use hookline_common::endpoints_file;
use hookline_common::event::Event;
use hookline_common::guard::{Policy, parse_cidr};
use hookline_common::record::AttemptRecord;
use hookline_common::schedule::NextStep;
use hookline_common::settings::Environment;
use hookline_dispatcher::client::{Answer, Client, ClientSettings, RequestError, Resolver, SendError};
use hookline_dispatcher::endpoints::PreparedEndpoint;
use hookline_dispatcher::spans::Traced;
use hookline_dispatcher::{attempt, settle};
use http_body_util::Full;
use hyper::{Request, Uri};
use tokio::time::Instant;

use crate::endpoint::{Endpoint, file};
use crate::pace::Pace;

/// The request timeout where it is what ends an attempt.
pub const SHORT: Duration = Duration::from_secs(1);
/// The request timeout where it must not be what ends an attempt.
pub const LONG: Duration = Duration::from_secs(60);
/// What an attempt that ends by itself may take, as [`Tried::paced`] counts: far less than the five seconds for a body, which are
/// the shortest time limit that ends one where [`LONG`] is the timeout.
pub const AT_ONCE: Duration = Duration::from_secs(2);
/// How far from its time a timeout may be, by the same clock.
pub const TOLERANCE: Duration = Duration::from_millis(500);

/// Connections that the client may have open at once.
pub const MAX_CONNECTIONS: usize = 4096;

/// A dispatcher's client and the rules that it follows.
#[derive(Clone)]
pub struct Rig {
    policy: Policy,
    client: Client,
}

/// What became of one attempt.
#[derive(Debug)]
pub struct Tried {
    /// The line in the log.
    pub line: Vec<u8>,
    /// The same, read.
    pub record: AttemptRecord,
    /// How long the receiver asked to be left alone.
    pub not_before: Option<Duration>,
    /// How long it took, by the clock on the wall: for lower bounds.
    pub took: Duration,
    /// The same by a clock that stands still while this program is kept from running: for upper bounds.
    pub paced: Duration,
}

impl Tried {
    /// How it ended: the outcome and the status, if there was one.
    #[must_use]
    pub fn end(&self) -> (&str, Option<u16>) {
        (self.record.outcome.as_str(), self.record.status)
    }

    /// Makes sure that it took this time and no other.
    ///
    /// # Panics
    /// When it did not.
    pub fn assert_took(&self, expected: Duration) {
        // Our clock begins a little later than the attempt's own.
        let early = TOLERANCE / 10;
        let is_on_time = self.took + early >= expected && self.paced <= expected + TOLERANCE;
        assert!(is_on_time, "not {expected:?}: {self:?}");
    }

    /// Whether the record says that the body was cut off.
    #[must_use]
    pub fn is_body_incomplete(&self) -> bool {
        self.error().starts_with("body_incomplete")
    }

    /// What the record says went wrong.
    #[must_use]
    pub fn error(&self) -> &str {
        self.record.error.as_deref().unwrap_or_default()
    }

    /// What the record keeps of the response's body.
    #[must_use]
    pub fn response(&self) -> &str {
        self.record.response.as_deref().unwrap_or_default()
    }
}

/// The rules of a laptop: `http://` and loopback are allowed.
#[must_use]
pub fn loopback() -> Policy {
    policy(&["127.0.0.0/8", "::1/128"])
}

/// Rules that let these networks through besides the public internet, and `http://`.
///
/// # Panics
/// When one is no network.
#[must_use]
pub fn policy(allowed: &[&str]) -> Policy {
    Policy {
        allow_http: true,
        allow_cidrs: allowed
            .iter()
            .map(|text| parse_cidr(text).expect("a network"))
            .collect(),
        ..Policy::default()
    }
}

/// A resolver that asks the name server at this port of 127.0.0.1, as resolv.conf with this search list would.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn resolver(port: u16, search: &[&str]) -> Resolver {
    let mut server = NameServerConfig::udp_and_tcp([127, 0, 0, 1].into());
    for connection in &mut server.connections {
        connection.port = port;
    }
    let search = search.iter().map(|name| name.parse().expect("a name")).collect();
    Resolver::with_config(ResolverConfig::from_parts(None, search, vec![server])).expect("a resolver")
}

impl Rig {
    /// One for receivers on this machine, named by their addresses.
    ///
    /// # Panics
    /// When the client cannot be made.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        // Nobody is asked for an address.
        Self::with(loopback(), resolver(9, &[]), None, timeout)
    }

    /// One with rules, names and roots of the test's own.
    ///
    /// # Panics
    /// When the client cannot be made.
    #[must_use]
    pub fn with(policy: Policy, resolver: Resolver, ca_pem: Option<&str>, timeout: Duration) -> Self {
        Self::bounded(policy, resolver, ca_pem, timeout, MAX_CONNECTIONS)
    }

    /// The same with so many connections at once at most.
    ///
    /// # Panics
    /// When the client cannot be made.
    #[must_use]
    pub fn bounded(
        policy: Policy,
        resolver: Resolver,
        ca_pem: Option<&str>,
        timeout: Duration,
        max_connections: usize,
    ) -> Self {
        Self::of(ClientSettings {
            ca_pem: ca_pem.map(str::to_owned),
            ..ClientSettings::new(policy, resolver, timeout, max_connections)
        })
    }

    /// One with a client of these settings.
    ///
    /// # Panics
    /// When the client cannot be made.
    #[must_use]
    pub fn of(settings: ClientSettings) -> Self {
        Self {
            policy: settings.policy.clone(),
            client: Client::new(settings).expect("a client"),
        }
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// One attempt at `url`.
    pub async fn attempt(&self, url: &str) -> Tried {
        self.attempt_at(Endpoint::at("ep_crm", url)).await
    }

    /// One attempt at an entry of the endpoints file.
    ///
    /// # Panics
    /// When it cannot stand in one.
    pub async fn attempt_at(&self, endpoint: Endpoint) -> Tried {
        let event = Event::new("acme", "booking.created", r#"{"a":1}"#).expect("an event");
        self.deliver(endpoint, event).await
    }

    /// One attempt to deliver `event`.
    ///
    /// # Panics
    /// When the entry cannot stand in an endpoints file.
    pub async fn deliver(&self, endpoint: Endpoint, event: Event) -> Tried {
        let registered = self.register(endpoint);
        let pass_through = PassThrough::default();
        let delivery = Delivery::first(Unrouted { event, pass_through }, registered.endpoint.id.clone());
        let (begun, pace) = (Instant::now(), Pace::start());
        let report = attempt::attempt(&self.client, &registered, &delivery, &Traced::not()).await;
        let (took, paced) = (begun.elapsed(), pace.elapsed());
        let report = report.unwrap_or_else(|shortage| panic!("{shortage}"));
        let not_before = report.verdict.not_before;
        let line = settle::line(&delivery, Some(&registered), &report, NextStep::Done, true);
        let line = line.expect("a record");
        let record = serde_json::from_slice(&line).expect("a record");
        Tried {
            line,
            record,
            not_before,
            took,
            paced,
        }
    }

    fn register(&self, endpoint: Endpoint) -> Arc<PreparedEndpoint> {
        let endpoints = endpoints_file::parse(&file(&[endpoint]), Format::Meeva, &Environment)
            .unwrap_or_else(|faults| panic!("an endpoints file: {faults:?}"));
        let endpoint = endpoints.into_iter().next().expect("it has just been written");
        Arc::new(PreparedEndpoint::new(endpoint, &self.policy))
    }

    /// A bare request that the URL rule has never seen: what the connection alone makes of it.
    ///
    /// # Errors
    /// [`RequestError`], as the client has it.
    ///
    /// # Panics
    /// When `url` cannot be sent to at all, or something of ours has run out.
    pub async fn past_the_url_rule(&self, url: &str) -> Result<u16, RequestError> {
        match self.send(url, "{}").await {
            Ok(answer) => Ok(answer.status.as_u16()),
            Err(SendError::Failed(error)) => Err(error),
            Err(SendError::Shortage(shortage)) => panic!("{shortage}"),
        }
    }
    /// A bare request, and what the client makes of it.
    ///
    /// # Errors
    /// [`SendError`], as the client has it.
    ///
    /// # Panics
    /// When `url` cannot be sent to at all.
    pub async fn send(&self, url: &str, body: impl Into<Bytes>) -> Result<Answer, SendError> {
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = url
            .parse::<Uri>()
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        self.client.send(request).await
    }
}
