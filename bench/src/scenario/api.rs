//! The console's lists on a large log: how long each takes, one after the other, as a person looks at them.

use tokio::time::Instant;

use super::api_rows::{EVENT, LARGE, SMALL, fill};
use super::asking::Asking;
use super::http_publish::start;
use crate::error::{Context as _, Fault, Result};
use crate::measure::SCHEDULE;
use crate::registry::Filled;
use crate::report::stats::{greatest, percentile};
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::free_port;

pub(super) const NAME: &str = "api";
/// Deliveries in the log, and where only the scenario itself is tried.
const ROWS: u32 = 1_000_000;
const QUICK_ROWS: u32 = 100_000;
/// Milliseconds to the answer.
const P99_MS: f64 = 50.0;

/// What is asked, as it stands behind a company's path; a list goes on page after page, and begins anew at its end.
fn questions() -> Vec<(&'static str, &'static str, String)> {
    let of = |name, question: &str| (name, LARGE, question.to_owned());
    vec![
        of("deliveries", "deliveries"),
        of("deliveries: limit=200", "deliveries?limit=200"),
        of("deliveries: endpoint", "deliveries?endpoint=ep_3"),
        of("deliveries: unknown endpoint", "deliveries?endpoint=ep_9"),
        of("deliveries: type", "deliveries?type=booking_cancelled"),
        of("deliveries: unknown type", "deliveries?type=room.cleaned"),
        of("deliveries: delivered", "deliveries?status=delivered"),
        of("deliveries: retrying", "deliveries?status=retrying"),
        of("deliveries: failed", "deliveries?status=failed"),
        of("deliveries: discarded", "deliveries?status=discarded"),
        of(
            "deliveries: failed, endpoint",
            "deliveries?status=failed&endpoint=ep_2",
        ),
        of(
            "deliveries: failed, unknown endpoint",
            "deliveries?status=failed&endpoint=ep_9",
        ),
        of(
            "deliveries: failed, type",
            "deliveries?status=failed&type=booking.created",
        ),
        of(
            "deliveries: endpoint, type",
            "deliveries?endpoint=ep_3&type=booking.created",
        ),
        of(
            "deliveries: endpoint, type that it never has",
            "deliveries?endpoint=ep_3&type=form.submitted",
        ),
        of("deliveries: event", &format!("deliveries?event={EVENT}")),
        of("deliveries: unknown event", "deliveries?event=evt_nobodys"),
        of("deliveries: since", "deliveries?since=SINCE"),
        of(
            "deliveries: between, failed",
            "deliveries?since=SINCE&until=UNTIL&status=failed",
        ),
        of(
            "deliveries: until, endpoint",
            "deliveries?until=SINCE&endpoint=ep_1",
        ),
        ("deliveries: small company", SMALL, "deliveries".to_owned()),
        (
            "deliveries: small company, failed",
            SMALL,
            "deliveries?status=failed".to_owned(),
        ),
        ("deliveries: nobody", "nobody", "deliveries".to_owned()),
        of("one delivery", &format!("deliveries/{EVENT}/ep_1")),
        of("problems", "problems"),
        ("problems: small company", SMALL, "problems".to_owned()),
        of("events", "events"),
        of("events: limit=200", "events?limit=200"),
        ("events: small company", SMALL, "events".to_owned()),
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
    let since = Instant::now();
    fill(filled, rows).await?;
    progress(&format!(
        "{NAME}: {rows} deliveries, written in {:.0} s",
        since.elapsed().as_secs_f64()
    ));
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let registry = filled.registry();
    let mut console = start(stage, &namespace, &address, Some(&registry)).await?;
    let times = filled
        .texts(
            "SELECT to_char((now() - i * interval '1 day') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
             FROM unnest(ARRAY[4, 2]) i",
        )
        .await?;
    let asking = Asking::of(address)?;
    let mut slowest: f64 = 0.0;
    for (name, company, question) in questions() {
        let [from, to] = times.as_slice() else {
            return Err(Fault::new("no times"));
        };
        let question = question.replace("SINCE", from).replace("UNTIL", to);
        let took_ms = asking.pages(company, &question).await.context(name)?;
        let (p50, p99) = (percentile(&took_ms, 50.0), percentile(&took_ms, 99.0));
        let mut entry = report.entry(NAME, name, "hookline");
        entry.put("p50", p50, "ms");
        entry.put("p99", p99, "ms");
        entry.put("max", greatest(&took_ms), "ms");
        slowest = slowest.max(p99);
    }
    console.is_alive()?;
    console.kill().await?;
    stage.broker.delete_namespace(&namespace).await?;
    let name = format!("api: p99 of the slowest list of {rows} deliveries in ms");
    report.at_most(&name, slowest, P99_MS);
    Ok(())
}
