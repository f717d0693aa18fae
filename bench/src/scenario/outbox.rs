//! The outbox: how many committed events a relay publishes and sees confirmed, with booking service, database, broker and relay
//! on the same processors; and how much later than its commit an event is in its queue at a low rate. Nobody delivers meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::child::Child;
use crate::clock::{now_ns, seconds_between};
use crate::error::{Context as _, Fault, Result};
use crate::measure::SCHEDULE;
use crate::outbox::{Arrivals, Commits, commit, relay, relay_sleeps};
use crate::registry::Filled;
use crate::report::stats::{greatest, median, percentile};
use crate::report::{Report, progress};
use crate::stage::Stage;

pub(super) const NAME: &str = "outbox";
/// Events a second from commit to confirm, on two processors.
const RATE: f64 = 5_000.0;
/// Milliseconds from commit to the queue, at 100 events a second.
const P99_MS: f64 = 50.0;
/// Connections of the booking service, each with one transaction at a time.
const CONNECTIONS: u32 = 16;
/// Events of a transaction, where it has many.
const TOGETHER: u32 = 10;
/// How often the queue is asked how many it holds, which costs it little.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long nothing may be published.
const STALL: Duration = Duration::from_secs(30);

pub(super) async fn run(stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let mut place = Place::new(stage).await?;
    let measured = measure(&mut place, stage, report).await;
    place.filled.remove().await?;
    measured
}

async fn measure(place: &mut Place, stage: &mut Stage<'_>, report: &mut Report) -> Result<()> {
    let mut waiting = Rates::default();
    let mut steady = [(1, Rates::default()), (TOGETHER, Rates::default())];
    let (mut p50s, mut p99s, mut most) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=stage.plan.rounds {
        waiting.add(place.drain(stage).await?);
        for (together, rates) in &mut steady {
            rates.add(place.steady(stage, *together).await?);
        }
        let late = place.latencies(stage).await?;
        p50s.push(percentile(&late, 50.0));
        p99s.push(percentile(&late, 99.0));
        most.push(greatest(&late));
        progress(&format!(
            "{NAME}, round {round}: {waiting}; beside the service {}, in tens {}; p50 {:.2} ms, p99 {:.2} ms",
            steady[0].1,
            steady[1].1,
            p50s.last().copied().unwrap_or_default(),
            p99s.last().copied().unwrap_or_default(),
        ));
    }
    waiting.put(report, format!("{} events wait, 1 KB", stage.plan.events));
    for (together, rates) in &steady {
        rates.put(report, format!("steady, 1 KB, {together} a transaction"));
    }
    let p99 = median(&p99s);
    let mut entry = report.entry(NAME, format!("{} events/s", stage.plan.per_second), "hookline");
    entry.put("p50", median(&p50s), "ms");
    entry.put("p99", p99, "ms");
    entry.put("max", median(&most), "ms");
    report.at_least(
        "outbox: events a second that were waiting",
        median(&waiting.rates),
        RATE,
    );
    report.at_least(
        "outbox: events a second from commit to confirm, beside the service that commits them, in tens",
        median(&steady[1].1.rates),
        RATE,
    );
    report.at_most(
        "outbox: p99 from commit to queue at 100 events/s in ms",
        p99,
        P99_MS,
    );
    Ok(())
}

/// What came of some rounds.
#[derive(Default)]
struct Rates {
    rates: Vec<f64>,
    cpus_us: Vec<f64>,
}

impl Rates {
    fn add(&mut self, (rate, cpu_us): (f64, f64)) {
        self.rates.push(rate);
        self.cpus_us.push(cpu_us);
    }

    fn put(&self, report: &mut Report, variant: String) {
        let mut entry = report.entry(NAME, variant, "hookline");
        entry.put("rate", median(&self.rates), "events/s");
        entry.put("cpu_relay", median(&self.cpus_us), "µs/event");
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} events/s ({:.0} µs of the relay's CPU each)",
            self.rates.last().copied().unwrap_or_default(),
            self.cpus_us.last().copied().unwrap_or_default()
        )
    }
}

/// The database of a booking service.
struct Place {
    filled: Filled,
    database: String,
    runs: u32,
}

/// A relay with a namespace of its own.
struct Relaying {
    relay: Child,
    namespace: String,
}

impl Place {
    async fn new(stage: &Stage<'_>) -> Result<Self> {
        let filled = Filled::with(&[], stage.settings, stage.sink.ports).await?;
        // A booking is on the disk when it is confirmed, and its event with it.
        let durable = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET synchronous_commit', current_database()); END $$";
        filled.execute(durable).await?;
        for sql in hookline_producer::outbox::MIGRATIONS {
            filled.execute(sql).await?;
        }
        Ok(Self {
            database: filled.registry().database_url,
            filled,
            runs: 0,
        })
    }

    async fn begin(&mut self, stage: &mut Stage<'_>) -> Result<String> {
        self.runs += 1;
        stage.new_namespace(SCHEDULE).await
    }

    fn commits(&self, count: u32, together: u32) -> Commits {
        Commits {
            run: self.runs,
            count,
            connections: CONNECTIONS,
            together,
            per_second: None,
        }
    }

    /// How many events a second a relay publishes that wait, and its CPU for each in microseconds.
    async fn drain(&mut self, stage: &mut Stage<'_>) -> Result<(f64, f64)> {
        let namespace = self.begin(stage).await?;
        let count = stage.plan.events;
        commit(&self.database, self.commits(count, 100)).await?;
        let relay = relay(stage.settings, &namespace, &self.database)?;
        let mut relaying = Relaying { relay, namespace };
        let first = relaying.reached(stage, 1).await?;
        let (before, cpu_before) = (relaying.holds(stage).await?, relaying.relay.cpu_seconds()?);
        let last = relaying.reached(stage, count).await?;
        let cpu = relaying.relay.cpu_seconds()? - cpu_before;
        self.end(stage, relaying, count).await?;
        let published = f64::from(count.saturating_sub(before).max(1));
        let seconds = seconds_between(first, last).max(1e-3);
        Ok((published / seconds, cpu * 1e6 / published))
    }

    /// The same of events that are committed meanwhile: from the first commit to the last confirm.
    async fn steady(&mut self, stage: &mut Stage<'_>, together: u32) -> Result<(f64, f64)> {
        let mut relaying = self.asleep(stage).await?;
        let count = stage.plan.events;
        let cpu_before = relaying.relay.cpu_seconds()?;
        let committed = commit(&self.database, self.commits(count, together)).await?;
        let last = relaying.reached(stage, count).await?;
        let cpu = relaying.relay.cpu_seconds()? - cpu_before;
        self.end(stage, relaying, count).await?;
        let first = committed.iter().copied().min().unwrap_or(last);
        let rate = f64::from(count) / seconds_between(first, last).max(1e-3);
        Ok((rate, cpu * 1e6 / f64::from(count)))
    }

    /// Milliseconds from each commit to the event's arrival from its queue, at a low rate.
    async fn latencies(&mut self, stage: &mut Stage<'_>) -> Result<Vec<f64>> {
        let relaying = self.asleep(stage).await?;
        let (per_second, seconds) = (stage.plan.per_second, stage.plan.latency_s);
        let count = per_second * seconds;
        let queue = format!("{}.events", relaying.namespace);
        let arrivals = Arrivals::of(&stage.settings.amqp_url, &queue).await?;
        let commits = Commits {
            per_second: Some(per_second),
            ..self.commits(count, 1)
        };
        let (committed, arrived) = tokio::try_join!(
            commit(&self.database, commits),
            arrivals.first_of(self.runs, count)
        )?;
        self.end(stage, relaying, 0).await?;
        let pairs = committed.iter().zip(&arrived);
        Ok(pairs
            .map(|(from, to)| seconds_between(*from, *to) * 1e3)
            .collect())
    }

    /// A relay that waits to be woken.
    async fn asleep(&mut self, stage: &mut Stage<'_>) -> Result<Relaying> {
        let namespace = self.begin(stage).await?;
        let mut relay = relay(stage.settings, &namespace, &self.database)?;
        relay_sleeps(&self.database, &mut relay).await?;
        Ok(Relaying { relay, namespace })
    }

    /// Ends a relay that has left nothing, and published nothing twice.
    async fn end(&self, stage: &mut Stage<'_>, mut relaying: Relaying, count: u32) -> Result<()> {
        let since = Instant::now();
        while self
            .filled
            .texts("SELECT count(*)::text FROM hookline_outbox")
            .await?
            != ["0"]
        {
            relaying.relay.is_alive()?;
            if since.elapsed() > STALL {
                return Err(Fault::new("no numbers: events are left in the outbox"));
            }
            sleep(LOOK_EVERY).await;
        }
        let holds = relaying.holds(stage).await?;
        relaying.relay.kill().await?;
        stage.broker.delete_namespace(&relaying.namespace).await?;
        if holds == count {
            Ok(())
        } else {
            Err(Fault::new(format!(
                "no numbers: of {count} events {holds} lie in the queue"
            )))
        }
    }
}

impl Relaying {
    async fn holds(&self, stage: &Stage<'_>) -> Result<u32> {
        stage.depth.waiting(&format!("{}.events", self.namespace)).await
    }

    /// Waits until the queue holds so many, and tells when it did.
    async fn reached(&mut self, stage: &Stage<'_>, count: u32) -> Result<u64> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            self.relay.is_alive()?;
            let holds = self.holds(stage).await.context("the events queue")?;
            if holds >= count {
                return Ok(now_ns());
            }
            if holds > last {
                (last, since) = (holds, Instant::now());
            } else if since.elapsed() > STALL {
                return Err(Fault::new(format!(
                    "no numbers: {holds} of {count} events are published"
                )));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
