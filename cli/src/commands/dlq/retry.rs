//! `hookline dlq retry`: publish first, and take out of the queue only what the broker has confirmed.

use std::time::Duration;

use clap::Args;
use hookline_common::broker::{BrokerUrl, HeldReceipt, PublishFault, Publisher, Stored};
use hookline_common::settings::BrokerSettings;
use hookline_common::topology::{Namespace, Topology};
use hookline_producer::EventId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::dead_letter::DeadLetter;
use super::filter::{FilterArgs, IdFilter};
use super::kind::Kind;
use super::scan::QueueScan;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::text::escape;

/// How long one publish may take before the whole retry is given up. A dead link is noticed within 10 s (two heartbeats)
/// and another may take 10 s to open; what is left is for the confirm.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

const AFTER_HELP: &str = "\
Examples:
  hookline dlq retry evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4
  hookline dlq retry evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm
  hookline dlq retry --all
  hookline dlq retry --all --company acme --type 'booking.*' --since 2h

A dead letter becomes a fresh delivery to its endpoint, attempt 1 of the whole schedule, and leaves the queue \
only after the broker has confirmed that delivery: killed in between it is in both, and never in none.
--all takes what was there at the start; what fails again meanwhile waits for the next time.

With --queue rejected a message goes back where it was: an event to the events exchange, a delivery to its \
endpoint. One that still cannot be understood would only be rejected again, so it is left where it is and named: \
publish the event anew as it should be, and purge this one.";

const USAGE: &str = "\
hookline dlq retry <EVENT_ID>… [OPTIONS]
       hookline dlq retry --all [OPTIONS]";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub(crate) struct RetryArgs {
    /// Ids of events; all their endpoints unless --endpoint says which.
    #[arg(value_name = "EVENT_ID", conflicts_with = "all")]
    ids: Vec<EventId>,
    /// Every one that the filters let through.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

pub(crate) async fn run(args: RetryArgs, broker: &BrokerSettings) -> Result<(), CliError> {
    if args.ids.is_empty() && !args.all {
        return Err(CliError::Usage(format!(
            "it is not said what to retry; name EVENT_IDs (`hookline dlq list{flag}` has them), or give --all for every \
             one that the filters let through",
            flag = args.filter.queue.flag()
        )));
    }
    // The queue first: a namespace that is misspelt must not be created by the publisher.
    let mut scan = QueueScan::open(broker, args.filter.queue).await?;
    let retried = retry(&args, broker, &mut scan).await;
    let (given_back, unseen) = scan.give_back().await;
    let (tally, missing) = retried?;
    let kind = args.filter.queue;
    given_back.map_err(|error| match tally.retried {
        0 => error,
        retried => stopped_after(&in_both("what was retried", &error, kind), retried),
    })?;
    if let Some(fault) = tally.fault(&missing, kind, broker) {
        return Err(unseen.beside(fault));
    }
    unseen.tell();
    if !args.filter.json {
        out::note(&format!("retried {}", kind.count(tally.retried)));
    }
    Ok(())
}

async fn retry(
    args: &RetryArgs,
    broker: &BrokerSettings,
    scan: &mut QueueScan,
) -> Result<(Tally, Vec<String>), CliError> {
    let mut ids = IdFilter::new(args.ids.clone());
    let mut retrying = Retrying::start(args, broker).await?;
    while retrying.fault.is_none() {
        let (letter, held) = match scan.next().await {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(error) => {
                retrying.fault = Some(error);
                break;
            }
        };
        if args.filter.matches(&letter) && ids.accepts(&letter) {
            retrying.retry(scan, letter, held.receipt).await;
        }
    }
    let missing = ids.missing().into_iter().map(str::to_owned).collect();
    match retrying.fault {
        Some(fault) => Err(stopped_after(&fault, retrying.tally.retried)),
        None => Ok((retrying.tally, missing)),
    }
}

/// How many messages were retried, and how many could not be.
#[derive(Debug, Default)]
struct Tally {
    retried: u64,
    unreadable: u64,
}

impl Tally {
    /// What was not retried and why, if there is anything.
    fn fault(&self, missing: &[String], kind: Kind, broker: &BrokerSettings) -> Option<String> {
        let queue = broker.namespace.queue(kind.queue());
        let mut faults = Vec::new();
        if self.unreadable > 0 {
            faults.push(format!(
                "{} cannot be read and stayed in {queue}; see `hookline dlq show EVENT_ID{flag}`, publish the event \
                 anew, then `hookline dlq purge EVENT_ID{flag}`",
                kind.count(self.unreadable),
                flag = kind.flag()
            ));
        }
        if let [first, others @ ..] = missing {
            let others = if others.is_empty() {
                String::new()
            } else {
                format!(" and {} more", others.len())
            };
            faults.push(format!(
                "{first}{others} not found in {queue}; {}",
                kind.elsewhere()
            ));
        }
        if faults.is_empty() {
            return None;
        }
        if self.retried > 0 {
            faults.push(format!("retried {} besides", kind.count(self.retried)));
        }
        Some(faults.join("; "))
    }
}

struct Retrying {
    publisher: Publisher,
    namespace: Namespace,
    kind: Kind,
    tally: Tally,
    /// Why no further message is tried, once there is a reason.
    fault: Option<CliError>,
    json: bool,
    out: Out,
}

impl Retrying {
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
            kind: args.filter.queue,
            tally: Tally::default(),
            fault: None,
            json: args.filter.json,
            out: Out::new(),
        })
    }

    /// Publishes what replaces the message, then takes it out, and goes on when the broker has seen both: killed at any
    /// point, this program leaves at most one message in both queues. One that cannot be read is named and stays. Whatever
    /// else goes wrong is kept as the fault, so that it is told with what was done before.
    async fn retry(&mut self, scan: &mut QueueScan, letter: DeadLetter, receipt: HeldReceipt) {
        let line = self.line(&letter);
        let name = letter
            .event
            .clone()
            .unwrap_or_else(|| "a message without id".to_owned());
        let sent = match &letter.endpoint {
            Some(endpoint) => format!("{name} for {endpoint}"),
            None => name.clone(),
        };
        let (to, message) = match letter.again(&self.namespace, Timestamp::now()) {
            Ok(again) => again,
            Err(rejection) => {
                self.tally.unreadable += 1;
                out::error(&escape(&format!(
                    "{name} cannot be read ({rejection}) and stays in the queue"
                )));
                return;
            }
        };
        let until = Instant::now() + CONFIRM_TIMEOUT;
        let retried = match self.publisher.publish(&to, &message, Some(until)).await {
            Ok(Stored) => take_out(scan, receipt)
                .await
                .map_err(|error| in_both(&sent, &error, self.kind)),
            Err(fault) => Err(stopped(&fault)),
        };
        let told = retried.and_then(|()| {
            self.tally.retried += 1;
            Ok(self.out.line(&line)?)
        });
        self.fault = told.err();
    }

    fn line(&self, letter: &DeadLetter) -> String {
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
}

/// Takes one message out, and waits until the broker has seen it.
async fn take_out(scan: &mut QueueScan, receipt: HeldReceipt) -> Result<(), CliError> {
    scan.take_out(receipt).await?;
    scan.flush_acks().await
}

fn unreachable(fault: PublishFault, broker: &BrokerUrl) -> CliError {
    match &fault {
        PublishFault::Late {
            last: Some(error), ..
        }
        | PublishFault::Final { error, .. } => CliError::broker(error, broker),
        PublishFault::Late { last: None, .. }
        | PublishFault::Unroutable { .. }
        | PublishFault::Refused { .. } => stopped(&fault),
    }
}

/// Why no more is retried. What was not confirmed is still in its queue.
fn stopped(fault: &PublishFault) -> CliError {
    let todo = match fault {
        PublishFault::Unroutable { .. } => {
            "create the queues with `hookline topology apply`, then run it again"
        }
        PublishFault::Refused { .. } => "the message stays in the queue; then run it again",
        PublishFault::Late { .. } | PublishFault::Final { .. } => {
            "nothing is lost, and what was sent without an answer may be delivered twice; run it again"
        }
    };
    CliError::Failed(format!("{fault}; {todo}"))
}

/// Why no more is retried where something was sent and is not known to be taken out. It is named, because whoever ran this again
/// without a look would send it twice.
fn in_both(what: &str, error: &CliError, kind: Kind) -> CliError {
    CliError::Failed(format!(
        "{error}; {what} was sent and may still be in the queue, where another retry would send it twice: look whether \
         `hookline dlq list{}` still has it before you run this again",
        kind.flag()
    ))
}

/// A fault, with what was done before it.
fn stopped_after(fault: &CliError, retried: u64) -> CliError {
    CliError::Failed(format!("{fault} ({retried} were retried before)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_and_may_still_be_there_is_named_with_what_was_done_before() {
        let error = CliError::Broker("the link broke".to_owned());
        let fault = in_both("evt_1 for ep_crm", &error, Kind::Rejected);
        let told = stopped_after(&fault, 2).to_string();
        for part in [
            "the link broke; evt_1 for ep_crm was sent and may still be in the queue",
            "twice",
            "`hookline dlq list --queue rejected`",
            "(2 were retried before)",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}
