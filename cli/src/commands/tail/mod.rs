//! `hookline tail`: attempts as they are made, live from the stream, and from the spill while the stream takes none. No
//! database is asked.

mod batch; // the lines of a message of the stream
mod filter; // which attempts are meant
mod line; // an attempt as people read it
mod print; // each once, and what is missing
mod seen; // which were printed
mod spilled; // those that the stream does not have yet
mod start; // where to begin

use std::pin::pin;
use std::time::Duration;

use clap::Args;
use hookline_common::broker::{AttemptsLog, BrokerError, BrokerUrl, StreamReader};
use hookline_common::settings::BrokerSettings;
use hookline_common::topology::Queue;
use jiff::Timestamp;

use self::filter::FilterArgs;
use self::print::Printer;
use self::spilled::Spilled;
use self::start::{Start, start};
use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out;
use crate::settings::Flags;

/// How long it is looked for what the stream does not reach back to. It is a help, and nothing waits for it.
const LOOK_BACK_WITHIN: Duration = Duration::from_secs(2);

const AFTER_HELP: &str = "\
Examples:
  hookline tail
  hookline tail --company acme --endpoint ep_crm
  hookline tail --failed --type 'booking.*'
  hookline tail --event evt_0192f0c0a8b77d3e9f10a2b3c4d5e6f7 --since 2h
  # the last quarter of an hour, and on from there
  hookline tail --since 15m
  # what went wrong, as a table
  hookline tail --failed --json | jq -r '[.event, .error] | @tsv'

Each line tells when an attempt began, how it ended, the HTTP status, how long it took, which attempt it was, the event's \
type, company/endpoint, the event's id, and when the next attempt is due. --json prints the records as the dispatcher \
wrote them, responses and kept data included; data is a text that holds the exact bytes (jq '.data | fromjson').
Attempts come in batches, a moment after they were made; while the stream does not take them (its node is down), some \
seconds after. The stream keeps seven days, and HOOKLINE_ATTEMPTS_MAX_BYTES of them; what is removed before it was read is \
told. A dispatcher with HOOKLINE_RECORDS=off writes nothing to it. Reading takes nothing away. Ctrl-C ends it.";

/// Follow attempts live: one line for each, as they are made.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Begin with what was attempted since: a duration until now (30m, 2h, 7d), a time (2030-01-15T14:30:00Z), or first for
    /// all that is kept; without it with what comes from now on.
    #[arg(
        long,
        alias = "from",
        value_name = "SINCE",
        default_value = "next",
        hide_default_value = true
    )]
    #[arg(value_parser = start)]
    since: Start,
    /// One JSON object a line: the records as they are.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: TailArgs, flags: &Flags) -> Result<(), CliError> {
    let broker = flags.broker()?;
    let shutdown = on_signals()?;
    let now = Timestamp::now();
    let mut reader = tokio::select! {
        opened = open(&args, &broker) => opened?,
        () = shutdown.requested() => return Ok(()),
    };
    let log = AttemptsLog::new(broker.link("hookline tail"), &broker.namespace);
    out::tell(&format!(
        "following {}; Ctrl-C ends it",
        broker.namespace.queue(Queue::Attempts)
    ));
    let mut spilled = Spilled::follow(log.clone(), args.since.spilled_since(now));
    let followed = tokio::select! {
        followed = follow(&args, &log, &mut reader, &mut spilled, &broker.url) => followed,
        () = shutdown.requested() => Ok(()),
    };
    reader.close().await;
    followed
}

async fn open(args: &TailArgs, broker: &BrokerSettings) -> Result<StreamReader, CliError> {
    let stream = broker.namespace.queue(Queue::Attempts);
    let link = broker.link("hookline tail");
    let opened = StreamReader::open(&link, &stream, args.since.in_the_stream()).await;
    opened.map_err(|error| {
        if error.is_missing() {
            CliError::Broker(format!(
                "there is no stream {stream} at {}; a dispatcher makes it when it starts, and so does `hookline topology \
                 apply`: check HOOKLINE_NAMESPACE",
                broker.url
            ))
        } else if error.to_string().contains("replica on the local node") {
            // A stream is read where it lies, unlike a queue.
            CliError::Broker(format!(
                "the node at {} has no running replica of {stream}: set HOOKLINE_AMQP_URL to a node that has one \
                 (`rabbitmq-streams stream_status {stream}` names them), or add one there (`rabbitmq-streams add_replica \
                 {stream} NODE`)",
                broker.url
            ))
        } else {
            CliError::broker(&error, &broker.url)
        }
    })
}

/// Goes on until the connection is lost or the output is closed.
async fn follow(
    args: &TailArgs,
    log: &AttemptsLog,
    reader: &mut StreamReader,
    spilled: &mut Spilled,
    broker: &BrokerUrl,
) -> Result<(), CliError> {
    let mut printer = Printer::new(args.filter.clone(), args.since.not_before(), args.json);
    if let Some(since) = args.since.not_before()
        && let Ok(Some((removed, oldest))) = log.oldest(LOOK_BACK_WITHIN).await
        && removed > 0
        && oldest > since
    {
        out::tell(&format!(
            "the stream begins at about {oldest:.0}: {removed} batches before it were removed, by age or because there was \
             more of it than it may hold"
        ));
    }
    loop {
        // Read to its end once it has begun: broken off, it could lose what it has just taken.
        let mut next = pin!(reader.next());
        let item = loop {
            tokio::select! {
                item = &mut next => break item,
                Some(line) = spilled.next() => {
                    printer = printer.aside(move |printer| printer.line(line)).await?;
                }
            }
        };
        let item = item.map_err(|error| lost(&error, broker))?;
        printer = printer.aside(move |printer| printer.item(item)).await?;
    }
}

fn lost(error: &BrokerError, broker: &BrokerUrl) -> CliError {
    CliError::Broker(format!(
        "the stream of attempts at {broker} broke off ({error}); start again, with --since 5m to see what was missed"
    ))
}
