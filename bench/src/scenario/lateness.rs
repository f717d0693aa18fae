//! How late retries are: from the answer to a failed attempt to the next attempt, less the delay that was promised.

use crate::error::Result;
use crate::report::Report;
use crate::report::stats::{greatest, percentile};
use crate::sink::Behaviour;
use crate::stage::Stage;
use crate::subject::{Setup, Subject, Tenants};

const COMPANIES: u32 = 100;
const DELAY_MS: f64 = 1000.0;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let mut late = Vec::new();
    for _ in 0..stage.plan.rounds {
        late.extend(measure(stage).await?);
    }
    let variant = format!("{} failures/s, 1 s delay", stage.plan.per_second);
    let p99 = percentile(&late, 99.0);
    let mut entry = report.entry("lateness", variant, Subject::Hookline.name());
    entry.put("p50", percentile(&late, 50.0), "ms");
    entry.put("p99", p99, "ms");
    entry.put("max", greatest(&late), "ms");
    entry.put("least", percentile(&late, 0.0), "ms");
    report.at_most("lateness: p99 of retries in ms", p99, 500.0);
    Ok(())
}

/// Milliseconds beyond the delay, of every retry.
async fn measure(stage: &mut Stage<'_>) -> Result<Vec<f64>> {
    const SCHEDULE: &str = "1s";
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let setup = Setup {
        tenants: vec![Tenants::new(0..COMPANIES, Behaviour::Fail(1))],
        variables: vec![("HOOKLINE_RETRY_SCHEDULE", SCHEDULE.to_owned())],
        ..Setup::default()
    };
    let mut running = stage.start(Subject::Hookline, &setup, &namespace).await?;
    let order = stage.trickle_order(&namespace, stage.plan.latency_s, (0, COMPANIES));
    stage.trickle.publish(&order).await?;
    // Each is attempted twice.
    let attempts = u64::from(order.count) * 2;
    stage.all_arrived(order.run, attempts, &mut running).await?;
    let gaps = stage.sink.gaps(order.run).await?;
    stage.clear(running, &namespace).await?;
    Ok(gaps.into_iter().map(|gap| gap as f64 / 1e6 - DELAY_MS).collect())
}
