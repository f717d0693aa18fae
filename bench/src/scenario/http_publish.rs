//! Events over HTTP: how many a console accepts, each confirmed by the broker, with console, broker and generator on the same
//! processors; and how long one takes at a low rate. Nobody delivers meanwhile.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::broker::http_client;
use crate::child::{Child, Helper};
use crate::clock::seconds_between;
use crate::error::{Context as _, Fault, Result};
use crate::http_load::{Accepted, HttpOrder};
use crate::measure::SCHEDULE;
use crate::report::stats::median;
use crate::report::{Report, progress};
use crate::stage::Stage;
use crate::subject::{Registry, free_port};

pub(super) const NAME: &str = "http-publish";
/// Connections that publish at once, as those of a few services.
const CONNECTIONS: u32 = 64;
/// Connections where latency is measured: one that is late must not hold back the next event.
const CALM_CONNECTIONS: u32 = 8;
/// Accepted events a second, on two processors.
const RATE: f64 = 6_000.0;
/// Milliseconds to the answer, at 100 events a second.
const P99_MS: f64 = 6.0;
/// The operator's token, for which no database is asked. A company's is known for seconds, so that it costs the same.
pub(super) const TOKEN: &str = "bench-admin-token-0123456789";
/// How long the console may take to listen, and one order to be carried out.
const START_TIME: Duration = Duration::from_secs(30);
const ORDER_TIME: Duration = Duration::from_secs(180);

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let (mut rates, mut cpus, mut p50s, mut p99s) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=stage.plan.rounds {
        let one = measure(stage).await?;
        progress(&format!(
            "{NAME}, round {round}: {:.0} events/s, {:.0} µs of CPU each; p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            one.rate, one.cpu_us, one.calm.p50_ms, one.calm.p99_ms, one.calm.max_ms
        ));
        rates.push(one.rate);
        cpus.push(one.cpu_us);
        p50s.push(one.calm.p50_ms);
        p99s.push(one.calm.p99_ms);
    }
    let (rate, p99) = (median(&rates), median(&p99s));
    let mut entry = report.entry(NAME, format!("{CONNECTIONS} connections, 1 KB"), "hookline");
    entry.put("rate", rate, "events/s");
    entry.put("cpu_console", median(&cpus), "µs/event");
    let mut entry = report.entry(NAME, format!("{} events/s", stage.plan.per_second), "hookline");
    entry.put("p50", median(&p50s), "ms");
    entry.put("p99", p99, "ms");
    report.at_least("http-publish: single events accepted a second", rate, RATE);
    report.at_most("http-publish: p99 at 100 events/s in ms", p99, P99_MS);
    Ok(())
}

struct Measured {
    rate: f64,
    cpu_us: f64,
    calm: Accepted,
}

async fn measure(stage: &mut Stage<'_>) -> Result<Measured> {
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut console = start(stage, &namespace, &address, None).await?;
    let log = stage.settings.folder.join("load.log");
    let mut load = Helper::start("http-load", &["http-load"], &log)?;
    load.started::<()>().await?;
    let mut published = 0;
    let mut order = async |count: u32, connections: u32, per_second: Option<u32>| -> Result<Accepted> {
        published += count;
        let order = HttpOrder {
            // Each order has ids of its own: the number of those before it tells them apart.
            run: published,
            address: address.clone(),
            token: TOKEN.to_owned(),
            count,
            connections,
            per_second,
        };
        load.ask(&order, ORDER_TIME).await
    };
    let plan = stage.plan;
    order(plan.warm_up, CONNECTIONS, None).await?;
    let before = console.cpu_seconds()?;
    let busy = order(plan.events, CONNECTIONS, None).await?;
    let cpu_us = (console.cpu_seconds()? - before) * 1e6 / f64::from(plan.events);
    // The first second opens connections, and does not count.
    order(plan.per_second, CALM_CONNECTIONS, Some(plan.per_second)).await?;
    let count = plan.per_second * plan.latency_s;
    let calm = order(count, CALM_CONNECTIONS, Some(plan.per_second)).await?;
    // What was accepted is there.
    let queue = format!("{namespace}.events");
    let waiting = stage.depth.waiting(&queue).await?;
    console.is_alive()?;
    console.kill().await?;
    load.into_child().kill().await?;
    stage.broker.delete_namespace(&namespace).await?;
    if waiting != published {
        let text = format!("no numbers: of {published} accepted events {waiting} lie in the queue");
        return Err(Fault::new(text));
    }
    Ok(Measured {
        rate: f64::from(plan.events) / seconds_between(busy.first_ns, busy.last_ns).max(1e-6),
        cpu_us,
        calm,
    })
}

/// A console with this database; where it is given none, it has none, which the operator's events do not need.
pub(super) async fn start(
    stage: &Stage<'_>,
    namespace: &str,
    address: &str,
    registry: Option<&Registry>,
) -> Result<Child> {
    let nowhere = Registry {
        database_url: "postgres://nobody@127.0.0.1:1/none".to_owned(),
        master_key: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
    };
    let registry = registry.unwrap_or(&nowhere);
    let program = stage.settings.dispatcher.with_file_name("hookline-console");
    let mut command = Command::new(&program);
    command
        .env_clear()
        .env("HOOKLINE_AMQP_URL", &stage.settings.amqp_url)
        .env("HOOKLINE_NAMESPACE", namespace)
        .env("HOOKLINE_HTTP_ADDR", address)
        .env("HOOKLINE_DATABASE_URL", &registry.database_url)
        .env("HOOKLINE_MASTER_KEY", &registry.master_key)
        .env("HOOKLINE_ADMIN_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let log = stage.settings.folder.join("console.log");
    let mut console = Child::spawn("the console", command, &log)?;
    let (client, since) = (http_client()?, Instant::now());
    let url = format!("http://{address}/healthz");
    while since.elapsed() < START_TIME {
        console.is_alive()?;
        let answer = client.get(&url).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(console);
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(Fault::new("the console does not listen")).context(program.display())
}
