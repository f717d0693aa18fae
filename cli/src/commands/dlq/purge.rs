//! `hookline dlq purge`: remove messages for good, those that are meant and no others.

use hookline_common::settings::BrokerSettings;

use super::PurgeArgs;
use super::filter::Wanted;
use super::sweep::Sweep;
use crate::error::CliError;
use crate::out::{self, Out};

pub(crate) async fn run(args: PurgeArgs, broker: &BrokerSettings) -> Result<(), CliError> {
    let which = args.filter.queue;
    let queue = broker.namespace.queue(which.queue());
    let mut sweep = Sweep::open(broker, which).await?;
    if !args.yes {
        let question = format!(
            "Remove what is meant of the {} in {queue} for good?",
            which.count(sweep.depth())
        );
        match out::ask(&question) {
            Some(true) => {}
            Some(false) => {
                return sweep
                    .close(Err(CliError::Failed("nothing was removed".to_owned())))
                    .await;
            }
            None => {
                let usage = format!("this removes messages of {queue} for good; say --yes if that is meant");
                return sweep.close(Err(CliError::Usage(usage))).await;
            }
        }
    }
    let mut wanted = Wanted::new(args.ids.clone());
    let purged = purge(&args, &mut sweep, &mut wanted).await;
    let purged = sweep.close(purged).await?;
    let mut out = Out::new();
    out.line(&if args.filter.json {
        format!("{{\"purged\":{purged}}}")
    } else {
        format!("purged {} from {queue}", which.count(purged))
    })?;
    out.flush()?;
    match wanted.missing().as_slice() {
        [] => Ok(()),
        missing => Err(CliError::Failed(format!(
            "{} not found in {queue}; nothing of it was removed",
            missing.join(", ")
        ))),
    }
}

async fn purge(args: &PurgeArgs, sweep: &mut Sweep, wanted: &mut Wanted) -> Result<u64, CliError> {
    let mut purged = 0;
    while let Some((letter, held)) = sweep.next().await? {
        if args.filter.matches(&letter) && wanted.takes(&letter) {
            sweep.take_out(held.receipt).await?;
            purged += 1;
        }
    }
    Ok(purged)
}
