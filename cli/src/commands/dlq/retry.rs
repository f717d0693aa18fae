//! `hookline dlq retry`: publish first, and take out of the queue only what the broker has confirmed.

use std::time::Duration;

use hookline_common::broker::{BrokerUrl, HeldReceipt, PublishFault, Publisher, Stored};
use hookline_common::settings::BrokerSettings;
use hookline_common::topology::{Namespace, Topology};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::filter::Wanted;
use super::letter::Letter;
use super::sweep::Sweep;
use super::{RetryArgs, Which};
use crate::error::CliError;
use crate::out::{self, Out};
use crate::text::escape;

/// Publishes that wait for the broker's answer at once: as many can be in both queues if this program is
/// killed.
const MOST_IN_FLIGHT: usize = 64;
/// How long one publish may take before the whole retry is given up.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: RetryArgs, broker: &BrokerSettings) -> Result<(), CliError> {
    // The queue first: a namespace that is misspelt must not be created by the publisher.
    let mut sweep = Sweep::open(broker, args.filter.queue).await?;
    let retried = retry(&args, broker, &mut sweep).await;
    let (tally, missing) = sweep.close(retried).await?;
    let which = args.filter.queue;
    if !args.filter.json {
        out::note(&format!("retried {}", which.count(tally.retried)));
    }
    tally.into_result(&missing, which, broker)
}

async fn retry(
    args: &RetryArgs,
    broker: &BrokerSettings,
    sweep: &mut Sweep,
) -> Result<(Tally, Vec<String>), CliError> {
    let mut wanted = Wanted::new(args.ids.clone());
    let mut work = Work::start(args, broker).await?;
    while work.fault.is_none() {
        if work.in_flight.len() >= MOST_IN_FLIGHT || sweep.is_full() {
            work.settle_all(sweep).await?;
        }
        let (letter, held) = match sweep.next().await {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(error) => {
                work.fault = Some(error);
                break;
            }
        };
        if args.filter.matches(&letter) && wanted.takes(&letter) {
            work.publish(letter, held.receipt);
        }
        work.settle_finished(sweep).await?;
    }
    work.settle_all(sweep).await?;
    let missing = wanted.missing().into_iter().map(str::to_owned).collect();
    let retried = work.tally.retried;
    match work.fault {
        Some(fault) => Err(CliError::Failed(format!(
            "{fault} ({retried} were retried before)"
        ))),
        None => Ok((work.tally, missing)),
    }
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    retried: u64,
    unreadable: u64,
}

impl Tally {
    fn into_result(self, missing: &[String], which: Which, broker: &BrokerSettings) -> Result<(), CliError> {
        let queue = broker.namespace.queue(which.queue());
        let mut faults = Vec::new();
        if self.unreadable > 0 {
            faults.push(format!(
                "{} cannot be read and stayed in {queue}; see `hookline dlq show`, publish the event anew, then \
                 purge it",
                which.count(self.unreadable)
            ));
        }
        if let [first, others @ ..] = missing {
            let others = if others.is_empty() {
                String::new()
            } else {
                format!(" and {} more", others.len())
            };
            faults.push(format!(
                "{first}{others} not found in {queue}; it may be delivered, still be retried, or be filed by the \
                 console: look there"
            ));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(CliError::Failed(faults.join("; ")))
        }
    }
}

/// One message whose replacement is being published.
struct Published {
    line: String,
    receipt: HeldReceipt,
    stored: Result<Stored, PublishFault>,
}

struct Work {
    publisher: Publisher,
    namespace: Namespace,
    in_flight: JoinSet<Published>,
    tally: Tally,
    /// What made us stop. What is on its way then is still settled.
    fault: Option<CliError>,
    json: bool,
    out: Out,
}

impl Work {
    async fn start(args: &RetryArgs, broker: &BrokerSettings) -> Result<Self, CliError> {
        let topology = Topology::for_publishing(&broker.namespace);
        let publisher = Publisher::start(broker.link("hookline dlq retry"), topology);
        let url = &broker.url;
        publisher
            .connected_at_first_try()
            .await
            .map_err(|fault| unreachable(fault, url))?;
        Ok(Self {
            publisher,
            namespace: broker.namespace.clone(),
            in_flight: JoinSet::new(),
            tally: Tally::default(),
            fault: None,
            json: args.filter.json,
            out: Out::new(),
        })
    }

    /// Starts to publish what replaces the message, or names it if it cannot be read.
    fn publish(&mut self, letter: Letter, receipt: HeldReceipt) {
        let line = self.line(&letter);
        let name = letter
            .event
            .clone()
            .unwrap_or_else(|| "a message without id".to_owned());
        match letter.again(&self.namespace, Timestamp::now()) {
            Err(rejection) => {
                self.tally.unreadable += 1;
                out::error(&escape(&format!(
                    "{name} cannot be read ({rejection}) and stays in the queue; look at it with \
                     `hookline dlq show`"
                )));
            }
            Ok((to, message)) => {
                let publisher = self.publisher.clone();
                let deadline = Instant::now() + PATIENCE;
                self.in_flight.spawn(async move {
                    let stored = publisher.publish(&to, &message, Some(deadline)).await;
                    Published {
                        line,
                        receipt,
                        stored,
                    }
                });
            }
        }
    }

    fn line(&self, letter: &Letter) -> String {
        if self.json {
            return letter.to_json(None);
        }
        let text = |mark: &Option<String>| mark.as_deref().map(escape);
        let event = text(&letter.event).unwrap_or_default();
        text(&letter.endpoint).map_or_else(
            || format!("retried {event}"),
            |endpoint| format!("retried {event} for {endpoint}"),
        )
    }

    /// Takes out of the queue what is confirmed by now.
    async fn settle_finished(&mut self, sweep: &mut Sweep) -> Result<(), CliError> {
        while let Some(joined) = self.in_flight.try_join_next() {
            self.settle(sweep, joined).await?;
        }
        Ok(())
    }

    /// Waits for everything that is on its way.
    async fn settle_all(&mut self, sweep: &mut Sweep) -> Result<(), CliError> {
        while let Some(joined) = self.in_flight.join_next().await {
            self.settle(sweep, joined).await?;
        }
        Ok(())
    }

    async fn settle(
        &mut self,
        sweep: &mut Sweep,
        joined: Result<Published, tokio::task::JoinError>,
    ) -> Result<(), CliError> {
        let published = joined
            .map_err(|error| CliError::Failed(format!("a publish broke off: {error}; run it again")))?;
        match published.stored {
            Ok(Stored) => {
                sweep.take_out(published.receipt).await?;
                self.tally.retried += 1;
                self.out.line_if_read(&published.line)?;
            }
            Err(fault) => drop(self.fault.get_or_insert_with(|| stopped(&fault))),
        }
        Ok(())
    }
}

fn unreachable(fault: PublishFault, broker: &BrokerUrl) -> CliError {
    match &fault {
        PublishFault::Late {
            last: Some(error), ..
        }
        | PublishFault::Final { error, .. } => CliError::broker(error, broker),
        PublishFault::Late { last: None, .. } | PublishFault::Unroutable { .. } => stopped(&fault),
    }
}

/// Why no more is retried. What was not confirmed is still in its queue.
fn stopped(fault: &PublishFault) -> CliError {
    let todo = match fault {
        PublishFault::Unroutable { .. } => {
            "create the queues with `hookline topology apply`, then run it again"
        }
        PublishFault::Late { .. } | PublishFault::Final { .. } => {
            "nothing is lost, and what was sent without an answer may be delivered twice; run it again"
        }
    };
    CliError::Failed(format!("{fault}; {todo}"))
}
