//! What deliveries that are parked for a hung endpoint cost everybody else.

use crate::error::Result;
use crate::measure::{Case, Mode, alternate};
use crate::report::Report;
use crate::report::stats::ratio;
use crate::stage::Stage;
use crate::subject::Subject;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (events, parked) = (stage.plan.events, stage.plan.parked);
    let cases = [0, parked].map(|parked| Case {
        parked,
        ..Case::new(Subject::Hookline, Mode::Steady, events)
    });
    let measured = alternate(stage, "parkedcost: without, with", &cases).await?;
    for (case, measured) in cases.iter().zip(&measured) {
        let variant = format!("steady, parked: {}", case.parked);
        measured.put(report.entry("parkedcost", variant, case.subject.name()));
    }
    if let [without, with] = measured.as_slice() {
        let name = "parkedcost: throughput beside 10,000 parked deliveries, part of that without";
        report.at_least(name, ratio(with.rate, without.rate), 0.95);
    }
    Ok(())
}
