//! One, two and four dispatchers at one backlog. On one machine they share its processors with everybody else; what shows
//! is that they share the work, and what they cost each other.

use crate::error::Result;
use crate::measure::{Case, Mode, alternate};
use crate::report::Report;
use crate::stage::Stage;
use crate::subject::Subject;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let events = stage.plan.events;
    let cases = [1, 2, 4].map(|replicas| Case {
        replicas,
        ..Case::new(Subject::Hookline, Mode::Drain, events)
    });
    let measured = alternate(stage, "scaleout: 1, 2, 4 in turn", stage.plan.rounds, &cases).await?;
    for (case, measured) in cases.iter().zip(measured.medians()) {
        let variant = format!("drain, replicas: {}", case.replicas);
        measured.put(report.entry("scaleout", variant, case.subject.name()));
    }
    Ok(())
}
