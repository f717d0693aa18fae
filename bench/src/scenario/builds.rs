//! Another build of the dispatcher beside this one, by turns: what a change has gained or cost. `BASELINE` names it.

use crate::error::Result;
use crate::measure::{Case, Mode, alternate};
use crate::report::Report;
use crate::stage::Stage;
use crate::subject::Subject;

/// The scenario's name. It runs only where there is something to compare with.
pub(super) const NAME: &str = "builds";

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    for (variant, mode) in [("steady", Mode::Steady), ("drain", Mode::Drain)] {
        let events = stage.plan.events;
        let cases = [Subject::Hookline, Subject::Baseline].map(|subject| Case::new(subject, mode, events));
        let measured = alternate(stage, variant, stage.plan.judged_rounds, &cases).await?;
        for (case, measured) in cases.iter().zip(measured.medians()) {
            measured.put(report.entry(NAME, variant, case.subject.name()));
        }
        let mut entry = report.entry(NAME, variant, Subject::Hookline.name());
        entry.put("of_baseline", measured.ratio(0, 1, |one| one.rate), "×");
        entry.put(
            "cpu_of_baseline",
            measured.ratio(0, 1, |one| one.dispatcher_us),
            "×",
        );
    }
    Ok(())
}
