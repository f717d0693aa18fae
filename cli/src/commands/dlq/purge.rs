//! `hookline dlq purge`: remove messages for good, those that are meant and no others.

use clap::Args;
use hookline_common::settings::BrokerSettings;
use hookline_producer::EventId;

use super::filter::{FilterArgs, IdFilter};
use super::scan::QueueScan;
use crate::error::CliError;
use crate::out::{self, Out};

#[derive(Debug, Args)]
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
    let mut scan = QueueScan::open(broker, kind).await?;
    if !args.yes {
        let question = format!(
            "Remove what is meant of the {} in {queue} for good?",
            kind.count(scan.depth())
        );
        match out::ask(&question) {
            Some(true) => {}
            Some(false) => {
                return scan
                    .close(Err(CliError::Failed("nothing was removed".to_owned())))
                    .await;
            }
            None => {
                let usage = format!("this removes messages of {queue} for good; say --yes if that is meant");
                return scan.close(Err(CliError::Usage(usage))).await;
            }
        }
    }
    let mut ids = IdFilter::new(args.ids.clone());
    let purged = purge(&args, &mut scan, &mut ids).await;
    let purged = scan.close(purged).await?;
    let mut out = Out::new();
    out.line(&if args.filter.json {
        format!("{{\"purged\":{purged}}}")
    } else {
        format!("purged {} from {queue}", kind.count(purged))
    })?;
    out.flush()?;
    match ids.missing().as_slice() {
        [] => Ok(()),
        missing => Err(CliError::Failed(format!(
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
