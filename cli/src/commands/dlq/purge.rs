//! `hookline dlq purge`: remove messages for good, those that are meant and no others.

use clap::Args;
use hookline_common::broker::HeldReceipt;
use hookline_common::settings::BrokerSettings;
use hookline_producer::EventId;

use super::filter::{FilterArgs, IdFilter};
use super::kind::Kind;
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
    let mut purged = 0;
    let done = if args.yes {
        purge(&args, &mut scan, &mut ids, &mut purged).await
    } else {
        purge_if_confirmed(&args, &queue, &mut scan, &mut ids, &mut purged).await
    };
    let (given_back, unseen) = scan.give_back().await;
    let is_known = given_back.is_ok();
    done.and(given_back)
        .map_err(|error| broken_off(error, kind, purged, is_known))?;
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

/// Why not all was removed, with how much was: that is gone, whatever came afterwards. How much it is is known where the broker has
/// seen all that was taken out.
fn broken_off(error: CliError, kind: Kind, purged: u64, is_known: bool) -> CliError {
    let count = kind.count(purged);
    match (purged, is_known) {
        (0, _) => error,
        (_, true) => CliError::Failed(format!("{error}; removed for good before that: {count}")),
        (_, false) => CliError::Failed(format!(
            "{error}; removed for good before that: up to {count}, as it is not known of how many the broker has heard"
        )),
    }
}

/// Counts in `purged`, which tells how far it came where it does not come to its end.
async fn purge(
    args: &PurgeArgs,
    scan: &mut QueueScan,
    ids: &mut IdFilter,
    purged: &mut u64,
) -> Result<(), CliError> {
    while let Some((letter, held)) = scan.next().await? {
        if args.filter.matches(&letter) && ids.accepts(&letter) {
            scan.take_out(held.receipt).await?;
            *purged += 1;
        }
    }
    Ok(())
}

/// Reads the whole queue before it asks, so that the question has the true count.
async fn purge_if_confirmed(
    args: &PurgeArgs,
    queue: &str,
    scan: &mut QueueScan,
    ids: &mut IdFilter,
    purged: &mut u64,
) -> Result<(), CliError> {
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
        return Ok(());
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
        *purged += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_off_says_how_many_are_gone() {
        let told = |purged, is_known| {
            let error = CliError::Broker("the link broke; mend it".to_owned());
            broken_off(error, Kind::Failed, purged, is_known).to_string()
        };
        for is_known in [true, false] {
            assert_eq!(told(0, is_known), "the link broke; mend it");
        }
        assert_eq!(
            told(3, true),
            "the link broke; mend it; removed for good before that: 3 dead letters"
        );
        assert!(told(3, false).contains("before that: up to 3 dead letters"));
    }
}
