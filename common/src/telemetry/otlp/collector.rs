//! Where one signal (traces, or metrics) goes and how: read from its own variables, else from those of all signals.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use rustls::RootCertStore;
use url::Url;

use super::endpoint::{self, Protocol};
use super::{pairs, roots};
use crate::settings::{Reader, Variable, otel, parse, variables};

/// The longest time for one export: what takes longer only holds the queue up.
const LONGEST: Duration = Duration::from_secs(3600);
/// The time for one export where nobody says: the specification's.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The variables of one signal, each beside that of all signals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signal {
    exporter: Variable,
    endpoint: Variable,
    protocol: Variable,
    headers: Variable,
    timeout: Variable,
    compression: Variable,
    certificate: Variable,
    insecure: Variable,
    /// Which exporters send nothing over OTLP.
    no_exporters: &'static [&'static str],
    /// What is added to the endpoint of all signals.
    path: &'static str,
}

pub(super) const TRACES: Signal = Signal {
    exporter: otel::TRACES_EXPORTER,
    endpoint: otel::TRACES_ENDPOINT,
    protocol: otel::TRACES_PROTOCOL,
    headers: otel::TRACES_HEADERS,
    timeout: otel::TRACES_TIMEOUT,
    compression: otel::TRACES_COMPRESSION,
    certificate: otel::TRACES_CERTIFICATE,
    insecure: otel::TRACES_INSECURE,
    no_exporters: &["none"],
    path: "/v1/traces",
};

/// Prometheus' page is served whatever is set here, so its name means no more than that.
pub(super) const METRICS: Signal = Signal {
    exporter: otel::METRICS_EXPORTER,
    endpoint: otel::METRICS_ENDPOINT,
    protocol: otel::METRICS_PROTOCOL,
    headers: otel::METRICS_HEADERS,
    timeout: otel::METRICS_TIMEOUT,
    compression: otel::METRICS_COMPRESSION,
    certificate: otel::METRICS_CERTIFICATE,
    insecure: otel::METRICS_INSECURE,
    no_exporters: &["none", "prometheus"],
    path: "/v1/metrics",
};

/// Where a signal goes.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    /// Scheme, host, port and, where the protocol has one, path.
    pub(super) url: Url,
    pub(super) protocol: Protocol,
    pub(super) headers: HeaderMap,
    /// For one export with its retries.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    /// Roots to trust instead of the system's.
    pub(super) roots: Option<RootCertStore>,
}

impl Collector {
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The same, but an export may take no longer than `limit` either.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.timeout = self.timeout.min(limit);
        self
    }
}

/// What is shown of it to people: no query, which may hold a key.
impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        write!(f, "{url}")
    }
}

/// Where `signal` goes; `None` after a fault.
pub(super) fn read(reader: &mut Reader<'_>, signal: &Signal) -> Option<Collector> {
    // After a fault the rest is judged as if the default stood there: all faults are told at once.
    let protocol =
        read_either(reader, &signal.protocol, &otel::PROTOCOL, Protocol::parse).unwrap_or_default();
    let flag = |text: &str| Ok::<_, &str>(text.eq_ignore_ascii_case("true"));
    let insecure = read_either(reader, &signal.insecure, &otel::INSECURE, flag);
    let url = read_endpoint(reader, signal, protocol, insecure.unwrap_or_default());
    let headers = read_either(reader, &signal.headers, &otel::HEADERS, pairs::headers);
    let timeout = read_either(reader, &signal.timeout, &otel::TIMEOUT, milliseconds);
    let gzip = read_either(reader, &signal.compression, &otel::COMPRESSION, |text| match text
        .to_ascii_lowercase()
        .as_str()
    {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err("must be gzip or none"),
    });
    let url = url?;
    let roots = (url.scheme() == "https")
        .then(|| read_roots(reader, signal))
        .flatten();
    Some(Collector {
        url,
        protocol,
        headers: headers.unwrap_or_default(),
        timeout: timeout.unwrap_or(USUAL_TIMEOUT),
        gzip: gzip.unwrap_or_default(),
        roots,
    })
}

/// A time in whole milliseconds.
///
/// # Errors
/// Says what is allowed.
pub(super) fn milliseconds(text: &str) -> Result<Duration, String> {
    let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
    parse::number_within(text, 1, longest)
        .map(Duration::from_millis)
        .map_err(|allowed| format!("{allowed}, in milliseconds"))
}

/// Whether `signal` is sent: where an endpoint is set, or where OTLP is asked for by name, and not where something else is.
pub(super) fn is_sent(reader: &mut Reader<'_>, signal: &Signal) -> bool {
    let asked = reader.read(&signal.exporter, |text| {
        let names: Vec<String> = text
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        let known = |name: &String| name == "otlp" || signal.no_exporters.contains(&name.as_str());
        if names.iter().all(known) {
            Ok(names.iter().any(|name| name == "otlp"))
        } else {
            Err(format!("must be otlp or {}", signal.no_exporters.join(" or ")))
        }
    });
    let has_endpoint = either(reader, &signal.endpoint, &variables::OTLP_ENDPOINT).is_some();
    asked.unwrap_or(has_endpoint && !reader.is_set(&signal.exporter))
}

fn read_endpoint(
    reader: &mut Reader<'_>,
    signal: &Signal,
    protocol: Protocol,
    insecure: bool,
) -> Option<Url> {
    let variable = either(reader, &signal.endpoint, &variables::OTLP_ENDPOINT);
    let is_own = variable.is_some_and(|variable| variable.name == signal.endpoint.name);
    let path = (!is_own).then_some(signal.path);
    let text = match &variable {
        Some(variable) => reader.read(variable, |text| Ok::<_, String>(text.to_owned()))?,
        None => protocol.default_endpoint().to_owned(),
    };
    match endpoint::resolve(&text, protocol, path, insecure) {
        Ok(url) => Some(url),
        Err(allowed) => {
            // A password may stand before an @, and a key behind a question mark.
            let value = (!text.contains(['@', '?'])).then_some(text);
            reader.fault(&variable.unwrap_or(variables::OTLP_ENDPOINT), value, allowed);
            None
        }
    }
}

fn read_roots(reader: &mut Reader<'_>, signal: &Signal) -> Option<RootCertStore> {
    let variable = either(reader, &signal.certificate, &otel::CERTIFICATE)?;
    let pem = reader.read_file(&variable)?;
    match roots::from_pem(&pem) {
        Ok(roots) => Some(roots),
        Err(problem) => {
            reader.fault(&variable, None, problem);
            None
        }
    }
}

/// The variable that counts of the two, if any is set: a signal's own, before that of all signals.
fn either(reader: &mut Reader<'_>, own: &Variable, of_all: &Variable) -> Option<Variable> {
    [own, of_all]
        .into_iter()
        .find(|variable| reader.is_set(variable))
        .copied()
}

fn read_either<T, E: fmt::Display>(
    reader: &mut Reader<'_>,
    own: &Variable,
    of_all: &Variable,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let variable = either(reader, own, of_all)?;
    reader.read(&variable, parse)
}
