//! The dashboard's pages on a large log: how long each takes, one after the other, and what it weighs with style and scripts.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use tokio::time::Instant;

use super::api_rows::{EVENT, LARGE, fill};
use super::http_publish::{TOKEN, start};
use crate::error::{Context as _, Fault, Result};
use crate::measure::SCHEDULE;
use crate::registry::Filled;
use crate::report::stats::{greatest, percentile};
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::free_port;

pub(super) const NAME: &str = "pages";
/// Attempts in the log, and where only the scenario itself is tried.
const ROWS: u32 = 1_000_000;
const QUICK_ROWS: u32 = 100_000;
/// Loads of each page; and before them, some that bring what is read into memory.
const LOADS: usize = 200;
const WARM_UP: usize = 10;
/// How long one page may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// Milliseconds to the whole page, and kilobytes with all that belongs to it.
const P95_MS: f64 = 100.0;
const KILOBYTES: f64 = 150.0;

/// Pages by their names, of the company that has most of the log where they are a company's.
fn pages() -> Vec<(&'static str, String)> {
    let of = |name, end: &str| (name, format!("/companies/{LARGE}/{end}"));
    vec![
        ("overview of all", "/overview".to_owned()),
        ("overview of all: 24 hours", "/overview?window=24h".to_owned()),
        ("overview of all: 7 days", "/overview?window=7d".to_owned()),
        ("companies", "/companies".to_owned()),
        of("overview", "overview"),
        of("overview: 24 hours", "overview?window=24h"),
        of("overview: 7 days", "overview?window=7d"),
        of("endpoints", "endpoints"),
        of("endpoint", "endpoints/ep_3"),
        of("endpoint: test event", "endpoints/ep_3/test"),
        of("endpoint: certify", "endpoints/ep_3/certify"),
        of("endpoint: add", "endpoints/new"),
        of("deliveries", "deliveries"),
        of("deliveries: failed", "deliveries?status=failed"),
        of("deliveries: endpoint", "deliveries?endpoint=ep_3"),
        of("one delivery", &format!("deliveries/{EVENT}/ep_1")),
        of("failed", "failed"),
        of("reference", "reference"),
        of("how to verify", "guide/verify"),
        of("how retries work", "guide/retries"),
        of("audit", "audit"),
    ]
}

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let filled = Filled::with(&[], stage.settings, stage.sink.ports).await?;
    let measured = measure(stage, report, &filled).await;
    filled.remove().await?;
    measured
}

async fn measure(stage: &mut Stage<'_>, report: &mut Report, filled: &Filled) -> Result<()> {
    let rows = if stage.plan.is_judged { ROWS } else { QUICK_ROWS };
    fill(filled, rows).await?;
    progress(&format!("{NAME}: {rows} attempts are written"));
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let registry = filled.registry();
    let mut console = start(stage, &namespace, &address, Some(&registry)).await?;
    let browser = SignedIn::at(&address).await?;
    let (mut slowest, mut heaviest) = (0.0_f64, 0.0_f64);
    for (name, path) in pages() {
        let (took_ms, kilobytes) = browser.loads(&path).await.context(name)?;
        let (p50, p95) = (percentile(&took_ms, 50.0), percentile(&took_ms, 95.0));
        let mut entry = report.entry(NAME, name, "hookline");
        entry.put("p50", p50, "ms");
        entry.put("p95", p95, "ms");
        entry.put("max", greatest(&took_ms), "ms");
        entry.put("weight", kilobytes, "KB");
        slowest = slowest.max(p95);
        heaviest = heaviest.max(kilobytes);
    }
    console.is_alive()?;
    console.kill().await?;
    stage.broker.delete_namespace(&namespace).await?;
    let name = format!("pages: p95 of the slowest page over {rows} attempts in ms");
    report.at_most(&name, slowest, P95_MS);
    report.at_most("pages: the heaviest, all included, in KB", heaviest, KILOBYTES);
    Ok(())
}

/// The operator's browser.
struct SignedIn {
    client: reqwest::Client,
    origin: String,
    cookie: String,
}

impl SignedIn {
    async fn at(address: &str) -> Result<Self> {
        // Signing in leads elsewhere, and the cookie stands in the answer that does.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(ANSWERED_WITHIN)
            .build()
            .context("setting up an HTTP client")?;
        let origin = format!("http://{address}");
        let request = client
            .post(format!("{origin}/sign-in"))
            .header(ORIGIN, &origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("token={TOKEN}"));
        let answer = request.send().await.context("signing in")?;
        let set = answer
            .headers()
            .get(SET_COOKIE)
            .and_then(|value| value.to_str().ok());
        let cookie = set.and_then(|set| set.split(';').next()).map(str::to_owned);
        let cookie =
            cookie.ok_or_else(|| Fault::new(format!("signing in is answered {}", answer.status())))?;
        Ok(Self {
            client,
            origin,
            cookie,
        })
    }

    /// How long each load took, in milliseconds, and what the page weighs in kilobytes.
    async fn loads(&self, path: &str) -> Result<(Vec<f64>, f64)> {
        let (mut took_ms, mut page) = (Vec::with_capacity(LOADS), String::new());
        for number in 0..WARM_UP + LOADS {
            let since = Instant::now();
            page = self.load(path).await?;
            if number >= WARM_UP {
                took_ms.push(since.elapsed().as_secs_f64() * 1e3);
            }
        }
        let mut bytes = page.len();
        for start in ["href=\"/assets/", "src=\"/assets/"] {
            for asset in page
                .split(start)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                bytes += self.load(&format!("/assets/{asset}")).await?.len();
            }
        }
        Ok((took_ms, f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e3))
    }

    async fn load(&self, path: &str) -> Result<String> {
        let request = self
            .client
            .get(format!("{}{path}", self.origin))
            .header(COOKIE, &self.cookie);
        let answer = request.send().await.context("asking")?;
        let status = answer.status();
        let page = answer.text().await.context("reading")?;
        if status.is_success() {
            Ok(page)
        } else {
            Err(Fault::new(format!("{path} is answered {status}")))
        }
    }
}
