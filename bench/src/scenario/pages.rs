//! The dashboard over a large log: how long each page takes, and what a browser loads for it.

use std::collections::BTreeSet;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::time::Instant;

use super::api_rows::{EVENT, LARGE, SMALL, fill};
use super::http_publish::{TOKEN, start};
use crate::error::{Context as _, Fault, Result};
use crate::measure::SCHEDULE;
use crate::registry::Filled;
use crate::report::stats::{greatest, percentile};
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::free_port;

pub(super) const NAME: &str = "pages";
/// Deliveries in the log, and where only the scenario itself is tried.
const ROWS: u32 = 1_000_000;
const QUICK_ROWS: u32 = 100_000;
/// Visits of each page; and before them, some that bring what is read into memory.
const VISITS: usize = 60;
const WARM_UP: usize = 5;
/// Milliseconds to the whole page.
const P95_MS: f64 = 100.0;
/// Bytes of a page with all that it loads, as they are sent.
const KILOBYTES: f64 = 150.0;

/// The pages, by the end of their path; what stands before that is the company's.
const OF_COMPANY: [&str; 13] = [
    "overview",
    "overview?window=24h",
    "overview?window=7d",
    "endpoints",
    "endpoints/new",
    "deliveries",
    "deliveries?status=failed",
    "deliveries?endpoint=ep_3",
    "failed",
    "reference",
    "guide/verify",
    "guide/retries",
    "audit",
];

fn paths() -> Vec<String> {
    let of_large = OF_COMPANY.iter().map(|end| format!("/companies/{LARGE}/{end}"));
    let others = [
        "/overview".to_owned(),
        "/companies".to_owned(),
        format!("/companies/{SMALL}/overview"),
        format!("/companies/{LARGE}/deliveries/{EVENT}/ep_1"),
        format!("/companies/{LARGE}/endpoints/ep_1"),
        format!("/companies/{LARGE}/endpoints/ep_1/test"),
    ];
    of_large.chain(others).collect()
}

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let filled = Filled::with(&[], stage.settings, stage.sink.ports).await?;
    let measured = measure(stage, report, &filled).await;
    filled.remove().await?;
    measured
}

async fn measure(stage: &mut Stage<'_>, report: &mut Report, filled: &Filled) -> Result<()> {
    let rows = if stage.plan.is_judged { ROWS } else { QUICK_ROWS };
    filled.register(LARGE, 6).await?;
    fill(filled, rows).await?;
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let registry = filled.registry();
    let mut console = start(stage, &namespace, &address, Some(&registry)).await?;
    let visitor = Visitor::signed_in(&address).await?;
    let (mut slowest, mut heaviest): (f64, f64) = (0.0, 0.0);
    for path in paths() {
        let mut took_ms = Vec::with_capacity(VISITS);
        let mut page = String::new();
        for number in 0..WARM_UP + VISITS {
            let since = Instant::now();
            page = visitor.text(&path).await?;
            if number >= WARM_UP {
                took_ms.push(since.elapsed().as_secs_f64() * 1e3);
            }
        }
        let kilobytes = visitor.weight(&page).await? as f64 / 1e3;
        let p95 = percentile(&took_ms, 95.0);
        let mut entry = report.entry(NAME, &path, "hookline");
        entry.put("p50", percentile(&took_ms, 50.0), "ms");
        entry.put("p95", p95, "ms");
        entry.put("max", greatest(&took_ms), "ms");
        entry.put("weight", kilobytes, "kB");
        slowest = slowest.max(p95);
        heaviest = heaviest.max(kilobytes);
    }
    progress(&format!("{NAME}: p95 {slowest:.0} ms, {heaviest:.0} kB at most"));
    console.is_alive()?;
    console.kill().await?;
    stage.broker.delete_namespace(&namespace).await?;
    let name = format!("pages: p95 of the slowest page over {rows} deliveries in ms");
    report.at_most(&name, slowest, P95_MS);
    report.at_most(
        "pages: the heaviest page with all that it loads in kB",
        heaviest,
        KILOBYTES,
    );
    Ok(())
}

/// A browser with the operator's session.
struct Visitor {
    client: Client,
    origin: String,
    cookie: String,
}

impl Visitor {
    async fn signed_in(address: &str) -> Result<Self> {
        let client = Client::builder()
            .redirect(Policy::none())
            .build()
            .context("a client")?;
        let origin = format!("http://{address}");
        let request = client
            .post(format!("{origin}/sign-in"))
            .header(ORIGIN, &origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("token={TOKEN}&next=/companies"));
        let answer = request.send().await.context("signing in")?;
        let cookie = answer
            .headers()
            .get(SET_COOKIE)
            .and_then(|value| value.to_str().ok());
        let cookie = cookie
            .and_then(|value| value.split(';').next())
            .map(str::to_owned);
        let cookie =
            cookie.ok_or_else(|| Fault::new(format!("signing in is answered {}", answer.status())))?;
        Ok(Self {
            client,
            origin,
            cookie,
        })
    }

    async fn get(&self, path: &str) -> Result<Response> {
        let request = self
            .client
            .get(format!("{}{path}", self.origin))
            .header(COOKIE, &self.cookie);
        let answer = request.send().await.context("visiting")?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let to = answer
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok())
            .unwrap_or("");
        Err(Fault::new(format!("{path} is answered {} {to}", answer.status())))
    }

    async fn text(&self, path: &str) -> Result<String> {
        let body = self.get(path).await?.bytes().await.context("reading")?;
        String::from_utf8(body.to_vec()).context("a page")
    }

    /// Bytes of a page, its style, its scripts and its icon.
    async fn weight(&self, page: &str) -> Result<usize> {
        let loaded: BTreeSet<&str> = page
            .split('"')
            .filter(|part| part.starts_with("/assets/"))
            .collect();
        let mut bytes = page.len();
        for path in loaded {
            bytes += self.get(path).await?.bytes().await.context("reading")?.len();
        }
        Ok(bytes)
    }
}
