//! What traces cost: the same with one trace of ten collected, by turns with none. Either publishers decide which, and the
//! dispatcher follows them, or nobody has decided, and the dispatcher does. And that nothing is to be paid where a collector is
//! named that gets no traces.

use crate::collector::Collector;
use crate::error::{Fault, Result};
use crate::measure::{Case, Mode, alternate};
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::Subject;

/// The scenario's name.
pub(super) const NAME: &str = "traces";
/// One trace of so many is collected.
const COLLECTED: u32 = 10;
/// Spans of a delivery: one as long as it is in hand, and one for its attempt.
const SPANS: u64 = 2;
/// The places of the cases.
const OFF: usize = 0;
const ON: usize = 1;
const NAMED_ONLY: usize = 2;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let mut collector = Collector::start(stage.settings).await?;
    for (variant, collected) in [("decided by publishers", Some(COLLECTED)), ("decided here", None)] {
        compare(stage, report, &mut collector, variant, collected).await?;
    }
    Ok(())
}

/// Off, on, and off with a collector named.
async fn compare(
    stage: &mut Stage<'_>,
    report: &mut Report,
    collector: &mut Collector,
    variant: &str,
    collected: Option<u32>,
) -> Result<()> {
    let off = Case {
        collected,
        ..Case::new(Subject::Hookline, Mode::Steady, stage.plan.events)
    };
    let on = Case {
        variables: variables(collector, "otlp"),
        ..off.clone()
    };
    let named_only = Case {
        variables: variables(collector, "none"),
        ..off.clone()
    };
    let (rounds, before) = (stage.plan.judged_rounds, collector.spans().await?);
    let what = format!("traces {variant}: off, on, off with a collector named");
    let measured = alternate(stage, &what, rounds, &[off, on, named_only]).await?;
    has_taken(stage, collector.spans().await?.saturating_sub(before))?;
    for (what, one) in ["off", "on", "off, a collector named"]
        .iter()
        .zip(measured.medians())
    {
        one.put(report.entry(NAME, format!("{variant}: {what}"), Subject::Hookline.name()));
    }
    for (what, place) in [("on", ON), ("off, a collector named", NAMED_ONLY)] {
        let mut entry = report.entry(NAME, format!("{variant}: {what}"), Subject::Hookline.name());
        let rate = measured.ratio(place, OFF, |one| one.rate);
        let cpu = measured.ratio(place, OFF, |one| one.dispatcher_us);
        entry.put("of_off", rate, "×");
        entry.put("cpu_of_off", cpu, "×");
        progress(&format!(
            "traces {variant}, {what}: {rate:.3} of the rate without, {cpu:.3} times its CPU"
        ));
    }
    let name = format!("traces: throughput with one of ten collected, {variant}, part of that without");
    report.at_least(&name, measured.ratio(ON, OFF, |one| one.rate), 0.95);
    let name = format!(
        "traces: dispatcher's CPU with a collector named and none collected, {variant}, times that without"
    );
    report.at_most(
        &name,
        measured.ratio(NAMED_ONLY, OFF, |one| one.dispatcher_us),
        1.03,
    );
    Ok(())
}

/// What collects traces in this collector, or names it alone.
fn variables(collector: &Collector, exporter: &str) -> Vec<(&'static str, String)> {
    let text = str::to_owned;
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", text("http/protobuf")),
        ("OTEL_TRACES_EXPORTER", text(exporter)),
        ("OTEL_METRICS_EXPORTER", text("none")),
        ("OTEL_TRACES_SAMPLER", text("parentbased_traceidratio")),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            format!("{}", 1.0 / f64::from(COLLECTED)),
        ),
        // More often than by default, so that a measurement does not end before its spans are sent.
        ("OTEL_BSP_SCHEDULE_DELAY", text("100")),
    ]
}

/// What is not sent costs nothing: at least half must have come, where chance decides which are collected.
fn has_taken(stage: &Stage<'_>, taken: u64) -> Result<()> {
    let plan = stage.plan;
    let deliveries = u64::from(plan.events + plan.warm_up) * plan.judged_rounds as u64;
    let due = deliveries * SPANS / u64::from(COLLECTED);
    progress(&format!(
        "traces: the collector took {taken} spans, of about {due}"
    ));
    if taken * 2 >= due && taken <= due * 2 {
        return Ok(());
    }
    Err(Fault::new(format!(
        "no numbers: the collector took {taken} spans where about {due} were due"
    )))
}
