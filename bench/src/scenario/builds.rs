//! Another build of the dispatcher beside this one, by turns: what a change has gained or cost. `BASELINE` names it.

use crate::error::Result;
use crate::load::Payload;
use crate::measure::{Case, Mode, alternate};
use crate::report::Report;
use crate::stage::Stage;
use crate::subject::Subject;

/// The scenario's name. It runs only where there is something to compare with.
pub(super) const NAME: &str = "builds";

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let events = stage.plan.events;
    for (variant, mode, payload, events) in [
        ("steady, 1 KB", Mode::Steady, None, events),
        ("drain, 1 KB", Mode::Drain, None, events),
        ("steady, 10 KB", Mode::Steady, Some(10_000), events / 4),
        ("steady, 100 KB", Mode::Steady, Some(100_000), events / 20),
    ] {
        let cases = [Subject::Hookline, Subject::Baseline, Subject::FloorBare].map(|subject| {
            let usual = Case::new(subject, mode, events);
            Case {
                payload: payload.map_or(usual.payload, Payload::Bytes),
                ..usual
            }
        });
        let measured = alternate(stage, variant, stage.plan.judged_rounds, &cases).await?;
        for (case, measured) in cases.iter().zip(measured.medians()) {
            measured.put(report.entry(NAME, variant, case.subject.name()));
        }
        for (place, of) in [(1, "baseline"), (2, "floor")] {
            let mut entry = report.entry(NAME, variant, Subject::Hookline.name());
            entry.put(&format!("of_{of}"), measured.ratio(0, place, |one| one.rate), "×");
            entry.put(
                &format!("cpu_of_{of}"),
                measured.ratio(0, place, |one| one.dispatcher_us),
                "×",
            );
        }
    }
    Ok(())
}
