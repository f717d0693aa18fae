//! One measurement of throughput, and comparisons in alternation.

use std::time::Duration;

use hookline_common::topology::{Namespace, PARK_DELAYS, Queue};
use tokio::time::sleep;

use crate::clock::seconds_between;
use crate::error::{Context as _, Result};
use crate::load::{Order, Payload};
use crate::measured::{Compared, Measured};
use crate::report::progress;
use crate::sink::{Behaviour, Summary, Traffic};
use crate::stage::{Cpu, Stage};
use crate::subject::{Registry, Running, Setup, Subject, Tenants};

/// Requests to a hung endpoint that are under way while the rest for it is parked: the dispatcher's default bound.
const MOST_IN_FLIGHT: u32 = 32;
/// How long deliveries may take to be parked.
const PARK_TIME: Duration = Duration::from_secs(60);

/// What the retries of nobody in particular are set to.
pub(crate) const SCHEDULE: &str = "1m,5m,30m";

/// When the events are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// While they are dispatched. The time runs from the first publish to the last arrival.
    Steady,
    /// All of them before the subject starts. The time runs from the first arrival to the last.
    Drain,
}

/// What is measured.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) subject: Subject,
    pub(crate) mode: Mode,
    pub(crate) events: u32,
    pub(crate) payload: Payload,
    pub(crate) companies: u32,
    /// Endpoints of each company: so many deliveries come of an event.
    pub(crate) endpoints: u32,
    /// Deliveries that wait for one more company's endpoint, which hangs, before the time begins.
    pub(crate) parked: u32,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// In traces of which one of so many is collected; in none where it is not given.
    pub(crate) collected: Option<u32>,
    /// Where the endpoints are read, instead of a file.
    pub(crate) registry: Option<Registry>,
    pub(crate) replicas: usize,
    pub(crate) tls: bool,
    /// Whether all endpoints are on one host.
    pub(crate) share_host: bool,
    /// What the endpoints do.
    pub(crate) behaviour: Behaviour,
    /// Whether system calls and wake-ups are counted, which takes time.
    pub(crate) is_counted: bool,
}

impl Case {
    /// The usual: 1 KB, a hundred companies with an endpoint each.
    pub(crate) fn new(subject: Subject, mode: Mode, events: u32) -> Self {
        Self {
            subject,
            mode,
            events,
            payload: Payload::Bytes(1024),
            companies: 100,
            endpoints: 1,
            parked: 0,
            variables: Vec::new(),
            collected: None,
            registry: None,
            replicas: 1,
            tls: false,
            share_host: false,
            behaviour: Behaviour::Now,
            is_counted: false,
        }
    }

    pub(crate) fn setup(&self) -> Setup {
        let healthy = Tenants {
            endpoints: self.endpoints,
            share_host: self.share_host,
            ..Tenants::new(0..self.companies, self.behaviour)
        };
        Setup {
            tenants: vec![
                healthy,
                Tenants::new(self.companies..self.companies + 1, Behaviour::Hang),
            ],
            variables: self.variables.clone(),
            registry: self.registry.clone(),
            replicas: self.replicas,
            tls: self.tls,
            is_counted: self.is_counted,
        }
    }
}

/// Measures all cases by turns, A B B A, so that a machine that changes its pace changes it for all of them.
///
/// # Errors
/// A measurement fails: what is left of a comparison would compare nothing.
pub(crate) async fn alternate(
    stage: &mut Stage<'_>,
    what: &str,
    rounds: usize,
    cases: &[Case],
) -> Result<Compared> {
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); cases.len()];
    for round in 1..=rounds {
        // To and fro: what comes before a measurement is not without influence on it.
        for turn in 0..cases.len() {
            let place = if round % 2 == 1 {
                turn
            } else {
                cases.len() - 1 - turn
            };
            let (Some(case), Some(measured)) = (cases.get(place), measured.get_mut(place)) else {
                continue;
            };
            let one = measure(stage, case).await?;
            progress(&format!(
                "{what}, round {round}: {} {:.0}/s, {:.1} µs of CPU a delivery",
                case.subject.name(),
                one.rate,
                one.dispatcher_us
            ));
            measured.push(one);
        }
    }
    Ok(Compared(measured))
}

/// One measurement, in a namespace of its own.
///
/// # Errors
/// Something is lost, doubled or forged, or a process fails.
pub(crate) async fn measure(stage: &mut Stage<'_>, case: &Case) -> Result<Measured> {
    let namespace = match case.subject {
        // Two builds both have worked there before: what a broker does for a dispatcher that is new to it is a tenth of what it does
        // for a drain.
        Subject::Baseline => stage.new_namespace_of(case.subject, &case.setup()).await?,
        Subject::Hookline if stage.compares_builds() => {
            stage.new_namespace_of(case.subject, &case.setup()).await?
        }
        Subject::Hookline | Subject::FloorBare | Subject::FloorReqwest => {
            stage.new_namespace(SCHEDULE).await?
        }
    };
    let (mut running, measured, requests) = match case.mode {
        Mode::Steady => steady(stage, case, &namespace).await?,
        Mode::Drain => drain(stage, case, &namespace).await?,
    };
    let counts = running.counts().await?;
    let measured = Measured {
        traffic: stage.sink.traffic().await?,
        // They count from the start of the program, and so the warm-up is among them.
        counts: counts.map(|counts| counts.for_each_of(requests)),
        ..measured
    };
    stage.clear(running, &namespace).await?;
    Ok(measured)
}

async fn steady(stage: &mut Stage<'_>, case: &Case, namespace: &str) -> Result<(Running, Measured, f64)> {
    let mut running = stage.start(case.subject, &case.setup(), namespace).await?;
    let companies = (0, case.companies);
    let warm_up = stage.order(namespace, stage.plan.warm_up, companies);
    let warm_up = Order {
        collected: case.collected,
        ..warm_up
    };
    stage.load.publish(&warm_up).await?;
    stage
        .all_arrived(warm_up.run, deliveries(case, warm_up.count), &mut running)
        .await?;
    if case.parked > 0 {
        park(stage, case.parked, case.companies, namespace).await?;
    }
    let order = stage.order(namespace, case.events, companies);
    let order = Order {
        payload: case.payload,
        collected: case.collected,
        ..order
    };
    let (cpu, of_subject) = (stage.cpu()?, running.cpu_seconds()?);
    stage.load.publish(&order).await?;
    let summary = stage
        .all_arrived(order.run, deliveries(case, case.events), &mut running)
        .await?;
    let since_ns = summary.first_published_ns;
    let measured = conclude(
        stage,
        case,
        &running,
        (order.run, &summary),
        since_ns,
        (cpu, of_subject),
    )
    .await?;
    let requests = deliveries(case, case.events + warm_up.count) as f64;
    Ok((running, measured, requests))
}

/// Publishes `count` events for a company whose endpoint hangs, and waits until they are parked.
///
/// # Errors
/// They are not parked in time.
pub(crate) async fn park(stage: &mut Stage<'_>, count: u32, company: u32, namespace: &str) -> Result<()> {
    let order = stage.order(namespace, count, (company, 1));
    stage.load.publish(&order).await?;
    let namespace = Namespace::parse(namespace).context("the namespace")?;
    let parked = PARK_DELAYS.map(|delay| namespace.queue(Queue::Park(delay)));
    let most = count.saturating_sub(MOST_IN_FLIGHT);
    stage.depth.reached(&parked, most, PARK_TIME).await
}

/// The subject's CPU counts from its start, since it begins with the work.
async fn drain(stage: &mut Stage<'_>, case: &Case, namespace: &str) -> Result<(Running, Measured, f64)> {
    let order = stage.order(namespace, case.events, (0, case.companies));
    let order = Order {
        payload: case.payload,
        collected: case.collected,
        ..order
    };
    stage.load.publish(&order).await?;
    // Let the broker finish what it does after the last confirm.
    sleep(Duration::from_millis(500)).await;
    let cpu = stage.cpu()?;
    let mut running = stage.start(case.subject, &case.setup(), namespace).await?;
    let summary = stage
        .all_arrived(order.run, deliveries(case, case.events), &mut running)
        .await?;
    let since_ns = summary.first_ns;
    let measured = conclude(stage, case, &running, (order.run, &summary), since_ns, (cpu, 0.0)).await?;
    Ok((running, measured, deliveries(case, case.events) as f64))
}

/// Floors know no endpoints: one delivery comes of an event.
fn deliveries(case: &Case, events: u32) -> u64 {
    let each = match case.subject {
        Subject::Hookline | Subject::Baseline => case.endpoints,
        Subject::FloorBare | Subject::FloorReqwest => 1,
    };
    u64::from(events) * u64::from(each)
}

async fn conclude(
    stage: &mut Stage<'_>,
    case: &Case,
    running: &Running,
    (run, summary): (u32, &Summary),
    since_ns: u64,
    (before, subject_before): (Cpu, f64),
) -> Result<Measured> {
    let after = stage.cpu()?;
    let used = running.cpu_seconds()? - subject_before;
    let most = (summary.received * 19).div_ceil(20);
    let most_ns = stage.sink.reached_at(run, most).await?;
    let rate = |count: u64, until_ns| count as f64 / seconds_between(since_ns, until_ns).max(1e-6);
    let count = deliveries(case, case.events) as f64;
    let each = |seconds: f64| seconds * 1e6 / count;
    let broker = after.broker.zip(before.broker);
    Ok(Measured {
        rate: rate(summary.received, summary.last_ns),
        rate_95: rate(most, most_ns),
        dispatcher_us: each(used),
        broker_us: broker.map(|(after, before)| each(after - before)),
        producer_us: each(after.producer - before.producer),
        sink_us: each(after.sink - before.sink),
        peak_rss_mb: running.peak_rss_mb()?,
        traffic: Traffic::default(),
        counts: None,
    })
}
