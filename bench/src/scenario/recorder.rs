//! Attempts from the stream into the log: how fast a console records what waits there, how far it is behind beside
//! deliveries, and what writing records costs those.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::console::Console;
use crate::error::{Fault, Result};
use crate::measure::{Case, Mode, SCHEDULE, alternate};
use crate::records;
use crate::registry::Filled;
use crate::report::stats::median;
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::{Setup, Subject, Tenants};

pub(super) const NAME: &str = "recorder";
/// Attempts recorded a second, on two processors with nothing else to do.
const RATE: f64 = 20_000.0;
/// Seconds that the log may be behind beside deliveries.
const BEHIND_S: f64 = 5.0;
/// What records may cost deliveries.
const PART: f64 = 0.95;
/// How often the console is asked how far it is, which costs it little.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long nothing may be recorded.
const STALL: Duration = Duration::from_secs(30);
const WRITTEN: &str = "hookline_log_records_written_total";
const BEHIND: &str = "hookline_log_behind_seconds";

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let mut rates = Vec::new();
    let mut cpus = Vec::new();
    for round in 1..=stage.plan.rounds {
        let (rate, cpu_us) = drain(stage).await?;
        progress(&format!(
            "{NAME}, round {round}: {rate:.0} attempts/s, {cpu_us:.0} µs of the console's CPU each"
        ));
        rates.push(rate);
        cpus.push(cpu_us);
    }
    let variant = format!("{} attempts wait, 1 KB, batches of 100", stage.plan.recorded);
    let mut entry = report.entry(NAME, variant, "hookline");
    entry.put("rate", median(&rates), "attempts/s");
    entry.put("cpu_console", median(&cpus), "µs/attempt");
    report.at_least("recorder: attempts recorded a second", median(&rates), RATE);
    beside(stage, report).await?;
    cost(stage, report).await
}

/// How many attempts a second a console records that wait in the stream, and its CPU for each in microseconds.
async fn drain(stage: &mut Stage<'_>) -> Result<(f64, f64)> {
    let count = stage.plan.recorded;
    let namespace = stage.new_namespace(SCHEDULE).await?;
    records::fill(&stage.settings.amqp_url, &namespace, count).await?;
    let filled = Filled::with(&[], stage.settings, stage.sink.ports).await?;
    let mut console = Console::launch(stage.settings, &namespace, &filled.registry())?;
    console.serves().await?;
    let (mut first, mut last) = (None, (Instant::now(), 0.0));
    while last.1 < f64::from(count) {
        sleep(LOOK_EVERY).await;
        console.child.is_alive()?;
        let (written, now) = (console.metric(WRITTEN).await?, Instant::now());
        if written > last.1 {
            last = (now, written);
            first.get_or_insert((last, console.child.cpu_seconds()?));
        } else if last.0.elapsed() > STALL {
            return Err(Fault::new(format!(
                "no numbers: {written} of {count} attempts are recorded"
            )));
        }
    }
    let cpu = console.child.cpu_seconds()?;
    console.child.kill().await?;
    filled.remove().await?;
    stage.broker.delete_namespace(&namespace).await?;
    let ((since, before), cpu_before) = first.unwrap_or((last, cpu));
    let recorded = (last.1 - before).max(1.0);
    let seconds = last.0.duration_since(since).as_secs_f64().max(1e-3);
    Ok((recorded / seconds, (cpu - cpu_before) * 1e6 / recorded))
}

/// How far behind the log is while deliveries go on, everything on the same processors.
async fn beside(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (per_second, seconds) = stage.plan.beside;
    let count = per_second * seconds;
    let setup = Setup {
        tenants: vec![Tenants::new(0..100, crate::sink::Behaviour::Now)],
        ..Setup::default()
    };
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let filled = Filled::with(&[], stage.settings, stage.sink.ports).await?;
    let mut running = stage.start(Subject::Hookline, &setup, &namespace).await?;
    let mut console = Console::launch(stage.settings, &namespace, &filled.registry())?;
    console.serves().await?;
    let mut order = stage.order(&namespace, count, (0, 100));
    order.per_second = Some(per_second);
    let mut samples: Vec<f64> = Vec::new();
    let began = Instant::now();
    let published = {
        let watching = async {
            loop {
                samples.push(console.metric(BEHIND).await?);
                sleep(4 * LOOK_EVERY).await;
            }
        };
        tokio::select! {
            published = stage.load.publish(&order) => published,
            failed = watching => failed,
        }
    };
    published?;
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    stage.all_arrived(order.run, count.into(), &mut running).await?;
    let since = Instant::now();
    while console.metric(WRITTEN).await? < f64::from(count) {
        samples.push(console.metric(BEHIND).await?);
        if since.elapsed() > STALL {
            return Err(Fault::new("no numbers: not all attempts are recorded"));
        }
        sleep(LOOK_EVERY).await;
    }
    let complete = since.elapsed().as_secs_f64();
    let most = samples.iter().copied().fold(0.0, f64::max);
    progress(&format!(
        "{NAME}: beside {rate:.0} deliveries/s the log is {most:.2} s behind at most, and complete {complete:.2} s after the last"
    ));
    console.child.kill().await?;
    filled.remove().await?;
    stage.clear(running, &namespace).await?;
    let mut entry = report.entry(NAME, format!("beside {per_second} deliveries/s"), "hookline");
    entry.put("published", rate, "events/s");
    entry.put("behind", most, "s at most");
    entry.put("behind_p50", median(&samples), "s");
    report.at_least(
        "recorder: part of the deliveries a second that it was to be measured beside",
        rate / f64::from(per_second),
        0.95,
    );
    report.at_most(
        "recorder: seconds behind beside 5,000 deliveries/s",
        most,
        BEHIND_S,
    );
    Ok(())
}

/// What it costs deliveries that records are written.
async fn cost(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let on = Case::new(Subject::Hookline, Mode::Steady, stage.plan.events);
    let off = Case {
        variables: vec![("HOOKLINE_RECORDS", "off".to_owned())],
        ..on.clone()
    };
    let cases = [on, off];
    let measured = alternate(stage, "records on, off", stage.plan.judged_rounds, &cases).await?;
    for (records, one) in ["on", "off"].iter().zip(measured.medians()) {
        let variant = format!("steady, 1 KB, records {records}");
        one.put(report.entry(NAME, variant, Subject::Hookline.name()));
    }
    let part = measured.ratio(0, 1, |one| one.rate);
    report.at_least(
        "recorder: publishing and dispatching at once, part of the rate without records",
        part,
        PART,
    );
    Ok(())
}
