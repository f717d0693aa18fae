//! A burst for few endpoints: whether it moves as fast as their slots and their latency allow, whether it waits in `events`
//! or in `due`, after a hang, and where the receiver limits its rate.

use crate::clock::seconds_between;
use crate::error::Result;
use crate::load::Destination;
use crate::measure::{Case, Mode, measure as measure_drain};
use crate::report::stats::{greatest, least};
use crate::report::{Report, progress};
use crate::scenario::backlogged::{Backlogged, Served, measure};
use crate::scenario::limited;
use crate::sink::Behaviour;
use crate::stage::Stage;
use crate::subject::Subject;

pub(super) const SCENARIO: &str = "burst";
/// Requests to one endpoint at a time that all but one case allow: what can be reached must not depend on how far the
/// dispatcher would go by itself.
const SLOTS: u32 = 32;
/// Of a hundred requests that slots and latency allow, so many must be made.
const PART: f64 = 0.85;
/// An endpoint's whole backlog is attempted so soon after a hang, beside the time that it needs itself.
const RECOVERY_S: f64 = 20.0;
/// Milliseconds for an answer where the latency is not what varies.
const USUAL_MS: u64 = 20;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let drain = Case::new(Subject::Hookline, Mode::Drain, stage.plan.events);
    let drain_rate = measure_drain(stage, &drain).await?.rate;
    let mut parks = Vec::new();
    for (endpoints, events) in stage.plan.busy {
        let part = of_endpoints(stage, report, endpoints, events, drain_rate, &mut parks).await?;
        let name = format!("burst: {endpoints} busy, worst part of what slots ÷ latency allow");
        report.at_least(&name, part, PART);
    }
    parks.push(mountain(stage, report, drain_rate).await?);
    let name = "burst: parks a delivery, the most of any case";
    report.at_most(name, greatest(&parks), 0.3);
    by_itself(stage, report, drain_rate).await?;
    after_a_hang(stage, report).await?;
    limited::run(stage, report).await
}

/// Every latency, from both queues. The worst part of what was allowed.
async fn of_endpoints(
    stage: &mut Stage<'_>,
    report: &mut Report,
    endpoints: u32,
    events: u32,
    drain_rate: f64,
    parks: &mut Vec<f64>,
) -> Result<f64> {
    let mut parts = Vec::new();
    for destination in [Destination::Events, Destination::Due] {
        for ms in stage.plan.busy_ms {
            let what = Backlogged {
                endpoints,
                events,
                behaviour: Behaviour::After(*ms),
                destination,
                slots: Some(SLOTS),
            };
            let served = measure(stage, &what).await?;
            let variant = format!("{endpoints} busy, {events} × {ms} ms, from {}", what.queue());
            parts.push(put(report, &variant, &what, &served, drain_rate));
            parks.push(served.parks);
        }
    }
    Ok(least(&parts))
}

/// Writes it all down, and returns the part that is judged: of the operator's ceiling where the window holds so many, else
/// of what was in flight at most.
fn put(report: &mut Report, variant: &str, what: &Backlogged, served: &Served, drain_rate: f64) -> f64 {
    /// The dispatcher's window by default.
    const WINDOW: u32 = 1000;
    let ceiling = what.endpoints * what.slots.unwrap_or(SLOTS);
    let of_ceiling = served.part_of(f64::from(ceiling), drain_rate);
    let of_in_flight = served.part_of(served.traffic.max_in_flight as f64, drain_rate);
    progress(&format!(
        "burst: {variant}: {:.2} s, {of_ceiling:.2} of what {ceiling} slots allow, {:.2} parks a delivery",
        served.took_s(),
        served.parks
    ));
    let mut entry = report.entry(SCENARIO, variant, Subject::Hookline.name());
    served.put(&mut entry);
    entry.put("of_ceiling", of_ceiling, "×");
    entry.put("of_in_flight", of_in_flight, "×");
    if ceiling <= WINDOW {
        of_ceiling
    } else {
        of_in_flight
    }
}

/// Far more for one endpoint than any window holds.
async fn mountain(stage: &mut Stage<'_>, report: &mut Report, drain_rate: f64) -> Result<f64> {
    let what = Backlogged {
        endpoints: 1,
        events: stage.plan.mountain,
        behaviour: Behaviour::After(USUAL_MS),
        destination: Destination::Events,
        slots: Some(SLOTS),
    };
    let served = measure(stage, &what).await?;
    let variant = format!("1 busy, {} × {USUAL_MS} ms, from events", what.events);
    let part = put(report, &variant, &what, &served, drain_rate);
    let name = "burst: a mountain for one, part of what slots ÷ latency allow";
    report.at_least(name, part, PART);
    Ok(served.parks)
}

/// How far the dispatcher goes with an endpoint that bears everything, where nobody sets the ceiling.
async fn by_itself(stage: &mut Stage<'_>, report: &mut Report, drain_rate: f64) -> Result<()> {
    const MS: u64 = 100;
    let what = Backlogged {
        endpoints: 1,
        events: stage.plan.busy_by_itself,
        behaviour: Behaviour::After(MS),
        destination: Destination::Events,
        slots: None,
    };
    let served = measure(stage, &what).await?;
    let variant = format!("1 busy, {} × {MS} ms, slots by default", what.events);
    put(report, &variant, &what, &served, drain_rate);
    Ok(())
}

/// The receiver hangs, with the whole backlog waiting, and then answers again.
async fn after_a_hang(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (hang_ms, [(_, events), ..]) = (stage.plan.hang_ms, stage.plan.busy);
    let what = Backlogged {
        endpoints: 1,
        events,
        behaviour: Behaviour::HangFor {
            hang_ms,
            then_ms: USUAL_MS,
        },
        destination: Destination::Events,
        slots: Some(SLOTS),
    };
    let served = measure(stage, &what).await?;
    let over_ns = served.summary.first_ns + hang_ms * 1_000_000;
    let attempted_s = seconds_between(over_ns, served.summary.last_ns);
    let own_s = f64::from(events) * USUAL_MS as f64 / 1e3 / f64::from(SLOTS);
    let variant = format!("1 hung for {hang_ms} ms, then {events} × {USUAL_MS} ms");
    progress(&format!(
        "burst: {variant}: all attempted {attempted_s:.1} s after the hang, {:.2} parks a delivery",
        served.parks
    ));
    let mut entry = report.entry(SCENARIO, variant, Subject::Hookline.name());
    served.put(&mut entry);
    entry.put("attempted_in", attempted_s, "s after the hang");
    entry.put("own_time", own_s, "s");
    let name = "burst: seconds after a hang until its whole backlog is attempted, beside its own time";
    report.at_most(name, (attempted_s - own_s).max(0.0), RECOVERY_S);
    Ok(())
}
