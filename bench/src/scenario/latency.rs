//! From the publish to the last byte at the receiver, at a rate that keeps nobody busy.

use crate::error::Result;
use crate::measure::SCHEDULE;
use crate::report::stats::{greatest, median, ratio};
use crate::report::{Report, progress};
use crate::scenario::samples::Latencies;
use crate::sink::Behaviour;
use crate::stage::Stage;
use crate::subject::{Setup, Subject, Tenants};

const SCENARIO: &str = "latency";
const COMPANIES: u32 = 100;
const SUBJECTS: [Subject; 2] = [Subject::Hookline, Subject::FloorBare];

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let mut rounds = SUBJECTS.map(|_| Vec::new());
    for round in 1..=stage.plan.judged_rounds {
        for (subject, latencies) in SUBJECTS.iter().zip(&mut rounds) {
            let one = measure(stage, *subject).await?;
            let (name, p50, p99) = (subject.name(), one.p50(), one.p99());
            progress(&format!(
                "latency, round {round}: {name} p50 {p50:.2} ms, p99 {p99:.2} ms"
            ));
            latencies.push(one);
        }
    }
    let variant = format!("{} events/s", stage.plan.per_second);
    let values =
        |rounds: &[Latencies], value: fn(&Latencies) -> f64| rounds.iter().map(value).collect::<Vec<_>>();
    for (subject, latencies) in SUBJECTS.iter().zip(&rounds) {
        let mut entry = report.entry(SCENARIO, variant.as_str(), subject.name());
        entry.put("p50", median(&values(latencies, Latencies::p50)), "ms");
        entry.put("p99", median(&values(latencies, Latencies::p99)), "ms");
        entry.put("max", greatest(&values(latencies, Latencies::max)), "ms");
    }
    let [hookline, floor] = &rounds;
    let of = |rounds: &[Latencies], value| median(&values(rounds, value));
    let (p50, p99) = (of(hookline, Latencies::p50), of(hookline, Latencies::p99));
    report.at_most("latency: p50 at 100 events/s in ms", p50, 2.0);
    report.at_most("latency: p99 at 100 events/s in ms", p99, 4.0);
    for (name, value, target) in [
        ("p50", Latencies::p50 as fn(&Latencies) -> f64, 2.0),
        ("p99", Latencies::p99, 1.2),
    ] {
        let pairs = values(hookline, value).into_iter().zip(values(floor, value));
        let times: Vec<f64> = pairs.map(|(ours, floor)| ratio(ours, floor)).collect();
        let times = median(&times);
        let mut entry = report.entry(SCENARIO, variant.as_str(), Subject::Hookline.name());
        entry.put(&format!("{name}_of_floor"), times, "×");
        let name = format!("latency: {name} at 100 events/s, times the bare floor's");
        report.at_most(&name, times, target);
    }
    Ok(())
}

async fn measure(stage: &mut Stage<'_>, subject: Subject) -> Result<Latencies> {
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let setup = Setup {
        tenants: vec![Tenants::new(0..COMPANIES, Behaviour::Now)],
        ..Setup::default()
    };
    let mut running = stage.start(subject, &setup, &namespace).await?;
    // The first second opens connections, and does not count.
    let warm_up = stage.trickle_order(&namespace, 1, (0, COMPANIES));
    let order = stage.trickle_order(&namespace, stage.plan.latency_s, (0, COMPANIES));
    for order in [&warm_up, &order] {
        stage.trickle.publish(order).await?;
        let count = u64::from(order.count);
        stage.all_arrived(order.run, count, &mut running).await?;
    }
    let latencies = Latencies::of(&stage.sink.arrivals(order.run).await?);
    stage.clear(running, &namespace).await?;
    Ok(latencies)
}
