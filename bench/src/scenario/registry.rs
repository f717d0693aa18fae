//! Endpoints from the console's database instead of a file: what knowing many companies takes, that known ones cost no
//! query, and that deliveries are as fast.

use crate::error::Result;
use crate::measure::{Case, Mode, SCHEDULE, alternate};
use crate::registry::Filled;
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::{Registry, Setup, Subject, Tenants};

const NAME: &str = "registry";
/// Endpoints of each of the many companies.
const ENDPOINTS: u32 = 3;
/// The number of the first of them, apart from those of the comparison.
const FIRST: u32 = 20_000;
/// The dispatcher's counter of messages that waited for the database.
const AWAITED: &str = "hookline_registry_awaited_total";
/// And of its queries.
const LOADS: &str = "hookline_registry_loads_total";
/// Their places among the cases.
const REGISTRY: usize = 0;
const FILE: usize = 1;

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let usual = Case::new(Subject::Hookline, Mode::Steady, stage.plan.events);
    let many = Setup {
        tenants: vec![Tenants {
            endpoints: ENDPOINTS,
            ..Tenants::new(
                FIRST..FIRST + stage.plan.many_endpoints,
                crate::sink::Behaviour::Now,
            )
        }],
        ..Setup::default()
    };
    let filled = Filled::with(&[usual.setup(), many.clone()], stage.settings, stage.sink.ports).await?;
    let measured = measure(stage, report, &usual, many, filled.registry()).await;
    filled.remove().await?;
    measured
}

async fn measure(
    stage: &mut Stage<'_>,
    report: &mut Report,
    usual: &Case,
    many: Setup,
    registry: Registry,
) -> Result<()> {
    memory(stage, report, many, registry.clone()).await?;
    let from_registry = Case {
        registry: Some(registry),
        ..usual.clone()
    };
    let cases = [from_registry, usual.clone()];
    let measured = alternate(
        stage,
        "endpoints from registry, file",
        stage.plan.judged_rounds,
        &cases,
    )
    .await?;
    for (from, one) in ["registry", "file"].iter().zip(measured.medians()) {
        let variant = format!("steady, 1 KB, endpoints from a {from}");
        one.put(report.entry(NAME, variant, Subject::Hookline.name()));
    }
    let name = "registry: publishing and dispatching at once, part of the rate with a file";
    report.at_least(name, measured.ratio(REGISTRY, FILE, |one| one.rate), 0.97);
    Ok(())
}

/// Every company gets an event, and then another one.
async fn memory(stage: &mut Stage<'_>, report: &mut Report, many: Setup, registry: Registry) -> Result<()> {
    let setup = Setup {
        registry: Some(registry),
        ..many
    };
    let companies = stage.plan.many_endpoints;
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let mut running = stage.start(Subject::Hookline, &setup, &namespace).await?;
    let idle_mb = running.rss_mb()?;
    let mut awaited = Vec::new();
    for _ in 0..2 {
        let order = stage.order(&namespace, companies, (FIRST, companies));
        stage.load.publish(&order).await?;
        let deliveries = u64::from(companies) * u64::from(ENDPOINTS);
        stage.all_arrived(order.run, deliveries, &mut running).await?;
        awaited.push(running.metric(AWAITED).await?);
    }
    let loaded_mb = running.rss_mb()?;
    let (first, second) = (
        awaited.first().copied().unwrap_or_default(),
        awaited.last().copied().unwrap_or_default(),
    );
    progress(&format!(
        "{companies} companies known: {:.0} MB above idle; {first:.0} messages waited for a query, then {:.0}",
        loaded_mb - idle_mb,
        second - first
    ));
    let variant = format!("{companies} companies with {ENDPOINTS} endpoints each");
    let mut entry = report.entry(NAME, variant, Subject::Hookline.name());
    entry.put("idle_rss", idle_mb, "MB");
    entry.put("loaded_rss", loaded_mb, "MB");
    entry.put("queries", running.metric(LOADS).await?, "");
    entry.put("awaited", first, "messages");
    entry.put("awaited_again", second - first, "messages");
    let name = "registry: memory with all of 10,000 companies with 3 endpoints each known, above idle in MB";
    report.at_most(name, loaded_mb - idle_mb, 100.0);
    let name = "registry: messages of known companies that waited for a query";
    report.at_most(name, second - first, 0.0);
    stage.clear(running, &namespace).await
}
