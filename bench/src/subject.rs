//! Who is measured: the real dispatcher with everything switched on, and the floors.

use std::ops::Range;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::broker::http_client;
use crate::child::{Child, Helper, held};
use crate::counts::{Counter, Counts};
use crate::endpoints::endpoints_file;
use crate::error::{Context as _, Fault, Result};
use crate::names;
use crate::settings::Settings;
use crate::sink::{Behaviour, Ports};

/// How long a program may take until it consumes.
const START_TIME: Duration = Duration::from_secs(30);

/// The dispatcher's counter of deliveries set aside.
const PARKED: &str = "hookline_deliveries_parked_total";

/// One of the programs that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `hookline-dispatcher`: signed, recorded, guarded.
    Hookline,
    /// Another build of the same, with everything switched on as well.
    Baseline,
    /// The floor with one bare connection for each worker.
    FloorBare,
    /// The floor with reqwest.
    FloorReqwest,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hookline => "hookline",
            Self::Baseline => "baseline",
            Self::FloorBare => "floor-bare",
            Self::FloorReqwest => "floor-reqwest",
        }
    }
}

/// Companies whose endpoints behave alike.
#[derive(Debug, Clone)]
pub(crate) struct Tenants {
    /// Their numbers.
    pub(crate) companies: Range<u32>,
    /// Endpoints of each.
    pub(crate) endpoints: u32,
    /// What those do.
    pub(crate) behaviour: Behaviour,
    /// Whether they are all on one host, and not on hosts of their own.
    pub(crate) share_host: bool,
    /// How many attempts a second the endpoints file allows each.
    pub(crate) per_second: Option<u32>,
}

impl Tenants {
    /// Companies with one endpoint each, of this behaviour.
    pub(crate) fn new(companies: Range<u32>, behaviour: Behaviour) -> Self {
        Self {
            companies,
            endpoints: 1,
            behaviour,
            share_host: false,
            per_second: None,
        }
    }
}

/// A database with endpoints.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    /// Where it is.
    pub(crate) database_url: String,
    /// What opens the secrets in it.
    pub(crate) master_key: String,
}

/// How a subject is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// The endpoints; floors post to one of their own.
    pub(crate) tenants: Vec<Tenants>,
    /// Settings of the dispatcher beside those that it needs.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Where the dispatcher reads them, instead of a file.
    pub(crate) registry: Option<Registry>,
    /// How many processes; one where it says 0.
    pub(crate) replicas: usize,
    /// Whether endpoints are reached by HTTPS.
    pub(crate) tls: bool,
    /// Whether what it asks of the kernel is counted, from its first instruction on.
    pub(crate) is_counted: bool,
}

/// The processes of a subject, consuming.
#[derive(Default)]
pub(crate) struct Running {
    children: Vec<Child>,
    /// Where dispatchers tell of themselves.
    addresses: Vec<String>,
    counter: Option<Counter>,
}

impl Running {
    /// Starts `subject` and waits until it consumes.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(
        subject: Subject,
        setup: &Setup,
        namespace: &str,
        settings: &Settings,
        ports: Ports,
    ) -> Result<Self> {
        let log = settings.folder.join(format!("{}.log", subject.name()));
        let client = match subject {
            Subject::Hookline => {
                return Self::start_dispatcher(&settings.dispatcher, setup, namespace, settings, ports, &log)
                    .await;
            }
            Subject::Baseline => {
                let program = settings.baseline.as_ref();
                let program =
                    program.ok_or_else(|| Fault::new("BASELINE names no other build of the dispatcher"))?;
                return Self::start_dispatcher(program, setup, namespace, settings, ports, &log).await;
            }
            Subject::FloorBare => "bare",
            Subject::FloorReqwest => "reqwest",
        };
        let endpoint = names::FLOOR_ENDPOINT;
        let url = format!("http://{}:{}/now/{endpoint}", names::host(0), ports.http);
        let (queue, secret) = (format!("{namespace}.events"), names::secret(endpoint));
        let arguments = ["floor", client, &queue, &url, &secret];
        let start = if setup.is_counted {
            Helper::start_held
        } else {
            Helper::start
        };
        let mut floor = start(subject.name(), &arguments, &log)?;
        let mut counter = None;
        if setup.is_counted {
            counter = Some(Counter::attach(floor.child().pid()).await);
            floor.release().await?;
        }
        floor.started::<()>().await?;
        Ok(Self {
            children: vec![floor.into_child()],
            counter,
            ..Self::default()
        })
    }

    async fn start_dispatcher(
        program: &Path,
        setup: &Setup,
        namespace: &str,
        settings: &Settings,
        ports: Ports,
        log: &Path,
    ) -> Result<Self> {
        let endpoints = settings.folder.join("endpoints.toml");
        std::fs::write(&endpoints, endpoints_file(setup, ports)).context(endpoints.display())?;
        let mut running = Self::default();
        for _ in 0..setup.replicas.max(1) {
            let address = format!("127.0.0.1:{}", free_port()?);
            let mut command = if setup.is_counted {
                held(program)
            } else {
                Command::new(program)
            };
            if !setup.is_counted {
                command.stdin(Stdio::null());
            }
            command
                .env_clear()
                .env("HOOKLINE_AMQP_URL", &settings.amqp_url)
                .env("HOOKLINE_NAMESPACE", namespace)
                .env("HOOKLINE_HTTP_ADDR", &address)
                .env("HOOKLINE_ALLOW_HTTP", "true")
                .env("HOOKLINE_ALLOW_CIDRS", "127.0.0.0/8")
                .envs(setup.variables.iter().map(|(name, value)| (name, value)))
                .stdout(Stdio::null());
            match &setup.registry {
                None => command.env("HOOKLINE_ENDPOINTS_FILE", &endpoints),
                Some(registry) => command
                    .env("HOOKLINE_DATABASE_URL", &registry.database_url)
                    .env("HOOKLINE_MASTER_KEY", &registry.master_key),
            };
            if setup.tls {
                command.env("HOOKLINE_CA_FILE", ca_file(settings));
            }
            let mut child = Child::spawn("hookline", command, log)?;
            if setup.is_counted {
                running.counter = Some(Counter::attach(child.pid()).await);
                child.release().await?;
            }
            running.children.push(child);
            running.addresses.push(address);
        }
        for address in running.addresses.clone() {
            running.is_ready(&address).await?;
        }
        Ok(running)
    }

    async fn is_ready(&mut self, address: &str) -> Result<()> {
        let (client, since) = (http_client()?, Instant::now());
        let url = format!("http://{address}/readyz");
        while since.elapsed() < START_TIME {
            self.are_alive()?;
            let answer = client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Fault::new(format!(
            "the dispatcher is not ready within {START_TIME:?}"
        )))
    }

    /// Fails where a process has ended by itself.
    ///
    /// # Errors
    /// One has.
    pub(crate) fn are_alive(&mut self) -> Result<()> {
        self.children.iter_mut().try_for_each(Child::is_alive)
    }

    /// Seconds of CPU of all its processes since their start.
    ///
    /// # Errors
    /// One is gone.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        self.children.iter().map(Child::cpu_seconds).sum()
    }

    /// The peak memory of the process that had the most, in MB.
    ///
    /// # Errors
    /// One is gone.
    pub(crate) fn peak_rss_mb(&self) -> Result<f64> {
        let peaks: Result<Vec<f64>> = self.children.iter().map(Child::peak_rss_mb).collect();
        Ok(peaks?.into_iter().fold(0.0, f64::max))
    }

    /// The memory that all its processes hold now, in MB.
    ///
    /// # Errors
    /// One is gone.
    pub(crate) fn rss_mb(&self) -> Result<f64> {
        self.children.iter().map(Child::rss_mb).sum()
    }

    /// What it has asked of the kernel since its start, where that is counted. It counts no further.
    ///
    /// # Errors
    /// The counting fails.
    pub(crate) async fn counts(&mut self) -> Result<Option<Counts>> {
        match self.counter.take() {
            None => Ok(None),
            Some(counter) => counter.finish().await.map(Some),
        }
    }

    /// How often its dispatchers have parked a delivery.
    ///
    /// # Errors
    /// They tell nothing of it.
    pub(crate) async fn parked(&self) -> Result<f64> {
        self.metric(PARKED).await
    }

    /// The sum of a metric of its dispatchers.
    ///
    /// # Errors
    /// They do not answer.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let client = http_client()?;
        let mut sum = 0.0;
        for address in &self.addresses {
            let answer = client.get(format!("http://{address}/metrics")).send().await;
            let text = answer.context("asking for metrics")?.text().await;
            sum += metric_sum(&text.context("asking for metrics")?, name);
        }
        Ok(sum)
    }

    /// Ends all its processes.
    ///
    /// # Errors
    /// One does not end.
    pub(crate) async fn stop(self) -> Result<()> {
        for child in self.children {
            child.kill().await?;
        }
        Ok(())
    }
}

/// Where the sink writes the certificate of its authority.
pub(crate) fn ca_file(settings: &Settings) -> std::path::PathBuf {
    settings.folder.join("ca.pem")
}

/// The sum over all labels of a counter; 0 where it has not counted yet, since then it is not told.
pub(crate) fn metric_sum(text: &str, name: &str) -> f64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = rest.rsplit_once(' ')?.1;
        (rest.starts_with('{') || rest.starts_with(' '))
            .then(|| value.parse::<f64>().ok())
            .flatten()
    });
    values.sum()
}

/// A port on which nothing listens now: outside the range from which the system gives ports to outgoing connections, of
/// which there are many here.
///
/// # Errors
/// There is none.
pub(crate) fn free_port() -> Result<u16> {
    const PORTS: Range<u16> = 12_000..16_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    let start = (std::process::id() % u32::from(count)) as u16;
    let nth = |_| PORTS.start + (start + NEXT.fetch_add(1, Ordering::Relaxed) % count) % count;
    let mut ports = (0..count).map(nth);
    let free = ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.ok_or_else(|| Fault::new(format!("no port of {PORTS:?} is free")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels() {
        let text = "# TYPE hookline_deliveries_parked_total counter\n\
                    hookline_deliveries_parked_total{delay=\"2s\"} 3\nhookline_deliveries_parked_total{delay=\"10s\"} 4\n\
                    hookline_deliveries_parked_total_seconds 9\nother_total 5\n";
        assert_eq!(metric_sum(text, PARKED), 7.0);
        assert_eq!(metric_sum("other_total 5\n", "other_total"), 5.0);
        assert_eq!(metric_sum("", PARKED), 0.0);
    }
}
