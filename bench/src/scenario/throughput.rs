//! As fast as it goes: while events come in, and draining what has gathered. Hookline beside both floors; then other
//! lengths, other numbers of endpoints, without records, and to receivers with TLS.

use crate::error::Result;
use crate::load::Payload;
use crate::measure::{Case, Mode, alternate};
use crate::measured::Compared;
use crate::report::Report;
use crate::stage::Stage;
use crate::subject::Subject;

const SCENARIO: &str = "throughput";
const SUBJECTS: [Subject; 3] = [Subject::Hookline, Subject::FloorBare, Subject::FloorReqwest];
/// Their places in it.
const HOOKLINE: usize = 0;
const BARE: usize = 1;
/// What a dispatcher may hold of memory, whatever the length of events.
const MAX_RSS_MB: f64 = 150.0;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let steady = compare(stage, report, Mode::Steady, "steady").await?;
    let drain = compare(stage, report, Mode::Drain, "drain").await?;
    let name = "throughput: publishing and dispatching at once, part of the bare floor's rate";
    report.at_least(name, steady.ratio(HOOKLINE, BARE, |one| one.rate), 0.95);
    let name = "throughput: draining a backlog, part of the bare floor's rate";
    report.at_least(name, drain.ratio(HOOKLINE, BARE, |one| one.rate), 0.72);
    let name = "throughput: dispatcher's CPU for a delivery when draining, times the bare floor's";
    let cpu = drain.ratio(HOOKLINE, BARE, |one| one.dispatcher_us);
    report.at_most(name, cpu, 1.7);
    one_busy(stage, report).await?;
    payloads(stage, report).await?;
    fan_out(stage, report).await?;
    options(stage, report).await
}

/// All three subjects, with what part of each floor's rate Hookline reaches.
async fn compare(stage: &mut Stage<'_>, report: &mut Report, mode: Mode, variant: &str) -> Result<Compared> {
    let events = stage.plan.events;
    let cases = SUBJECTS.map(|subject| Case::new(subject, mode, events));
    let measured = alternate(stage, variant, stage.plan.judged_rounds, &cases).await?;
    let variant = format!("{variant}, 1 KB");
    put_all(report, &variant, &cases, &measured);
    Ok(measured)
}

/// One endpoint instead of a hundred: nobody else's work fills its pauses.
async fn one_busy(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let events = stage.plan.events;
    for (name, mode) in [("steady", Mode::Steady), ("drain", Mode::Drain)] {
        let cases = [Subject::Hookline, Subject::FloorBare].map(|subject| Case {
            companies: 1,
            ..Case::new(subject, mode, events)
        });
        let variant = format!("{name}, 1 KB, one busy endpoint");
        let measured = alternate(stage, &variant, stage.plan.rounds, &cases).await?;
        put_all(report, &variant, &cases, &measured);
    }
    Ok(())
}

/// Longer events are fewer, so that all take about as long.
async fn payloads(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (events, rounds, judged) = (stage.plan.events, stage.plan.rounds, stage.plan.judged_rounds);
    for (name, payload, events, rounds) in [
        ("100 B", Payload::Bytes(100), events, rounds),
        ("10 KB", Payload::Bytes(10_000), events / 4, judged),
        ("100 KB", Payload::Bytes(100_000), events / 20, judged),
        ("a mix of sizes", Payload::Mixed, events / 4, rounds),
    ] {
        let cases = [Subject::Hookline, Subject::FloorBare].map(|subject| Case {
            payload,
            ..Case::new(subject, Mode::Steady, events)
        });
        let variant = format!("steady, {name}");
        let measured = alternate(stage, &variant, rounds, &cases).await?;
        put_all(report, &variant, &cases, &measured);
        judge_payload(report, name, payload, &measured);
    }
    Ok(())
}

fn judge_payload(report: &mut Report, name: &str, payload: Payload, measured: &Compared) {
    let least = match payload {
        Payload::Bytes(10_000) => Some(0.88),
        Payload::Bytes(100_000) => Some(0.60),
        _ => None,
    };
    if let Some(least) = least {
        let name = format!("throughput: steady with {name}, part of the bare floor's rate");
        report.at_least(&name, measured.ratio(HOOKLINE, BARE, |one| one.rate), least);
    }
    if matches!(payload, Payload::Bytes(100_000) | Payload::Mixed) {
        let name = format!("throughput: peak memory of the dispatcher with {name} in MB");
        let most = measured.greatest(HOOKLINE, |one| one.peak_rss_mb);
        report.at_most(&name, most, MAX_RSS_MB);
    }
}

/// The same number of deliveries, made of fewer events for more endpoints each.
async fn fan_out(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let events = stage.plan.events;
    let cases = [1, 2, 4].map(|endpoints| Case {
        endpoints,
        ..Case::new(Subject::Hookline, Mode::Steady, events / endpoints)
    });
    let measured = alternate(stage, "endpoints per company", stage.plan.judged_rounds, &cases).await?;
    for (case, measured) in cases.iter().zip(measured.medians()) {
        let variant = format!("steady, 1 KB, endpoints per company: {}", case.endpoints);
        measured.put(report.entry(SCENARIO, variant, case.subject.name()));
    }
    let name = "throughput: four endpoints per company, part of the rate of four times the events with one";
    report.at_least(name, measured.ratio(2, 0, |one| one.rate), 0.60);
    Ok(())
}

/// What single features cost.
async fn options(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let events = stage.plan.events;
    for mode in [Mode::Steady, Mode::Drain] {
        let usual = Case::new(Subject::Hookline, mode, events);
        let no_records = Case {
            variables: vec![("HOOKLINE_RECORDS", "off".to_owned())],
            ..usual.clone()
        };
        let tls = Case {
            tls: true,
            ..usual.clone()
        };
        let name = if mode == Mode::Steady { "steady" } else { "drain" };
        let cases = [usual, no_records, tls];
        let measured = alternate(stage, &format!("{name}, options"), stage.plan.rounds, &cases).await?;
        for (what, measured) in ["as it is", "records off", "TLS receivers"]
            .iter()
            .zip(measured.medians())
        {
            measured.put(report.entry(
                SCENARIO,
                format!("{name}, 1 KB, {what}"),
                Subject::Hookline.name(),
            ));
        }
    }
    Ok(())
}

fn put_all(report: &mut Report, variant: &str, cases: &[Case], measured: &Compared) {
    for (case, one) in cases.iter().zip(measured.medians()) {
        one.put(report.entry(SCENARIO, variant, case.subject.name()));
    }
    for (place, floor) in cases.iter().enumerate().skip(1) {
        let mut entry = report.entry(SCENARIO, variant, SUBJECTS[HOOKLINE].name());
        let metric = format!("of_{}", floor.subject.name().replace('-', "_"));
        entry.put(&metric, measured.ratio(HOOKLINE, place, |one| one.rate), "×");
    }
}
