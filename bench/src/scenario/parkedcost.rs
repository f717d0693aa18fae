//! What deliveries that are parked for a hung endpoint cost everybody else: throughput beside them, and the CPU that goes
//! into moving them to and fro while nothing else happens.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Result;
use crate::machine;
use crate::measure::{Case, Mode, SCHEDULE, alternate, park};
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::Subject;

const SCENARIO: &str = "parkedcost";

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (events, parked) = (stage.plan.events, stage.plan.parked);
    let cases = [0, parked].map(|parked| Case {
        parked,
        ..Case::new(Subject::Hookline, Mode::Steady, events)
    });
    let measured = alternate(
        stage,
        "parkedcost: without, with",
        stage.plan.judged_rounds,
        &cases,
    )
    .await?;
    for (case, measured) in cases.iter().zip(measured.medians()) {
        let variant = format!("steady, parked: {}", case.parked);
        measured.put(report.entry(SCENARIO, variant, case.subject.name()));
    }
    let name = "parkedcost: throughput beside 10,000 parked deliveries, part of that without";
    report.at_least(name, measured.ratio(1, 0, |one| one.rate), 0.95);
    standing(stage, report).await
}

/// Over more than a minute, so that even what is parked for the longest comes back once.
async fn standing(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (seconds, parked) = (stage.plan.standing_s, stage.plan.parked);
    let idle = cpu_share(stage, 0, seconds.min(10)).await?;
    let busy = cpu_share(stage, parked, seconds).await?;
    progress(&format!(
        "parkedcost: {:.2} % of the CPU with nothing, {:.2} % with {parked} parked, over {seconds} s",
        idle * 100.0,
        busy * 100.0
    ));
    let variant = format!("nothing else, parked: {parked}");
    let mut entry = report.entry(SCENARIO, variant, Subject::Hookline.name());
    entry.put("cpu_share", (busy - idle) * 100.0, "% of the machine");
    let name = "parkedcost: CPU that 10,000 parked deliveries take over a minute, part of the machine's";
    report.at_most(name, busy - idle, 0.05);
    Ok(())
}

/// What dispatcher and broker use of all the CPU there is, with so many deliveries parked.
async fn cpu_share(stage: &mut Stage<'_>, parked: u32, seconds: u32) -> Result<f64> {
    let case = Case::new(Subject::Hookline, Mode::Steady, 0);
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let running = stage.start(case.subject, &case.setup(), &namespace).await?;
    if parked > 0 {
        park(stage, parked, case.companies, &namespace).await?;
    }
    let since = Instant::now();
    let before = running.cpu_seconds()? + stage.cpu()?.broker.unwrap_or_default();
    sleep(Duration::from_secs(u64::from(seconds))).await;
    let used = running.cpu_seconds()? + stage.cpu()?.broker.unwrap_or_default() - before;
    let all = since.elapsed().as_secs_f64() * machine::processors() as f64;
    stage.clear(running, &namespace).await?;
    Ok(used / all)
}
