//! What all scenarios share: the sink, the generators, the broker, and the numbers that keep their runs apart.

use std::time::Duration;

use hookline_common::schedule::RetrySchedule;
use hookline_common::topology::{Namespace, Topology};
use tokio::time::{Instant, sleep};

use crate::amqp;
use crate::broker::Broker;
use crate::error::{Context as _, Fault, Result};
use crate::helpers::{Depth, Generator, Sink};
use crate::load::{Destination, Order, Payload};
use crate::machine;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::sink::Summary;
use crate::subject::{Running, Setup, Subject};

/// How long nothing may arrive before the rest counts as lost.
const STALL: Duration = Duration::from_secs(30);

/// Everything but who is measured.
pub(crate) struct Stage<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) broker: &'a Broker,
    pub(crate) plan: &'static Plan,
    pub(crate) sink: Sink,
    /// Publishes what is measured, or what disturbs.
    pub(crate) load: Generator,
    /// Publishes fresh events at a low rate beside it, undisturbed.
    pub(crate) trickle: Generator,
    pub(crate) depth: Depth,
    broker_pid: Option<u32>,
    runs: u32,
    namespaces: u32,
}

/// CPU seconds of everybody but the subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) broker: Option<f64>,
    pub(crate) producer: f64,
    pub(crate) sink: f64,
}

impl<'a> Stage<'a> {
    /// Starts sink and generators.
    ///
    /// # Errors
    /// One of them does not start, or the broker does not answer.
    pub(crate) async fn open(
        settings: &'a Settings,
        broker: &'a Broker,
        plan: &'static Plan,
    ) -> Result<Self> {
        Ok(Self {
            settings,
            broker,
            plan,
            sink: Sink::start(settings).await?,
            load: Generator::start("load", settings).await?,
            trickle: Generator::start("trickle", settings).await?,
            depth: Depth::open(settings).await?,
            broker_pid: broker.pid().await?,
            runs: 0,
            namespaces: 0,
        })
    }

    /// A namespace with its queues, made for this retry schedule.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) async fn new_namespace(&mut self, schedule: &str) -> Result<String> {
        let name = self.next_namespace();
        let namespace = Namespace::parse(&name).context("the namespace")?;
        let schedule: RetrySchedule = schedule.parse().context("the schedule")?;
        amqp::set_up(&self.settings.amqp_url, &Topology::whole(&namespace, &schedule)).await?;
        Ok(name)
    }

    /// Whether another build is measured beside this one.
    pub(crate) fn compares_builds(&self) -> bool {
        self.settings.baseline.is_some()
    }

    /// A namespace whose queues are made by the subject itself, as another build may want other queues than this one.
    ///
    /// # Errors
    /// The subject does not start or end.
    pub(crate) async fn new_namespace_of(&mut self, subject: Subject, setup: &Setup) -> Result<String> {
        let name = self.next_namespace();
        self.start(subject, setup, &name).await?.stop().await?;
        Ok(name)
    }

    fn next_namespace(&mut self) -> String {
        self.namespaces += 1;
        self.broker.namespace(self.namespaces)
    }

    /// Starts a subject on a namespace.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(&self, subject: Subject, setup: &Setup, namespace: &str) -> Result<Running> {
        Running::start(subject, setup, namespace, self.settings, self.sink.ports).await
    }

    /// Ends a subject and deletes what it worked on.
    ///
    /// # Errors
    /// The process or its queues do not go.
    pub(crate) async fn clear(&mut self, running: Running, namespace: &str) -> Result<()> {
        running.stop().await?;
        self.broker.delete_namespace(namespace).await?;
        self.sink.forget().await
    }

    /// An order for events of this run's own number.
    pub(crate) fn order(&mut self, namespace: &str, count: u32, companies: (u32, u32)) -> Order {
        self.runs += 1;
        Order {
            run: self.runs,
            namespace: namespace.to_owned(),
            count,
            payload: Payload::Bytes(1024),
            per_second: None,
            companies,
            into: Destination::Events,
            collected: None,
        }
    }

    /// An order for `seconds` of fresh events at the rate at which latency is measured.
    pub(crate) fn trickle_order(&mut self, namespace: &str, seconds: u32, companies: (u32, u32)) -> Order {
        let per_second = self.plan.per_second;
        Order {
            per_second: Some(per_second),
            ..self.order(namespace, seconds * per_second, companies)
        }
    }

    /// Waits for all `count` requests of a run, and makes sure that each came once and was signed.
    ///
    /// # Errors
    /// Something is missing, came twice, or bears a wrong signature: then no number of this run means anything.
    pub(crate) async fn all_arrived(
        &mut self,
        run: u32,
        count: u64,
        running: &mut Running,
    ) -> Result<Summary> {
        self.all_arrived_within(run, count, running, STALL).await
    }

    /// The same, where nothing may arrive for as long as `stall` between two of them.
    ///
    /// # Errors
    /// As [`Self::all_arrived`].
    pub(crate) async fn all_arrived_within(
        &mut self,
        run: u32,
        count: u64,
        running: &mut Running,
        stall: Duration,
    ) -> Result<Summary> {
        let (mut progress, mut since) = (0, Instant::now());
        loop {
            running.are_alive()?;
            let summary = self.sink.summary(run).await?;
            if summary.received >= count {
                break;
            }
            if summary.received > progress {
                (progress, since) = (summary.received, Instant::now());
            }
            if since.elapsed() >= stall {
                return check(&summary, count).map(|()| summary);
            }
            sleep(Duration::from_millis(25)).await;
        }
        // Whatever comes twice comes soon; and what is acknowledged or recorded afterwards is part of the cost.
        sleep(Duration::from_millis(300)).await;
        let summary = self.sink.summary(run).await?;
        check(&summary, count)?;
        Ok(summary)
    }

    /// What everybody but the subject has used so far.
    ///
    /// # Errors
    /// One of them is gone.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        let (load, trickle) = (self.load.child(), self.trickle.child());
        Ok(Cpu {
            broker: self.broker_pid.map(machine::cpu_seconds).transpose()?,
            producer: load.cpu_seconds()? + trickle.cpu_seconds()?,
            sink: self.sink.child().cpu_seconds()?,
        })
    }
}

/// Whether every delivery came exactly once and genuine.
fn check(summary: &Summary, count: u64) -> Result<()> {
    let Summary {
        received,
        duplicated,
        accepted_again,
        verified,
        forged,
        ..
    } = summary;
    let doubled = duplicated + accepted_again;
    if *received == count && doubled == 0 && *forged == 0 && *verified > 0 {
        return Ok(());
    }
    Err(Fault::new(format!(
        "no numbers: of {count} deliveries {received} arrived, {doubled} more than once; \
         of {} signatures checked {forged} were wrong",
        verified + forged
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_be_missing_doubled_or_forged() {
        let good = Summary {
            received: 10,
            verified: 1,
            ..Summary::default()
        };
        assert!(check(&good, 10).is_ok());
        for bad in [
            Summary {
                received: 9,
                ..good.clone()
            },
            Summary {
                received: 11,
                ..good.clone()
            },
            Summary {
                duplicated: 1,
                ..good.clone()
            },
            Summary {
                accepted_again: 1,
                ..good.clone()
            },
            Summary {
                forged: 1,
                ..good.clone()
            },
            Summary {
                verified: 0,
                ..good.clone()
            },
        ] {
            assert!(check(&bad, 10).is_err(), "{bad:?}");
        }
    }
}
