//! What an operator can set, read whole before anything starts.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hookline_catalogue::Catalogue;
use hookline_common::endpoint::{Format, Rate};
use hookline_common::guard::Policy;
use hookline_common::management::ManagementUrl;
use hookline_common::schedule::RetrySchedule;
use hookline_common::settings::variables as var;
use hookline_common::settings::{
    BrokerSettings, Faults, Reader, SettingSource, Variable, parse, read_policy,
};
use hookline_common::telemetry::TelemetrySettings;
use hookline_outbound::client::EgressProxy;
use hookline_outbound::settings::read_proxy;
use hookline_store::{OperatorCredential, StoreSettings};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::public_url::PublicUrl;

/// Where the console listens: not on the dispatcher's port.
pub const HTTP_ADDR: Variable = Variable {
    help: "Address and port of the API, and of /healthz, /readyz and /metrics",
    default: Some("0.0.0.0:8080"),
    ..var::HTTP_ADDR
};

/// Every variable that the console reads, in the order of `--help`.
pub const VARIABLES: &[Variable] = &[
    var::AMQP_URL,
    var::AMQP_CA_FILE,
    var::MANAGEMENT_URL,
    var::NAMESPACE,
    var::DATABASE_URL,
    var::RETRY_SCHEDULE,
    var::MIGRATE_ON_START,
    var::MASTER_KEY,
    var::ADMIN_TOKEN,
    HTTP_ADDR,
    var::PUBLIC_URL,
    var::ENDPOINTS_PER_COMPANY,
    var::API_RATE,
    var::MANUAL_RETRY_RATE,
    var::DISABLE_AFTER,
    var::DEFAULT_FORMAT,
    var::RETENTION,
    var::EVENT_TYPES_FILE,
    var::ALLOW_HTTP,
    var::ALLOW_CIDRS,
    var::DENY_CIDRS,
    var::ALLOW_HOSTS,
    var::CERTIFY,
    var::REQUEST_TIMEOUT,
    var::EGRESS_PROXY,
    var::EGRESS_PROXY_AUTH_FILE,
    var::CA_FILE,
    var::OTLP_ENDPOINT,
    var::RUST_LOG,
    var::LOG_FORMAT,
];

/// Who asks, as the database's administrator sees it.
const APPLICATION: &str = "hookline-console";
/// Connections to the database at most: requests take a few milliseconds each there, and PostgreSQL's default of 100 is
/// shared with dispatchers and other consoles.
pub(crate) const DATABASE_CONNECTIONS: u32 = 10;
/// The log is cut into days, and whole days are dropped.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Ten years: that many tables are still looked through in a moment.
const LONGEST_RETENTION: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// The console's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker, to which events go that come over HTTP.
    pub broker: BrokerSettings,
    /// The broker's management API, which tells the operator of its nodes.
    pub management: Option<ManagementUrl>,
    /// The database and its keys.
    pub store: StoreSettings,
    /// The dispatchers' delays: which queues there are for retries.
    pub retry_schedule: RetrySchedule,
    /// Whether the schema is brought up to date at the start.
    pub migrate_on_start: bool,
    /// The operator's token.
    pub admin_token: AdminToken,
    /// Where the API is served.
    pub http_addr: SocketAddr,
    /// The console's address as people see it, where it was set.
    pub public_url: Option<PublicUrl>,
    /// Endpoints that a company may have.
    pub endpoints_per_company: u32,
    /// Requests that a company's token may make.
    pub api_rate: Rate,
    /// Dead letters of each endpoint that a retry of many sends again.
    pub manual_retry_rate: Rate,
    /// How long an endpoint may only fail before it is disabled; `None` to disable none, not even one that answers 410.
    pub disable_after: Option<Duration>,
    /// Format of endpoints that name none.
    pub default_format: Format,
    /// How long attempts, deliveries and events are kept.
    pub retention: Duration,
    /// The types of events that there are.
    pub catalogue: Catalogue,
    /// Where endpoints may be.
    pub policy: Policy,
    /// How certificates are played; none where they are not.
    pub certifying: Option<Certifying>,
    /// Logs, metrics, traces.
    pub telemetry: TelemetrySettings,
}

/// What certificates are played with: the dispatchers' own settings of the way out.
#[derive(Debug, Clone)]
pub struct Certifying {
    /// Further roots to trust, in PEM.
    pub ca_pem: Option<String>,
    /// The proxy through which requests leave.
    pub egress_proxy: Option<EgressProxy>,
    /// How long one request may take.
    pub request_timeout: Duration,
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
        let management = r.read(&var::MANAGEMENT_URL, ManagementUrl::parse);
        let store = StoreSettings::read(r, APPLICATION, DATABASE_CONNECTIONS);
        let retry_schedule = r.read(&var::RETRY_SCHEDULE, str::parse);
        let migrate_on_start = r.read(&var::MIGRATE_ON_START, parse::boolean);
        let admin_token = r.required(&var::ADMIN_TOKEN, AdminToken::parse, ADMIN_TOKEN_ALLOWED);
        let http_addr = r.read(&HTTP_ADDR, |text| {
            text.parse()
                .map_err(|_| "must be an address and a port, like 0.0.0.0:8080 or [::]:8080")
        });
        let public_url = r.read(&var::PUBLIC_URL, PublicUrl::parse);
        let endpoints_per_company = r.read(&var::ENDPOINTS_PER_COMPANY, |text| {
            parse::number_within(text, 1, 1000)
        });
        let api_rate = r.read(&var::API_RATE, Rate::parse);
        let manual_retry_rate = r.read(&var::MANUAL_RETRY_RATE, Rate::parse);
        let disable_after = r.read(&var::DISABLE_AFTER, disable_after);
        let default_format = r.read(&var::DEFAULT_FORMAT, str::parse);
        let retention = r.read(&var::RETENTION, |text| {
            parse::duration(text)
                .filter(|duration| (DAY..=LONGEST_RETENTION).contains(duration))
                .ok_or("must be a duration from 1d to 3650d, like 30d or 36h")
        });
        let own_types = r.read(&var::EVENT_TYPES_FILE, |path| {
            Catalogue::built_in().with_file(Path::new(path))
        });
        let policy = read_policy(r);
        let is_certifying = r.read(&var::CERTIFY, parse::switch);
        let ca_pem = r.read_file(&var::CA_FILE);
        let egress_proxy = read_proxy(r);
        let request_timeout = r.read(&var::REQUEST_TIMEOUT, |text| {
            parse::duration_within(text, Duration::from_millis(100), Duration::from_secs(600))
        });
        let telemetry = TelemetrySettings::read(r);
        reader.finish(|| {
            Some(Self {
                broker: broker?,
                management,
                store: store?,
                retry_schedule: retry_schedule?,
                migrate_on_start: migrate_on_start?,
                admin_token: admin_token?,
                http_addr: http_addr?,
                public_url,
                endpoints_per_company: u32::try_from(endpoints_per_company?).ok()?,
                api_rate: api_rate?,
                manual_retry_rate: manual_retry_rate?,
                disable_after: disable_after?,
                default_format: default_format?,
                retention: retention?,
                catalogue: own_types.unwrap_or_else(Catalogue::built_in),
                policy: policy?,
                certifying: is_certifying?.then_some(Certifying {
                    ca_pem,
                    egress_proxy,
                    request_timeout: request_timeout?,
                }),
                telemetry: telemetry?,
            })
        })
    }
}

fn disable_after(text: &str) -> Result<Option<Duration>, &'static str> {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    if matches!(text, "off" | "0") {
        return Ok(None);
    }
    let after = parse::duration(text).filter(|after| (Duration::from_secs(1)..=LONGEST).contains(after));
    after
        .map(Some)
        .ok_or("must be a duration from 1s to 365d, like 5d or 12h, or off to disable no endpoint")
}

/// The settings of the database alone, for commands that need no more.
///
/// # Errors
/// [`Faults`] names every wrong one at once.
pub fn read_store(source: &dyn SettingSource, with_keys: bool) -> Result<StoreSettings, Faults> {
    let mut reader = Reader::new(source);
    let r = &mut reader;
    let store = if with_keys {
        StoreSettings::read(r, APPLICATION, DATABASE_CONNECTIONS)
    } else {
        StoreSettings::read_without_keys(r, APPLICATION, DATABASE_CONNECTIONS)
    };
    reader.finish(|| store)
}

const ADMIN_TOKEN_ALLOWED: &str = "must be set: 16 to 256 printable ASCII characters without spaces, drawn at random, as \
                                   `openssl rand -hex 32` prints them";

/// The operator's bearer token.
#[derive(Clone)]
pub struct AdminToken(SecretString);

impl AdminToken {
    /// Checks a text and takes it.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_allowed = (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_allowed {
            Ok(Self(text.into()))
        } else {
            Err(ADMIN_TOKEN_ALLOWED)
        }
    }

    /// Whether it is this one. Hashes are compared, and in the same time wherever they differ.
    #[must_use]
    pub fn is(&self, presented: &str) -> bool {
        let ours = Sha256::digest(self.0.expose_secret());
        ours.ct_eq(&Sha256::digest(presented)).into()
    }
}

impl AdminToken {
    /// What the operator's sessions are bound to, so that they end when this token is replaced.
    pub(crate) fn credential(&self) -> OperatorCredential {
        OperatorCredential::of(self.0.expose_secret())
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookline_common::settings::NotText;

    struct Given(&'static [(&'static str, &'static str)]);

    impl SettingSource for Given {
        fn variable(&self, name: &str) -> Result<Option<String>, NotText> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        }
    }

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn what_is_missing_is_told_all_at_once() {
        let told = Settings::read(&Given(&[])).unwrap_err().to_string();
        for name in [
            "HOOKLINE_DATABASE_URL",
            "HOOKLINE_MASTER_KEY",
            "HOOKLINE_ADMIN_TOKEN",
        ] {
            assert!(told.contains(name), "{told}");
        }
    }

    #[test]
    fn no_secret_is_told_in_a_fault_or_printed() {
        let wrong = Given(&[
            ("HOOKLINE_DATABASE_URL", "mysql://u:s3cret@h/d"),
            ("HOOKLINE_MASTER_KEY", "s3cret"),
            ("HOOKLINE_ADMIN_TOKEN", "s3cret"),
        ]);
        let told = Settings::read(&wrong).unwrap_err().to_string();
        assert!(
            !told.contains("s3cret") && told.matches('\n').count() == 3,
            "{told}"
        );
        let right = Given(&[
            ("HOOKLINE_DATABASE_URL", "postgres://u:s3cret@h/d"),
            ("HOOKLINE_MASTER_KEY", KEY),
            ("HOOKLINE_ADMIN_TOKEN", "s3cret-s3cret-s3cret"),
        ]);
        let settings = Settings::read(&right).unwrap();
        let printed = format!("{settings:?}");
        assert!(
            !printed.contains("s3cret") && !printed.contains("AAECAwQ"),
            "{printed}"
        );
        assert!(settings.admin_token.is("s3cret-s3cret-s3cret"));
        assert!(!settings.admin_token.is("s3cret-s3cret-s3creT"));
    }

    #[test]
    fn endpoints_are_disabled_after_a_while_or_never() {
        assert_eq!(disable_after("5d"), Ok(Some(Duration::from_secs(432_000))));
        for never in ["off", "0"] {
            assert_eq!(disable_after(never), Ok(None), "{never}");
        }
        for bad in ["", "0s", "5", "366d", "never"] {
            assert!(disable_after(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_migration_needs_the_database_alone() {
        let given = Given(&[("HOOKLINE_DATABASE_URL", "postgres://u@h/d")]);
        assert!(read_store(&given, false).is_ok());
        assert!(read_store(&given, true).is_err());
    }
}
