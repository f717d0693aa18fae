//! A burst for receivers that limit their rate, and say so by refusing; and for one whose rate stands in the endpoints
//! file.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock::seconds_between;
use crate::error::{Fault, Result};
use crate::report::stats::{greatest, least, ratio};
use crate::report::{Report, progress};
use crate::scenario::burst::SCENARIO;
use crate::scenario::neighbours::nothing_twice;
use crate::sink::{Behaviour, Summary};
use crate::stage::Stage;
use crate::subject::{Running, Setup, Subject, Tenants};

/// What the receivers take in a second.
const RATE: u32 = 50;
/// Three retries, soon.
const SCHEDULE: &str = "1s,2s,3s";
/// A stretch over which the rate must be exact.
const STRETCH_S: u64 = 10;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    for (how, behaviour) in [
        ("429 with Retry-After", Behaviour::Limit(RATE)),
        ("bare 503s", Behaviour::Busy(RATE)),
    ] {
        refusing(stage, report, how, behaviour).await?;
    }
    by_the_file(stage, report).await
}

/// The receiver refuses what is beyond its rate.
async fn refusing(stage: &mut Stage<'_>, report: &mut Report, how: &str, behaviour: Behaviour) -> Result<()> {
    let burst = burst(stage, Tenants::new(0..1, behaviour)).await?;
    let (count, summary) = (f64::from(stage.plan.limited), &burst.summary);
    let delivered = summary.accepted as f64 / count;
    let refusals = summary.refused as f64 / count;
    let took_s = seconds_between(summary.first_ns, summary.last_accepted_ns);
    // Only for what was delivered: dead-lettering the rest must not look like speed.
    let needed_s = summary.accepted as f64 / f64::from(RATE);
    let times = ratio(took_s, needed_s);
    progress(&format!(
        "burst: {how}: {delivered:.3} delivered in {took_s:.1} s, {} dead-lettered, {refusals:.2} refusals an event",
        burst.dead_lettered
    ));
    let variant = format!("1 takes {RATE}/s, {how}, {count} events");
    let mut entry = report.entry(SCENARIO, variant, Subject::Hookline.name());
    entry.put("took", took_s, "s");
    entry.put("parks", burst.parks, "/delivery");
    entry.put("delivered", delivered, "of all");
    entry.put("dead_lettered", f64::from(burst.dead_lettered), "deliveries");
    let waiting = count - summary.accepted as f64 - f64::from(burst.dead_lettered);
    entry.put("still_waiting", waiting, "deliveries");
    entry.put("refusals", refusals, "an event");
    entry.put("of_needed_time", times, "×");
    let name = |what: &str| format!("burst: a receiver that takes {RATE}/s, {how}: {what}");
    report.at_least(&name("part delivered"), delivered, 0.98);
    report.at_most(&name("refusals an event"), refusals, 0.5);
    report.at_most(&name("time, times what its rate needs"), times, 2.0);
    Ok(())
}

/// The receiver takes everything, and the endpoints file says how much it should get.
async fn by_the_file(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let tenants = Tenants {
        per_second: Some(RATE),
        ..Tenants::new(0..1, Behaviour::Now)
    };
    let burst = burst(stage, tenants).await?;
    let attempts = attempts_in_stretches(&burst.at_ns, STRETCH_S * 1_000_000_000);
    progress(&format!(
        "burst: a rate of {RATE}/s in the file: {attempts:?} attempts in each {STRETCH_S} s"
    ));
    let count = stage.plan.limited;
    let variant = format!("1 with a rate of {RATE}/s in the file, {count} events");
    let mut entry = report.entry(SCENARIO, variant, Subject::Hookline.name());
    let (summary, wanted) = (&burst.summary, f64::from(RATE) * STRETCH_S as f64);
    let took_s = seconds_between(summary.first_ns, summary.last_accepted_ns);
    entry.put("took", took_s, "s");
    entry.put("parks", burst.parks, "/delivery");
    entry.put("delivered", summary.accepted as f64 / f64::from(count), "of all");
    if attempts.is_empty() {
        return Ok(());
    }
    entry.put("least_in_10s", least(&attempts), "attempts");
    entry.put("most_in_10s", greatest(&attempts), "attempts");
    let name = "burst: a rate in the file, attempts in ten seconds, part of what it says";
    report.at_least(name, ratio(least(&attempts), wanted), 0.8);
    report.at_most(name, ratio(greatest(&attempts), wanted), 1.2);
    Ok(())
}

/// How many requests came in each whole stretch from the first of them on.
fn attempts_in_stretches(at_ns: &[u64], stretch_ns: u64) -> Vec<f64> {
    let (Some(first), Some(last)) = (at_ns.iter().min(), at_ns.iter().max()) else {
        return Vec::new();
    };
    // The last one may not have been over when the burst was.
    let whole = (last - first + 1) / stretch_ns;
    let mut counts = vec![0.0; usize::try_from(whole).unwrap_or_default()];
    for at in at_ns {
        let stretch = usize::try_from((at - first) / stretch_ns).unwrap_or(usize::MAX);
        if let Some(count) = counts.get_mut(stretch) {
            *count += 1.0;
        }
    }
    counts
}

/// What came of a burst.
struct Burst {
    summary: Summary,
    dead_lettered: u32,
    parks: f64,
    /// When each request came.
    at_ns: Vec<u64>,
}

/// A burst that waits when the dispatcher starts, until everything is delivered or dead-lettered, or three times what the
/// rate needs is over.
async fn burst(stage: &mut Stage<'_>, tenants: Tenants) -> Result<Burst> {
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let count = stage.plan.limited;
    let order = stage.order(&namespace, count, (0, 1));
    stage.load.publish(&order).await?;
    let setup = Setup {
        tenants: vec![tenants],
        variables: vec![("HOOKLINE_RETRY_SCHEDULE", SCHEDULE.to_owned())],
        ..Setup::default()
    };
    let mut running = stage.start(Subject::Hookline, &setup, &namespace).await?;
    let within = Duration::from_secs(u64::from(10 + 3 * count / RATE));
    let (summary, dead_lettered) = settled(
        stage,
        &mut running,
        order.run,
        &format!("{namespace}.failed"),
        count,
        within,
    )
    .await?;
    nothing_twice(&summary)?;
    let parks = running.parked().await? / f64::from(count);
    let arrivals = stage.sink.arrivals(order.run).await?;
    stage.clear(running, &namespace).await?;
    Ok(Burst {
        summary,
        dead_lettered,
        parks,
        at_ns: arrivals.iter().map(|arrived| arrived.at_ns).collect(),
    })
}

async fn settled(
    stage: &mut Stage<'_>,
    running: &mut Running,
    run: u32,
    failed: &str,
    count: u32,
    within: Duration,
) -> Result<(Summary, u32)> {
    let since = Instant::now();
    loop {
        running.are_alive()?;
        let dead_lettered = stage.depth.waiting(failed).await?;
        let summary = stage.sink.summary(run).await?;
        let ended = summary.accepted + u64::from(dead_lettered);
        if ended > u64::from(count) {
            return Err(Fault::new(format!(
                "no numbers: of {count} deliveries {} were accepted and {dead_lettered} dead-lettered",
                summary.accepted
            )));
        }
        if ended == u64::from(count) || since.elapsed() >= within {
            return Ok((summary, dead_lettered));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_stretches_are_counted() {
        assert_eq!(
            attempts_in_stretches(&[100, 105, 109, 110, 119, 121], 10),
            [3.0, 2.0]
        );
        assert_eq!(attempts_in_stretches(&[100, 105], 10), [0.0; 0]);
        assert_eq!(attempts_in_stretches(&[], 10), [0.0; 0]);
    }
}
