//! Another build of the dispatcher beside this one, by turns: what a change has gained or cost. `BASELINE` names it.

use crate::error::Result;
use crate::measure::{Case, Mode, alternate};
use crate::report::Report;
use crate::report::stats::ratio;
use crate::stage::Stage;
use crate::subject::Subject;

/// The scenario's name. It runs only where there is something to compare with.
pub(super) const NAME: &str = "builds";

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    for (variant, mode) in [("steady", Mode::Steady), ("drain", Mode::Drain)] {
        let events = stage.plan.events;
        let cases = [Subject::Hookline, Subject::Baseline].map(|subject| Case::new(subject, mode, events));
        let measured = alternate(stage, variant, &cases).await?;
        for (case, measured) in cases.iter().zip(&measured) {
            measured.put(report.entry(NAME, variant, case.subject.name()));
        }
        if let [ours, theirs] = measured.as_slice() {
            let mut entry = report.entry(NAME, variant, Subject::Hookline.name());
            entry.put("of_baseline", ratio(ours.rate, theirs.rate), "×");
            let cpu = ratio(ours.dispatcher_us, theirs.dispatcher_us);
            entry.put("cpu_of_baseline", cpu, "×");
        }
    }
    Ok(())
}
