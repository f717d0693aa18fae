//! Few endpoints in the file, and many: what a delivery costs must not depend on it.

use crate::error::Result;
use crate::measure::{Case, Mode, alternate};
use crate::report::Report;
use crate::stage::Stage;
use crate::subject::Subject;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (events, many) = (stage.plan.events, stage.plan.many_endpoints);
    let cases = [10, many].map(|companies| Case {
        companies,
        ..Case::new(Subject::Hookline, Mode::Steady, events)
    });
    let measured = alternate(stage, "tenants: few, many", stage.plan.judged_rounds, &cases).await?;
    for (case, measured) in cases.iter().zip(measured.medians()) {
        let variant = format!("steady, endpoints: {}", case.companies);
        measured.put(report.entry("tenants", variant, case.subject.name()));
    }
    let name = "tenants: dispatcher's CPU for a delivery with 10,000 endpoints, times that with 10";
    report.at_most(name, measured.ratio(1, 0, |one| one.dispatcher_us), 1.2);
    Ok(())
}
