//! What is measured, scenario by scenario, each with the targets that it is judged by.

mod api; // the console's lists on a large log
mod api_rows; // what that holds
mod asking; // one question after the other
mod backlog; // a mountain that waits at the start
mod backlogged; // what waits for busy endpoints: one measurement
mod builds; // another build of the dispatcher beside this one
mod burst; // for few endpoints
mod failed; // lists and counts of very many dead letters
mod http_publish; // events over HTTP, to a console
mod latency; // from publish to receiver, at a low rate
mod lateness; // of retries
mod limited; // receivers that limit their rate
mod neighbours; // what the noisy do to the healthy: one measurement
mod noisy; // the noisy, case by case
mod outbox; // events that a booking service has committed
mod pages; // the dashboard on a large log
mod parkedcost; // what parked deliveries cost the others
mod recorder; // attempts, from the stream into the log
mod registry; // endpoints from a database
mod samples; // latencies of a stretch of time
mod scaleout; // several dispatchers
mod sharedhost; // many customers on one host
mod storm; // retries that all fall due at once
mod syscalls; // and wake-ups, for a delivery
mod tenants; // few endpoints and many
mod throughput; // as fast as it goes
mod traces; // what they cost

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::broker::Broker;
use crate::error::{Context as _, Fault, Result};
use crate::machine;
use crate::measure::{Case, Mode, measure};
use crate::plan::Plan;
use crate::report::{Report, progress};
use crate::settings::Settings;
use crate::stage::Stage;
use crate::subject::Subject;

/// All scenarios, in the order in which they run, each with the metrics that its chart shows.
const ALL: [(&str, &[&str]); 21] = [
    ("throughput", &["rate", "cpu_dispatcher", "cpu_broker"]),
    ("sharedhost", &["opened", "cpu_dispatcher"]),
    ("latency", &["p50", "p99"]),
    ("noisy", &["p50", "p99", "p99_ratio"]),
    ("burst", &["of_ceiling", "parks"]),
    ("syscalls", &["syscalls", "wakeups"]),
    ("scaleout", &["rate"]),
    ("backlog", &["rate", "peak_rss"]),
    ("storm", &["attempted_in", "fresh_p99"]),
    ("lateness", &["p50", "p99"]),
    ("tenants", &["rate", "cpu_dispatcher"]),
    ("parkedcost", &["rate", "cpu_dispatcher"]),
    ("registry", &["rate", "cpu_dispatcher"]),
    (recorder::NAME, &["rate", "behind"]),
    (http_publish::NAME, &["rate", "p99"]),
    (outbox::NAME, &["rate", "p99"]),
    (api::NAME, &["p50", "p99"]),
    (failed::NAME, &["p50", "p99"]),
    (pages::NAME, &["p50", "p95"]),
    (traces::NAME, &["rate", "cpu_dispatcher"]),
    (builds::NAME, &["rate", "cpu_dispatcher"]),
];

/// No run takes longer, whatever happens.
const MOST_TIME: Duration = Duration::from_secs(40 * 60);

/// Runs what was asked for, and reports.
///
/// # Errors
/// A scenario has no numbers because something was lost or doubled, or a process failed. The others are reported.
pub(crate) async fn run_all(settings: &Settings, broker: &Broker) -> Result<()> {
    let wanted: Vec<_> = ALL
        .into_iter()
        .filter(|(name, _)| match settings.scenario.as_deref() {
            Some(wanted) => wanted == *name,
            None => *name != builds::NAME || settings.baseline.is_some(),
        })
        .collect();
    if wanted.is_empty() {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        return Err(Fault::new(format!(
            "there is no such scenario; SCENARIO may be {}",
            names.join(", ")
        )));
    }
    prepare_folder(settings)?;
    let plan = if settings.is_quick {
        &Plan::QUICK
    } else {
        &Plan::FULL
    };
    let run = run_these(settings, broker, plan, &wanted);
    timeout(MOST_TIME, run)
        .await
        .map_err(|_| Fault::new(format!("given up after {MOST_TIME:?}")))?
}

async fn run_these(
    settings: &Settings,
    broker: &Broker,
    plan: &'static Plan,
    wanted: &[(&'static str, &[&str])],
) -> Result<()> {
    let since = Instant::now();
    progress(&format!(
        "{} processors, load average over the last minute {:.2}",
        machine::processors(),
        machine::load_average_1m()
    ));
    let syscall_ns = machine::bare_syscall_ns()?;
    progress(&format!("a bare system call takes {syscall_ns:.0} ns here"));
    broker.delete_orphans().await?;
    let mut stage = Stage::open(settings, broker, plan).await?;
    let mut report = Report::new(plan.is_judged);
    let mut entry = report.entry("machine", "at the start", "machine");
    entry.put("processors", machine::processors() as f64, "");
    entry.put("load_average", machine::load_average_1m(), "over 1 min");
    entry.put("bare_syscall", syscall_ns, "ns");
    warm_up(&mut stage).await?;
    let mut faults = Vec::new();
    for (name, metrics) in wanted {
        // A scenario that failed tells nothing, and takes nothing from the others.
        let before = report.clone();
        if let Err(fault) = run_one(name, &mut stage, &mut report).await {
            let alarm = broker.alarm().await.map(|alarm| format!(" ({alarm})"));
            let text = format!("{name}: {fault}{}", alarm.unwrap_or_default());
            progress(&format!("\nFAILED {text}"));
            faults.push(text);
            report = before;
            drop(stage);
            broker.delete_ours().await?;
            stage = Stage::open(settings, broker, plan).await?;
            continue;
        }
        report.print_scenario(name);
        report.draw(name, metrics, &settings.folder)?;
    }
    report.print_targets();
    let path = settings.folder.join("report.json");
    report.write(&path)?;
    progress(&format!(
        "{} and the charts beside it, after {:.0} s",
        path.display(),
        since.elapsed().as_secs_f64()
    ));
    if faults.is_empty() {
        return Ok(());
    }
    Err(Fault::new(faults.join("; ")))
}

async fn run_one(name: &str, stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    match name {
        "throughput" => throughput::run(stage, report).await,
        "latency" => latency::run(stage, report).await,
        "noisy" => noisy::run(stage, report).await,
        "burst" => burst::run(stage, report).await,
        "sharedhost" => sharedhost::run(stage, report).await,
        "syscalls" => syscalls::run(stage, report).await,
        "scaleout" => scaleout::run(stage, report).await,
        "backlog" => backlog::run(stage, report).await,
        "storm" => storm::run(stage, report).await,
        "lateness" => lateness::run(stage, report).await,
        "tenants" => tenants::run(stage, report).await,
        "registry" => registry::run(stage, report).await,
        recorder::NAME => recorder::run(stage, report).await,
        http_publish::NAME => http_publish::run(stage, report).await,
        outbox::NAME => outbox::run(stage, report).await,
        api::NAME => api::run(stage, report).await,
        failed::NAME => failed::run(stage, report).await,
        pages::NAME => pages::run(stage, report).await,
        traces::NAME => traces::run(stage, report).await,
        builds::NAME => builds::run(stage, report).await,
        _ => parkedcost::run(stage, report).await,
    }
}

/// The broker, the sink and the page cache have worked once before anything counts.
async fn warm_up(stage: &mut Stage<'_>) -> Result<()> {
    let events = stage.plan.warm_up * 3;
    for subject in [Subject::Hookline, Subject::FloorBare] {
        measure(stage, &Case::new(subject, Mode::Steady, events))
            .await
            .context("warming up")?;
    }
    Ok(())
}

/// A report of an earlier run must not pass for one of this run.
fn prepare_folder(settings: &Settings) -> Result<()> {
    let folder = &settings.folder;
    std::fs::create_dir_all(folder).context(folder.display())?;
    for file in std::fs::read_dir(folder).context(folder.display())? {
        let path = file.context(folder.display())?.path();
        if path
            .extension()
            .is_some_and(|kind| ["json", "svg", "log"].iter().any(|old| kind == *old))
        {
            std::fs::remove_file(&path).context(path.display())?;
        }
    }
    Ok(())
}
