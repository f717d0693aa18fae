//! Very many dead letters: how long their lists take, and their counts before a retry.

use serde_json::{Value, json};

use super::asking::Asking;
use super::http_publish::start;
use crate::error::{Context as _, Fault, Result};
use crate::measure::SCHEDULE;
use crate::registry::Filled;
use crate::report::Report;
use crate::report::stats::{greatest, percentile};
use crate::stage::Stage;
use crate::subject::free_port;

pub(super) const NAME: &str = "failed";
/// Dead letters of one company, after an outage of a day.
const LETTERS: u64 = 50_000;
const QUICK_LETTERS: u64 = 5_000;
/// Endpoints that they are of.
const ENDPOINTS: u64 = 5;
/// Milliseconds to the answer.
const P99_MS: f64 = 100.0;

/// What is listed, as it stands behind the company's path.
const LISTS: [(&str, &str); 6] = [
    ("list", "failed"),
    ("list: limit=200", "failed?limit=200"),
    ("list: endpoint", "failed?endpoint=ep_3"),
    ("list: type", "failed?type=booking.cancelled"),
    ("list: outcome", "failed?outcome=timeout"),
    ("list: what none has", "failed?reason=endpoint_disabled"),
];

/// What is counted, and the part of all that it is.
fn counts() -> [(&'static str, Value, u64); 4] {
    [
        ("count: all", json!({}), 1),
        ("count: endpoint", json!({"endpoint": "ep_3"}), ENDPOINTS),
        ("count: type", json!({"type": "booking.cancelled"}), 2),
        ("count: outcome", json!({"outcome": "timeout"}), 2),
    ]
}

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let filled = Filled::with(&[], stage.settings, stage.sink.ports).await?;
    let measured = measure(stage, report, &filled).await;
    filled.remove().await?;
    measured
}

async fn measure(stage: &mut Stage<'_>, report: &mut Report, filled: &Filled) -> Result<()> {
    let letters = if stage.plan.is_judged {
        LETTERS
    } else {
        QUICK_LETTERS
    };
    fill(filled, letters).await?;
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let registry = filled.registry();
    let mut console = start(stage, &namespace, &address, Some(&registry)).await?;
    let asking = Asking::of(address)?;
    let mut slowest: f64 = 0.0;
    let mut took = |name: &str, took_ms: &[f64]| {
        let (p50, p99) = (percentile(took_ms, 50.0), percentile(took_ms, 99.0));
        let mut entry = report.entry(NAME, name, "hookline");
        entry.put("p50", p50, "ms");
        entry.put("p99", p99, "ms");
        entry.put("max", greatest(took_ms), "ms");
        slowest = slowest.max(p99);
    };
    for (name, question) in LISTS {
        took(name, &asking.pages("acme", question).await.context(name)?);
    }
    for (name, mut body, part) in counts() {
        body["dry_run"] = json!(true);
        let asked = asking.answers("acme/failed/retry", &body).await;
        let (took_ms, counted) = asked.context(name)?;
        if counted["count"] != letters / part {
            return Err(Fault::new(format!("{name} is answered {counted}")));
        }
        took(name, &took_ms);
    }
    console.is_alive()?;
    console.kill().await?;
    stage.broker.delete_namespace(&namespace).await?;
    let name = format!("failed: p99 of the slowest list or count of {letters} dead letters in ms");
    report.at_most(&name, slowest, P99_MS);
    Ok(())
}

/// Endpoints, and their dead letters: every second one of a type, and every second one of an outcome.
async fn fill(filled: &Filled, letters: u64) -> Result<()> {
    filled.register("acme", ENDPOINTS).await?;
    filled
        .execute(&format!(
            "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
             last_status, created_at, data) SELECT 'acme', 'evt_' || md5(i::text), 'ep_' || i % {ENDPOINTS}, \
             now() - i * interval '1 s', 'booking.' || (ARRAY['created', 'cancelled'])[1 + i / {ENDPOINTS} % 2], 'event', \
             'retries_exhausted', 4, CASE WHEN i / {ENDPOINTS} % 2 = 0 THEN 'timeout' ELSE 'http_status' END, \
             CASE WHEN i / {ENDPOINTS} % 2 = 1 THEN 503 END, now() - i * interval '1 s', \
             convert_to('{{\"a\":\"' || repeat(md5(i::text), 30) || '\"}}', 'UTF8') FROM generate_series(0, {letters} - 1) i"
        ))
        .await?;
    // As the server does it by itself after a while.
    filled.execute("VACUUM (ANALYZE) dead_letters").await
}
