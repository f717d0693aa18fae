//! What an operator can set, read whole before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hookline_common::endpoint::Format;
use hookline_common::guard::Policy;
use hookline_common::schedule::RetrySchedule;
use hookline_common::settings::variables as var;
use hookline_common::settings::{
    BrokerSettings, Faults, Reader, SettingSource, Variable, parse, read_policy,
};
use hookline_common::telemetry::TelemetrySettings;

use hookline_outbound::client::EgressProxy;
use hookline_outbound::settings::read_proxy;
use hookline_store::StoreSettings;

/// Connections to the database beside the one that hears of changes: one loads, and one is there while that is replaced.
const DATABASE_CONNECTIONS: u32 = 2;

/// Every variable that the dispatcher reads, in the order of `--help`.
pub const VARIABLES: &[Variable] = &[
    var::AMQP_URL,
    var::AMQP_CA_FILE,
    var::NAMESPACE,
    var::ENDPOINTS_FILE,
    var::ALLOW_NO_ENDPOINTS,
    var::DATABASE_URL,
    var::MASTER_KEY,
    var::RETRY_SCHEDULE,
    var::REQUEST_TIMEOUT,
    var::ALLOW_HTTP,
    var::ALLOW_CIDRS,
    var::DENY_CIDRS,
    var::ALLOW_HOSTS,
    var::EGRESS_PROXY,
    var::EGRESS_PROXY_AUTH_FILE,
    var::CA_FILE,
    var::DEFAULT_FORMAT,
    var::RECORDS,
    var::ATTEMPTS_MAX_BYTES,
    var::KEEP_PAYLOADS,
    var::TRACE_RECEIVERS,
    var::PREFETCH,
    var::ENDPOINT_CONCURRENCY,
    var::HTTP_ADDR,
    var::OTLP_ENDPOINT,
    var::RUST_LOG,
    var::LOG_FORMAT,
];

/// The dispatcher's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker and the namespace there.
    pub broker: BrokerSettings,
    /// Where the endpoints are.
    pub endpoints: EndpointsSource,
    /// Whether the file may be without endpoints at start.
    pub allow_no_endpoints: bool,
    /// Format of endpoints that name none.
    pub default_format: Format,
    /// Where requests may go.
    pub policy: Policy,
    /// The proxy through which requests leave.
    pub egress_proxy: Option<EgressProxy>,
    /// Further roots to trust for endpoints, in PEM.
    pub ca_pem: Option<String>,
    /// The delays between attempts.
    pub schedule: RetrySchedule,
    /// Time for one attempt.
    pub request_timeout: Duration,
    /// Requests in flight per endpoint at most.
    pub endpoint_concurrency: usize,
    /// Unacknowledged messages at most, for each working queue.
    pub prefetch: u16,
    /// Whether attempts are recorded.
    pub records: bool,
    /// How large the stream of attempts may become where it is made, in bytes.
    pub attempts_max_bytes: u64,
    /// Whose data is kept in records.
    pub keep_payloads: KeepPayloads,
    /// Whether endpoints are told of the trace (`traceparent`).
    pub trace_receivers: bool,
    /// How long an endpoint that cannot be found counts as not yet known.
    pub unknown_grace: Duration,
    /// How often all that is known of the registry is loaded again, should the database not have told of a change.
    pub registry_refresh: Duration,
    /// Where health and metrics are served.
    pub http_addr: SocketAddr,
    /// Logs, metrics, traces.
    pub telemetry: TelemetrySettings,
}

/// Where endpoints are read from.
#[derive(Debug, Clone)]
pub enum EndpointsSource {
    /// A TOML file.
    File(PathBuf),
    /// The console's database.
    Registry(Box<StoreSettings>),
}

/// Which events' data goes into the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepPayloads {
    /// Every event's, with its first attempt.
    All,
    /// Those whose first attempt failed, with that attempt.
    Failed,
    /// None.
    None,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`Faults`] names every wrong one at once.
    pub fn read(source: &dyn SettingSource) -> Result<Self, Faults> {
        let mut reader = Reader::new(source);
        let r = &mut reader;
        let broker = BrokerSettings::read(r);
        let endpoints = read_endpoints_source(r);
        let allow_no_endpoints = r.read(&var::ALLOW_NO_ENDPOINTS, parse::boolean);
        let default_format = r.read(&var::DEFAULT_FORMAT, str::parse);
        let policy = read_policy(r);
        let egress_proxy = read_proxy(r);
        let ca_pem = r.read_file(&var::CA_FILE);
        let schedule = r.read(&var::RETRY_SCHEDULE, str::parse);
        let request_timeout = r.read(&var::REQUEST_TIMEOUT, |text| {
            parse::duration_within(text, Duration::from_millis(100), Duration::from_secs(600))
        });
        let endpoint_concurrency = read_number(r, &var::ENDPOINT_CONCURRENCY, 10_000);
        let prefetch = read_number(r, &var::PREFETCH, u64::from(u16::MAX));
        let records = r.read(&var::RECORDS, parse::switch);
        let attempts_max_bytes = r.read(&var::ATTEMPTS_MAX_BYTES, parse::attempts_max_bytes);
        let keep_payloads = r.read(&var::KEEP_PAYLOADS, |text| match text {
            "all" => Ok(KeepPayloads::All),
            "failed" => Ok(KeepPayloads::Failed),
            "none" => Ok(KeepPayloads::None),
            _ => Err("must be all, failed or none"),
        });
        let trace_receivers = r.read(&var::TRACE_RECEIVERS, parse::boolean);
        let http_addr = r.read(&var::HTTP_ADDR, |text| {
            text.parse()
                .map_err(|_| "must be an address and a port, like 0.0.0.0:9464 or [::]:9464")
        });
        let telemetry = TelemetrySettings::read(r);
        reader.finish(|| {
            Some(Self {
                broker: broker?,
                endpoints: endpoints?,
                allow_no_endpoints: allow_no_endpoints?,
                default_format: default_format?,
                policy: policy?,
                egress_proxy,
                ca_pem,
                schedule: schedule?,
                request_timeout: request_timeout?,
                endpoint_concurrency: usize::try_from(endpoint_concurrency?).ok()?,
                prefetch: u16::try_from(prefetch?).ok()?,
                records: records?,
                attempts_max_bytes: attempts_max_bytes?,
                keep_payloads: keep_payloads?,
                trace_receivers: trace_receivers?,
                unknown_grace: Duration::from_secs(120),
                registry_refresh: Duration::from_secs(60),
                http_addr: http_addr?,
                telemetry: telemetry?,
            })
        })
    }
}

/// The file where there is one, else the database.
fn read_endpoints_source(reader: &mut Reader<'_>) -> Option<EndpointsSource> {
    if let Some(path) = reader.read(&var::ENDPOINTS_FILE, |path| Ok::<_, String>(PathBuf::from(path))) {
        return Some(EndpointsSource::File(path));
    }
    if !reader.is_set(&var::DATABASE_URL) {
        reader.fault(
            &var::ENDPOINTS_FILE,
            None,
            "must be the path of a TOML file with the endpoints, or HOOKLINE_DATABASE_URL must be set to read them \
             from the console's database",
        );
        return None;
    }
    let settings = StoreSettings::read(reader, "hookline-dispatcher", DATABASE_CONNECTIONS);
    settings.map(|settings| EndpointsSource::Registry(Box::new(settings)))
}

fn read_number(reader: &mut Reader<'_>, variable: &Variable, max: u64) -> Option<u64> {
    reader.read(variable, |text| parse::number_within(text, 1, max))
}

#[cfg(test)]
mod tests {
    use hookline_common::settings::NotText;

    use super::*;

    struct Given(&'static [(&'static str, &'static str)]);

    impl SettingSource for Given {
        fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        }
    }

    const FILE: (&str, &str) = ("HOOKLINE_ENDPOINTS_FILE", "endpoints.toml");
    const DATABASE: (&str, &str) = ("HOOKLINE_DATABASE_URL", "postgres://u:s3cret@127.0.0.1/hookline");
    const KEY: (&str, &str) = (
        "HOOKLINE_MASTER_KEY",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );

    #[test]
    fn endpoints_come_from_the_file_where_both_are_named() {
        let both = Settings::read(&Given(&[DATABASE, FILE, KEY])).unwrap();
        assert!(
            matches!(both.endpoints, EndpointsSource::File(path) if path == std::path::Path::new("endpoints.toml"))
        );
        let database = Settings::read(&Given(&[DATABASE, KEY])).unwrap();
        assert!(matches!(database.endpoints, EndpointsSource::Registry(_)));
        let told = Settings::read(&Given(&[])).unwrap_err().to_string();
        assert!(
            told.contains("HOOKLINE_ENDPOINTS_FILE") && told.contains("HOOKLINE_DATABASE_URL"),
            "{told}"
        );
        // What is sealed there can be opened by nobody without the key.
        let told = Settings::read(&Given(&[DATABASE])).unwrap_err().to_string();
        assert!(
            told.contains("HOOKLINE_MASTER_KEY") && !told.contains("s3cret"),
            "{told}"
        );
    }
}
