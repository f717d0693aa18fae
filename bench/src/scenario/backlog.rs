//! A mountain of events that waits when the dispatcher starts: its memory must not grow with it.

use crate::error::Result;
use crate::measure::{Case, Mode, measure};
use crate::report::Report;
use crate::stage::Stage;
use crate::subject::Subject;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let waiting = stage.plan.backlog;
    for subject in [Subject::Hookline, Subject::FloorBare] {
        let measured = measure(stage, &Case::new(subject, Mode::Drain, waiting)).await?;
        measured.put(report.entry("backlog", format!("{waiting} waiting"), subject.name()));
        if subject == Subject::Hookline {
            let name = "backlog: peak memory of the dispatcher with 100,000 events waiting in MB";
            report.at_most(name, measured.peak_rss_mb, 150.0);
        }
    }
    Ok(())
}
