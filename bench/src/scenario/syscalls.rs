//! System calls, context switches and wake-ups for a delivery, beside the bare floor's: what a machine on which those cost
//! more than on this one would multiply. They are counted apart from everything else, since counting takes time.

use crate::counts::{CountedBy, Counts};
use crate::error::Result;
use crate::measure::{Case, Mode, alternate};
use crate::measured::Measured;
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::Subject;

const SCENARIO: &str = "syscalls";
const SUBJECTS: [Subject; 2] = [Subject::Hookline, Subject::FloorBare];

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    for companies in [100, 1] {
        for (name, mode) in [("steady", Mode::Steady), ("drain", Mode::Drain)] {
            let variant = format!("{name}, 1 KB, endpoints: {companies}");
            compare(stage, report, &variant, companies, mode).await?;
        }
    }
    Ok(())
}

async fn compare(
    stage: &mut Stage<'_>,
    report: &mut Report,
    variant: &str,
    companies: u32,
    mode: Mode,
) -> Result<()> {
    let events = stage.plan.events / 2;
    let cases = SUBJECTS.map(|subject| Case {
        companies,
        is_counted: true,
        ..Case::new(subject, mode, events)
    });
    let measured = alternate(stage, &format!("syscalls: {variant}"), stage.plan.rounds, &cases).await?;
    let by_perf = [0, 1].map(|place| measured.counted_by(place)) == [Some(CountedBy::Perf); 2];
    for (place, subject) in SUBJECTS.iter().enumerate() {
        let mut entry = report.entry(SCENARIO, variant, subject.name());
        // Those that /proc knows of are too few to go by the same name.
        let name = if by_perf { "syscalls" } else { "reads_and_writes" };
        entry.put(name, measured.median(place, syscalls), "/delivery");
        entry.put("context_switches", measured.median(place, switches), "/delivery");
        entry.put("wakeups", measured.median(place, wakeups), "/delivery");
    }
    if !by_perf {
        progress(
            "syscalls: perf cannot count here; /proc tells of context switches, and of reads and writes only",
        );
    }
    let times = [syscalls, wakeups].map(|value| measured.ratio(0, 1, value));
    let names = ["system calls", "wake-ups"];
    for (what, times) in names.into_iter().zip(times).skip(usize::from(!by_perf)) {
        let name = format!("syscalls: {what} for a delivery, {variant}, times the bare floor's");
        report.at_most(&name, times, 1.3);
    }
    Ok(())
}

fn syscalls(one: &Measured) -> f64 {
    of(one, |counts| counts.syscalls)
}

fn switches(one: &Measured) -> f64 {
    of(one, |counts| counts.context_switches)
}

fn wakeups(one: &Measured) -> f64 {
    of(one, |counts| counts.wakeups)
}

fn of(one: &Measured, value: fn(Counts) -> f64) -> f64 {
    one.counts.map_or(0.0, value)
}
