//! One measurement of what healthy endpoints notice of neighbours: a low rate to fifty healthy ones, and beside it
//! whatever the neighbours get and do.

use std::ops::Range;
use std::time::Duration;

use tokio::time::sleep;

use crate::error::{Fault, Result};
use crate::load::Order;
use crate::measure::SCHEDULE;
use crate::scenario::samples::Latencies;
use crate::sink::{Behaviour, Summary};
use crate::stage::Stage;
use crate::subject::{Running, Setup, Subject, Tenants};

/// Companies whose endpoints answer at once; the neighbours' numbers follow.
pub(super) const HEALTHY: u32 = 50;
/// How long healthy deliveries are waited for. What has not come by then counts as if it came then.
const PATIENCE: Duration = Duration::from_secs(30);

/// Neighbours, and what they get.
#[derive(Debug, Clone)]
pub(super) struct Neighbours {
    pub(super) companies: Range<u32>,
    pub(super) behaviour: Behaviour,
    /// Deliveries for them all that are there already when the measurement begins.
    pub(super) pending: u32,
    /// Events for them all in each second.
    pub(super) per_second: u32,
    /// Seconds that these events begin before the measurement.
    pub(super) lead_s: u32,
    /// `HOOKLINE_PREFETCH`, where it is not the default.
    pub(super) prefetch: Option<u32>,
    /// Whether all their endpoints are on one host, which no healthy one is on.
    pub(super) share_host: bool,
}

impl Neighbours {
    /// None that do anything.
    pub(super) fn silent(prefetch: Option<u32>) -> Self {
        Self {
            companies: HEALTHY..HEALTHY + 1,
            behaviour: Behaviour::Hang,
            pending: 0,
            per_second: 0,
            lead_s: 0,
            prefetch,
            share_host: false,
        }
    }

    fn setup(&self) -> Setup {
        let prefetch = self
            .prefetch
            .map(|window| ("HOOKLINE_PREFETCH", window.to_string()));
        Setup {
            tenants: vec![
                Tenants::new(0..HEALTHY, Behaviour::Now),
                Tenants {
                    share_host: self.share_host,
                    ..Tenants::new(self.companies.clone(), self.behaviour)
                },
            ],
            variables: prefetch.into_iter().collect(),
            ..Setup::default()
        }
    }

    /// The first of their companies, and how many they are, as an order wants it.
    pub(super) fn turn(&self) -> (u32, u32) {
        (self.companies.start, self.companies.end - self.companies.start)
    }
}

/// What healthy endpoints saw.
pub(super) struct Seen {
    pub(super) latencies: Latencies,
    /// Deliveries that had not arrived when the measurement was over.
    pub(super) missing: usize,
}

/// A dispatcher beside these neighbours, with its connections to healthy endpoints open.
pub(super) async fn begin(stage: &mut Stage<'_>, neighbours: &Neighbours) -> Result<(Running, String)> {
    let namespace = stage.new_namespace(SCHEDULE).await?;
    let mut running = stage
        .start(Subject::Hookline, &neighbours.setup(), &namespace)
        .await?;
    let warm_up = stage.trickle_order(&namespace, 1, (0, HEALTHY));
    stage.trickle.publish(&warm_up).await?;
    let count = u64::from(warm_up.count);
    stage.all_arrived(warm_up.run, count, &mut running).await?;
    Ok((running, namespace))
}

/// Healthy deliveries beside these neighbours.
pub(super) async fn measure(stage: &mut Stage<'_>, neighbours: &Neighbours) -> Result<Seen> {
    let (running, namespace) = begin(stage, neighbours).await?;
    if neighbours.pending > 0 {
        let pending = stage.order(&namespace, neighbours.pending, neighbours.turn());
        stage.load.publish(&pending).await?;
        // Where they are all taken in, good; where they hold up the queue, the healthy will show it.
        sleep(Duration::from_secs(1)).await;
    }
    let seconds = stage.plan.noisy_s;
    let fresh = stage.trickle_order(&namespace, seconds, (0, HEALTHY));
    let noise = Order {
        per_second: Some(neighbours.per_second.max(1)),
        count: neighbours.per_second * (neighbours.lead_s + seconds),
        ..stage.order(&namespace, 0, neighbours.turn())
    };
    let lead = Duration::from_secs(u64::from(neighbours.lead_s));
    tokio::try_join!(stage.load.publish(&noise), async {
        sleep(lead).await;
        stage.trickle.publish(&fresh).await
    })?;
    let seen = healthy(stage, &fresh).await?;
    stage.clear(running, &namespace).await?;
    Ok(seen)
}

/// Where not all may have come yet, at least none came twice.
pub(super) fn nothing_twice(summary: &Summary) -> Result<()> {
    let doubled = summary.duplicated + summary.accepted_again;
    if doubled == 0 && summary.forged == 0 {
        return Ok(());
    }
    Err(Fault::new(format!(
        "no numbers: {doubled} deliveries came more than once, {} bore a wrong signature",
        summary.forged
    )))
}

/// What has become of the fresh events, as far as anyone waits for them.
pub(super) async fn healthy(stage: &mut Stage<'_>, fresh: &Order) -> Result<Seen> {
    let count = u64::from(fresh.count);
    let summary = stage
        .sink
        .reached(fresh.run, PATIENCE, |summary| summary.received >= count)
        .await?;
    nothing_twice(&summary)?;
    let arrivals = stage.sink.arrivals(fresh.run).await?;
    let missing = (fresh.count as usize).saturating_sub(arrivals.len());
    let patience_ms = PATIENCE.as_secs_f64() * 1e3;
    Ok(Seen {
        latencies: Latencies::of(&arrivals).with_missing(missing, patience_ms),
        missing,
    })
}
