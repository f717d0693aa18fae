//! `hookline publish`: one event, or a file of them, through the same library as a booking service.

mod connect; // to the broker, once
mod lines; // many events, one a line
mod source; // where the lines come from
mod ndjson; // what stands on one of them
mod tally; // what became of them
mod sample; // an event for whoever has none

use std::fs::File;
use std::io::{self, Read as _};

use clap::Args;
use hookline_producer::{CompanyId, CreatedAt, Data, Event, EventId, EventType, TraceContext};

use self::sample::SampleName;
use crate::catalogue::{self, CatalogueFlags};
use crate::error::CliError;
use crate::out::Out;
use crate::settings::Flags;

const AFTER_HELP: &str = "\
Examples:
  hookline publish --sample booking.created
  hookline publish --sample invoice.paid --event-types-file examples/event-types.toml
  hookline publish --company acme --type booking.created --data '{\"booking\":{\"id\":\"bkg_1\"}}'
  hookline publish --company acme --type booking.created --data @event.json
  jq -c .booking dump.json | hookline publish --company acme --type booking.created --data -
  hookline publish --ndjson events.ndjson
  zcat events.ndjson.gz | hookline publish --ndjson -

The bytes of data are passed on as they are. With one event, its id is all that stdout gets, once the broker \
has confirmed it.
With --ndjson each line is {\"company\":…,\"type\":…,\"data\":{…}[,\"id\":…]}; a line that is no event is named \
on stderr and loses no other, and a closing line on stdout counts. Ctrl-C waits for what was sent, and tells how many the \
broker has confirmed and from which line to go on.
Publishing the same --id again is safe: receivers see the same webhook-id and recognise a duplicate.
Exit status: 0 the broker has confirmed all, 1 not all, 2 usage or settings.";

const USAGE: &str = "\
hookline publish --company <COMPANY> --type <TYPE> --data <JSON|@FILE|-> [--id <EVENT_ID>]
       hookline publish --sample <TYPE> [--company <COMPANY>] [--id <EVENT_ID>]
       hookline publish --ndjson <FILE|->";

/// Whose a sample is, unless it is said.
const COMPANY_OF_SAMPLES: &str = "acme";

/// Publish events, and know that the broker has them.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub(crate) struct PublishArgs {
    /// The tenant whose endpoints the event goes to; acme for a sample, unless it is given.
    #[arg(
        long,
        value_name = "COMPANY",
        required_unless_present_any = ["ndjson", "sample"],
        conflicts_with = "ndjson"
    )]
    company: Option<CompanyId>,
    /// What kind of thing happened: lower-case words joined by dots.
    #[arg(
        long = "type",
        value_name = "TYPE",
        required_unless_present_any = ["ndjson", "sample"],
        conflicts_with_all = ["ndjson", "sample"]
    )]
    event_type: Option<EventType>,
    /// The event's id; a new one by default.
    #[arg(long, value_name = "EVENT_ID", conflicts_with = "ndjson")]
    id: Option<EventId>,
    /// One JSON object of at most 101888 bytes: the text itself, @FILE, or - for stdin.
    #[arg(
        long,
        value_name = "JSON|@FILE|-",
        required_unless_present_any = ["ndjson", "sample"],
        conflicts_with_all = ["ndjson", "sample"]
    )]
    data: Option<String>,
    /// Publish the sample of this type, one of these or of the event types file; a format's own name for it will do.
    #[arg(long, value_parser = SampleName, value_name = "TYPE", conflicts_with = "ndjson")]
    sample: Option<String>,
    /// Publish many events: a file with one a line, or - for stdin.
    #[arg(long, value_name = "FILE|-")]
    ndjson: Option<String>,
    #[command(flatten)]
    catalogue: CatalogueFlags,
}

pub(crate) async fn run(args: PublishArgs, flags: &Flags) -> Result<(), CliError> {
    let broker = flags.broker()?;
    if let Some(file) = &args.ndjson {
        return lines::run(file, broker).await;
    }
    let event = event(args)?;
    let producer = connect::connect(broker).await?;
    // It happens when it is published: receivers see no age that came of connecting.
    let event = Event {
        created_at: CreatedAt::now(),
        ..event
    };
    let receipt = producer.publish(&event).await?;
    let mut out = Out::new();
    out.line(receipt.event.as_str())?;
    Ok(out.flush()?)
}

/// The one event that is asked for.
fn event(args: PublishArgs) -> Result<Event, CliError> {
    let event = match (args.sample, args.company, args.event_type, args.data) {
        (Some(name), company, ..) => {
            let known = args.catalogue.catalogue()?;
            let company = company.as_ref().map_or(COMPANY_OF_SAMPLES, CompanyId::as_str);
            sample::event(catalogue::find(&known, &name)?, company)?
        }
        (None, Some(company), Some(event_type), Some(data)) => Event {
            id: EventId::default(),
            company,
            event_type,
            created_at: CreatedAt::now(),
            data: Data::new(read_data(&data)?)
                .map_err(|error| CliError::Usage(format!("--data: {error}; mend it, then publish again")))?,
            trace: TraceContext::default(),
        },
        (None, ..) => {
            return Err(CliError::Usage(
                "--company, --type and --data belong together; give all three, or --sample".to_owned(),
            ));
        }
    };
    Ok(match args.id {
        Some(id) => Event { id, ..event },
        None => event,
    })
}

/// The text itself, or the bytes of what it names.
fn read_data(text: &str) -> Result<Vec<u8>, CliError> {
    let (name, read) = match text.strip_prefix('@') {
        _ if text == "-" => ("stdin", read_bounded(io::stdin())),
        Some(path) => (path, File::open(path).and_then(read_bounded)),
        None => return Ok(text.as_bytes().to_vec()),
    };
    read.map_err(|error| {
        CliError::Failed(format!(
            "--data: {name} cannot be read: {error}; name a file that can"
        ))
    })
}

/// Far more than any data may have, so that what is too long is told its length, and not a bound of ours.
const MAX_BYTES: u64 = 16 << 20;

fn read_bounded(source: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
