//! Retries that all fall due in the same second, while fresh events go on: how long until all are attempted, and what
//! fresh deliveries notice.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock::{now_ns, seconds_between};
use crate::error::{Fault, Result};
use crate::load::{Destination, Order};
use crate::measure::{Case, Mode, measure};
use crate::report::stats::{greatest, median, ratio};
use crate::report::{Report, progress};
use crate::scenario::samples::Latencies;
use crate::sink::Behaviour;
use crate::stage::Stage;
use crate::subject::{Setup, Subject, Tenants};

const SCENARIO: &str = "storm";
const COMPANIES: u32 = 100;
/// The delay that they have waited, and the one after it.
const SCHEDULE: &str = "5s,5m";
const DELAY_S: u32 = 5;
/// How long the storm may take.
const STORM_TIME: Duration = Duration::from_secs(60);
/// Fewer fresh deliveries than these make no percentile: a short storm is looked at a little longer.
const LEAST_STRETCH_NS: u64 = 1_000_000_000;

struct Storm {
    attempted_in_s: f64,
    /// Fresh deliveries before it and during it.
    before: Latencies,
    during: Latencies,
}

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (mut times, mut rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut before, mut during) = (Latencies::default(), Latencies::default());
    for round in 1..=stage.plan.judged_rounds {
        // What falls due is published by the broker while it is dispatched, so this is the rate to compare with.
        let steady = measure(
            stage,
            &Case::new(Subject::Hookline, Mode::Steady, stage.plan.events),
        )
        .await?;
        let storm = measure_storm(stage).await?;
        progress(&format!(
            "storm, round {round}: all attempted in {:.2} s, fresh p99 {:.2} ms, {:.2} ms before",
            storm.attempted_in_s,
            storm.during.p99(),
            storm.before.p99()
        ));
        rates.push(steady.rate);
        times.push(storm.attempted_in_s);
        ratios.push(ratio(storm.during.p99(), storm.before.p99()));
        before = before.and(storm.before);
        during = during.and(storm.during);
    }
    let count = f64::from(stage.plan.storm);
    let (time, rate) = (median(&times), median(&rates));
    let variant = format!("{count} due at once");
    let mut entry = report.entry(SCENARIO, variant, Subject::Hookline.name());
    entry.put("attempted_in", time, "s");
    entry.put("at_steady_rate", ratio(count, rate), "s");
    entry.put("fresh_p50", during.p50(), "ms");
    entry.put("fresh_p99", during.p99(), "ms");
    entry.put("fresh_max", during.max(), "ms");
    entry.put("p99_before", before.p99(), "ms");
    entry.put("fresh_p99_ratio", median(&ratios), "× before");
    entry.put("worst_p99_ratio", greatest(&ratios), "× before");
    entry.put("fresh_deliveries", during.len() as f64, "counted");
    let name = "storm: time until all are attempted, times what the steady rate would take";
    report.at_most(name, ratio(time, ratio(count, rate)), 1.5);
    let name = "storm: fresh p99 during it, times that before, in the worst round";
    report.at_most(name, greatest(&ratios), 3.0);
    Ok(())
}

async fn measure_storm(stage: &mut Stage<'_>) -> Result<Storm> {
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let setup = Setup {
        tenants: vec![Tenants::new(0..COMPANIES, Behaviour::Now)],
        variables: vec![("HOOKLINE_RETRY_SCHEDULE", SCHEDULE.to_owned())],
        ..Setup::default()
    };
    let mut running = stage.start(Subject::Hookline, &setup, &namespace).await?;
    let warm_up = stage.order(&namespace, stage.plan.warm_up, (0, COMPANIES));
    stage.load.publish(&warm_up).await?;
    let count = u64::from(warm_up.count);
    stage.all_arrived(warm_up.run, count, &mut running).await?;

    let waiting = Order {
        into: Destination::Retry(DELAY_S),
        ..stage.order(&namespace, stage.plan.storm, (0, COMPANIES))
    };
    let fresh = stage.trickle_order(&namespace, DELAY_S + 4, (0, COMPANIES));
    let published = stage.load.publish(&waiting).await?;
    let delay_ns = u64::from(DELAY_S) * 1_000_000_000;
    let due_ns = published.first_ns + delay_ns;
    // Fresh ones begin when the publishing of the others is over.
    sleep(Duration::from_millis(300)).await;
    if now_ns() > due_ns - 1_000_000_000 {
        return Err(Fault::new("publishing took so long that nothing is due at once"));
    }
    stage.trickle.publish(&fresh).await?;
    let count = u64::from(waiting.count);
    let storm = stage
        .sink
        .reached(waiting.run, STORM_TIME, |summary| summary.received >= count)
        .await?;
    stage.all_arrived(waiting.run, count, &mut running).await?;
    let count = u64::from(fresh.count);
    stage.all_arrived(fresh.run, count, &mut running).await?;
    let arrivals = stage.sink.arrivals(fresh.run).await?;
    stage.clear(running, &namespace).await?;
    let over_ns = storm.last_ns.max(due_ns + LEAST_STRETCH_NS);
    Ok(Storm {
        attempted_in_s: seconds_between(due_ns, storm.last_ns),
        before: Latencies::between(&arrivals, 0, due_ns),
        during: Latencies::between(&arrivals, due_ns, over_ns),
    })
}
