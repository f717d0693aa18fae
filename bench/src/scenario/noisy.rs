//! Noisy neighbours: the latency of healthy endpoints while others hang, dawdle or burst, against the same without them.

use std::time::Duration;

use crate::clock::seconds_between;
use crate::error::Result;
use crate::report::stats::{greatest, median, ratio};
use crate::report::{Report, progress};
use crate::scenario::neighbours::{HEALTHY, Neighbours, Seen, begin, healthy, measure, nothing_twice};
use crate::scenario::samples::Latencies;
use crate::sink::Behaviour;
use crate::stage::Stage;

const SCENARIO: &str = "noisy";
const SUBJECT: &str = "hookline";
/// A window so small that hung endpoints can be more than it is wide.
const NARROW: u32 = 100;
/// How long the events queue may take to be emptied of a burst.
const INTAKE_TIME: Duration = Duration::from_secs(60);

/// One host of a hundred endpoints, which answers at first.
const ILL_HOST: &str = "f: a shared host hangs for all its endpoints at once";
/// It begins to hang so many milliseconds before the measurement begins.
const ILL_BEFORE_MS: u64 = 500;

/// What healthy p99 may be beside neighbours, times that without.
fn most_times(name: &str) -> f64 {
    if name == ILL_HOST { 2.0 } else { 1.7 }
}

/// A name, what it is compared with (its place in the list), and the neighbours.
type Case = (&'static str, usize, Neighbours);

fn cases(stage: &Stage<'_>) -> Vec<Case> {
    let (pending, per_second) = (stage.plan.pending, stage.plan.per_second);
    let hung = |companies: u32| Neighbours {
        companies: HEALTHY..HEALTHY + companies,
        pending,
        ..Neighbours::silent(None)
    };
    let dawdling = Neighbours {
        behaviour: Behaviour::After(5_000),
        pending: 0,
        per_second,
        // When the first answers come, as many requests are under way as there will be.
        lead_s: if stage.plan.is_judged { 6 } else { 1 },
        ..hung(20)
    };
    let more_than_the_window = Neighbours {
        pending: NARROW * 4,
        per_second,
        prefetch: Some(NARROW),
        ..hung(NARROW * 2)
    };
    let lead_s = if stage.plan.is_judged { 3 } else { 1 };
    let ill_host = Neighbours {
        behaviour: Behaviour::HangAfter(u64::from(lead_s) * 1_000 - ILL_BEFORE_MS),
        share_host: true,
        pending: 0,
        per_second,
        lead_s,
        ..hung(100)
    };
    vec![
        ("no neighbours", 0, Neighbours::silent(None)),
        (
            "no neighbours, window of 100",
            1,
            Neighbours::silent(Some(NARROW)),
        ),
        ("a: one hangs, with a queue", 0, hung(1)),
        (
            "b: 50 of 100 hang",
            0,
            Neighbours {
                pending: pending / 2,
                per_second,
                ..hung(50)
            },
        ),
        ("c: 20 answer in 5 s", 0, dawdling),
        ("e: 200 hang, window of 100", 1, more_than_the_window),
        (ILL_HOST, 0, ill_host),
    ]
}

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let cases = cases(stage);
    let mut rounds: Vec<Vec<Seen>> = cases.iter().map(|_| Vec::new()).collect();
    for round in 1..=stage.plan.judged_rounds {
        for ((name, _, neighbours), seen) in cases.iter().zip(&mut rounds) {
            let one = measure(stage, neighbours).await?;
            let (p99, missing) = (one.latencies.p99(), one.missing);
            progress(&format!(
                "noisy, round {round}: {name}: p99 {p99:.2} ms, {missing} not arrived"
            ));
            seen.push(one);
        }
    }
    let base_p99 = rounds.first().map_or(0.0, |seen| median_of(seen, Latencies::p99));
    for ((name, base, _), seen) in cases.iter().zip(&rounds) {
        let without = rounds.get(*base).map_or(&[][..], Vec::as_slice);
        let times = p99_ratio(seen, without);
        put(report, name, seen, times);
        if !std::ptr::eq(seen.as_slice(), without) {
            let target = format!("noisy: healthy p99 beside \"{name}\", times that without");
            report.at_most(&target, times, most_times(name));
        }
    }
    burst(stage, report, base_p99).await
}

/// The median over the rounds of what a round's p99 is to that of the same round without: a machine that stumbles in one
/// round stumbles in both.
fn p99_ratio(seen: &[Seen], without: &[Seen]) -> f64 {
    let pairs = seen.iter().zip(without);
    let ratios = pairs.map(|(one, without)| ratio(one.latencies.p99(), without.latencies.p99()));
    median(&ratios.collect::<Vec<_>>())
}

/// Case d: one tenant bursts, and its receiver takes 50 ms for each.
async fn burst(stage: &mut Stage<'_>, report: &mut Report, base_p99: f64) -> Result<()> {
    const NAME: &str = "d: a burst for one that takes 50 ms";
    let neighbours = Neighbours {
        behaviour: Behaviour::After(50),
        ..Neighbours::silent(None)
    };
    let (running, namespace) = begin(stage, &neighbours).await?;
    let fresh = stage.trickle_order(&namespace, stage.plan.noisy_s, (0, HEALTHY));
    let burst = stage.order(&namespace, stage.plan.burst, neighbours.turn());
    let events = format!("{namespace}.events");
    let (load, trickle, depth) = (&mut stage.load, &mut stage.trickle, &stage.depth);
    let intake = async {
        let published = load.publish(&burst).await?;
        depth.emptied(&events, INTAKE_TIME).await?;
        Ok(seconds_between(published.first_ns, crate::clock::now_ns()))
    };
    let (intake_s, _) = tokio::try_join!(intake, trickle.publish(&fresh))?;
    let seen = healthy(stage, &fresh).await?;
    let (count, within) = (u64::from(burst.count), stage.plan.burst_time);
    let summary = stage
        .sink
        .reached(burst.run, within, |summary| summary.accepted >= count)
        .await?;
    nothing_twice(&summary)?;
    stage.clear(running, &namespace).await?;

    let took = seconds_between(summary.first_published_ns, summary.last_ns);
    let rate = f64::from(burst.count) / intake_s;
    let (delivered, p99_ratio) = (summary.accepted as f64, ratio(seen.latencies.p99(), base_p99));
    progress(&format!(
        "noisy: {NAME}: taken in at {rate:.0}/s, {delivered} of {count} delivered in {took:.1} s"
    ));
    put(report, NAME, &[seen], p99_ratio);
    let mut entry = report.entry(SCENARIO, NAME, SUBJECT);
    entry.put("burst_intake", rate, "events/s");
    entry.put("burst_delivered", delivered, "of all");
    entry.put("burst_took", took, "s");
    report.at_least("noisy: intake of a burst in events/s", rate, 8_000.0);
    let part = delivered / f64::from(burst.count.max(1));
    report.at_least("noisy: part of the burst that is delivered in the end", part, 1.0);
    Ok(())
}

fn put(report: &mut Report, variant: &str, seen: &[Seen], p99_ratio: f64) {
    let greatest = greatest(&seen.iter().map(|one| one.latencies.max()).collect::<Vec<_>>());
    let missing: usize = seen.iter().map(|one| one.missing).sum();
    let mut entry = report.entry(SCENARIO, variant, SUBJECT);
    entry.put("p50", median_of(seen, Latencies::p50), "ms");
    entry.put("p99", median_of(seen, Latencies::p99), "ms");
    entry.put("max", greatest, "ms");
    entry.put("p99_ratio", p99_ratio, "× without");
    entry.put("not_arrived", missing as f64, "deliveries");
}

fn median_of(seen: &[Seen], value: fn(&Latencies) -> f64) -> f64 {
    median(&seen.iter().map(|one| value(&one.latencies)).collect::<Vec<_>>())
}
