//! `hookline dlq purge`: remove messages for good, those that are meant and no others.

use clap::Args;
use hookline_common::broker::HeldReceipt;
use hookline_common::settings::BrokerSettings;
use hookline_producer::EventId;

use super::filter::{FilterArgs, IdFilter};
use super::scan::QueueScan;
use crate::error::CliError;
use crate::out::{self, Out};

const AFTER_HELP: &str = "\
Examples:
  hookline dlq purge evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4
  hookline dlq purge --endpoint ep_gone --yes
  hookline dlq purge --queue rejected --since 2h

The queue is read first, and the question says how many messages would go; nothing goes without a yes. Without a terminal \
nobody can answer, so that --yes is needed. What is removed is gone: `hookline dlq list --json` before it keeps a copy of all \
but the data, and `hookline dlq show EVENT_ID --json` one of that too.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PurgeArgs {
    /// Ids of events; every one that the filters let through by default.
    #[arg(value_name = "EVENT_ID")]
    ids: Vec<EventId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(args: PurgeArgs, broker: &BrokerSettings) -> Result<(), CliError> {
    let kind = args.filter.queue;
    let queue = broker.namespace.queue(kind.queue());
    if !args.yes && !out::can_ask() {
        return Err(CliError::Usage(format!(
            "this removes messages of {queue} for good, and nobody is there to be asked; say --yes if that is meant"
        )));
    }
    let mut scan = QueueScan::open(broker, kind).await?;
    let mut ids = IdFilter::new(args.ids.clone());
    let purged = if args.yes {
        purge(&args, &mut scan, &mut ids).await
    } else {
        purge_if_confirmed(&args, &queue, &mut scan, &mut ids).await
    };
    let (purged, unseen) = scan.close(purged).await?;
    let mut out = Out::new();
    out.line(&if args.filter.json {
        format!("{{\"purged\":{purged}}}")
    } else {
        format!("purged {} from {queue}", kind.count(purged))
    })?;
    out.flush()?;
    match ids.missing().as_slice() {
        [] => {
            unseen.tell();
            Ok(())
        }
        missing => Err(unseen.beside(format!(
            "{} not found in {queue}; nothing of it was removed",
            missing.join(", ")
        ))),
    }
}

async fn purge(args: &PurgeArgs, scan: &mut QueueScan, ids: &mut IdFilter) -> Result<u64, CliError> {
    let mut purged = 0;
    while let Some((letter, held)) = scan.next().await? {
        if args.filter.matches(&letter) && ids.accepts(&letter) {
            scan.take_out(held.receipt).await?;
            purged += 1;
        }
    }
    Ok(purged)
}

/// Reads the whole queue before it asks, so that the question has the true count.
async fn purge_if_confirmed(
    args: &PurgeArgs,
    queue: &str,
    scan: &mut QueueScan,
    ids: &mut IdFilter,
) -> Result<u64, CliError> {
    let mut meant: Vec<HeldReceipt> = Vec::new();
    let mut seen: u64 = 0;
    while let Some((letter, held)) = scan.next().await? {
        seen += 1;
        if args.filter.matches(&letter) && ids.accepts(&letter) {
            meant.push(held.receipt);
        }
    }
    let count = meant.len() as u64;
    if count == 0 {
        return Ok(0);
    }
    let kind = args.filter.queue;
    let of = if count == seen {
        String::new()
    } else {
        format!(" of {seen}")
    };
    let question = format!("Remove {}{of} in {queue} for good?", kind.count(count));
    if !scan.ask(&question).await? {
        return Err(CliError::Failed("nothing was removed, as you said".to_owned()));
    }
    for receipt in meant {
        scan.take_out(receipt).await?;
    }
    Ok(count)
}
