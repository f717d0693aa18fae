//! Many customers' endpoints on one host, as those of an automation service are: how many connections that takes, and what
//! a delivery costs beside the ordinary case of a host for each.

use crate::error::Result;
use crate::measure::{Case, Mode, alternate};
use crate::measured::{Compared, Measured};
use crate::report::Report;
use crate::report::stats::ratio;
use crate::sink::Behaviour;
use crate::stage::Stage;
use crate::subject::Subject;

const SCENARIO: &str = "sharedhost";
/// What the answers take where they do not come at once, in milliseconds.
const SLOW_MS: u64 = 100;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let ordinary = Case::new(Subject::Hookline, Mode::Steady, stage.plan.events / 3 * 2);
    let shared = Case {
        share_host: true,
        ..ordinary.clone()
    };
    let tls = Case {
        tls: true,
        ..shared.clone()
    };
    let slow = Case {
        behaviour: Behaviour::After(SLOW_MS),
        ..shared.clone()
    };
    let cases = [ordinary, shared, tls, slow];
    let names = ["a host each", "plain", "TLS", "answers in 100 ms"];
    let measured = alternate(stage, "shared host", stage.plan.rounds, &cases).await?;
    for (place, (case, one)) in cases.iter().zip(measured.medians()).enumerate() {
        let name = names[place];
        let variant = if case.share_host {
            format!("steady, 1 KB, shared host: {name}")
        } else {
            format!("steady, 1 KB, {name}")
        };
        one.put(report.entry(SCENARIO, variant.as_str(), case.subject.name()));
        put(report, &variant, &measured, place);
        if case.share_host {
            let times = measured.median(place, opened_ratio(case));
            let name = format!("sharedhost: shared host, {name}: connections opened, times the most at once");
            report.at_most(&name, times, 1.1);
        }
    }
    Ok(())
}

/// Connections ever opened, times the most that were needed at once. Where answers take long, the receiver sees how many
/// requests there are at once. Where they come at once it hardly sees two, while a client has many under way, each with a
/// connection: there it is the most connections that were open.
fn opened_ratio(case: &Case) -> fn(&Measured) -> f64 {
    match case.behaviour {
        Behaviour::After(_) => |one| ratio(one.traffic.opened as f64, one.traffic.max_in_flight as f64),
        _ => |one| ratio(one.traffic.opened as f64, one.traffic.max_open as f64),
    }
}

fn put(report: &mut Report, variant: &str, measured: &Compared, place: usize) {
    let mut entry = report.entry(SCENARIO, variant, Subject::Hookline.name());
    let median = |value| measured.median(place, value);
    entry.put("opened", median(|one| one.traffic.opened as f64), "connections");
    entry.put(
        "max_open",
        median(|one| one.traffic.max_open as f64),
        "connections",
    );
    let most = median(|one| one.traffic.max_in_flight as f64);
    entry.put("max_in_flight", most, "requests");
    let cpu = measured.ratio(place, 0, |one| one.dispatcher_us);
    entry.put("cpu_of_ordinary", cpu, "×");
}
