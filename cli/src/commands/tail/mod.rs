//! `hookline tail`: attempts as they are made, live from the stream. No database is asked.

mod batch; // the lines of a message of the stream
mod line; // an attempt as people read it

use std::time::SystemTime;

use clap::Args;
use hookline_common::broker::{BrokerError, BrokerUrl, StreamReader, StreamStart};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::message::Message;
use hookline_common::record::AttemptRecord;
use hookline_common::settings::{BrokerSettings, parse};
use hookline_common::topology::Queue;
use jiff::Timestamp;

use crate::commands::signals::on_signals;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::settings::Flags;
use crate::text::escape;

const AFTER_HELP: &str = "\
Examples:
  hookline tail
  hookline tail --company acme --endpoint ep_crm
  hookline tail --from 15m
  hookline tail --json | jq -r 'select(.outcome != \"delivered\") | [.event, .error] | @tsv'

Each line tells when an attempt began, how it ended, the HTTP status, how long it took, which attempt it was, the event's \
type, company/endpoint, the event's id, and when the next attempt is due. --json prints the records as the dispatcher \
wrote them, responses and kept data included.
Attempts come in batches, a moment after they were made. The stream keeps seven days; a dispatcher with \
HOOKLINE_RECORDS=off writes nothing to it. Reading takes nothing away. Ctrl-C ends it.";

/// Follow attempts live: one line for each, as they are made.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct TailArgs {
    /// Only this company's.
    #[arg(long, value_name = "COMPANY")]
    company: Option<CompanyId>,
    /// Only those to this endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<EndpointId>,
    /// Where to begin: next (from now on), first (all that is kept), a duration until now (5m, 2h) or a time
    /// (2030-01-15T14:30:00Z).
    #[arg(long, value_name = "FROM", default_value = "next", value_parser = from)]
    from: From,
    /// One JSON object a line: the records as they are.
    #[arg(long)]
    json: bool,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    First,
    Next,
    Since(Timestamp),
}

fn from(text: &str) -> Result<From, String> {
    from_at(
        text,
        Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX),
    )
}

fn from_at(text: &str, now: Timestamp) -> Result<From, String> {
    let ago = |duration| now.checked_sub(duration).ok();
    match text {
        "first" => Ok(From::First),
        "next" => Ok(From::Next),
        text => parse::duration(text)
            .and_then(ago)
            .or_else(|| text.parse().ok())
            .map(From::Since)
            .ok_or_else(|| {
                "must be next, first, a duration like 5m or 2h, or a time like 2030-01-15T14:30:00Z"
                    .to_owned()
            }),
    }
}

impl From {
    fn to_start(self) -> StreamStart {
        match self {
            Self::First => StreamStart::First,
            Self::Next => StreamStart::Next,
            // The broker begins with the chunk that holds this second, and what is older is left out here.
            Self::Since(at) => StreamStart::At(u64::try_from(at.as_second()).unwrap_or(0)),
        }
    }
}

pub(crate) async fn run(args: TailArgs, flags: &Flags) -> Result<(), CliError> {
    let broker = flags.broker()?;
    let shutdown = on_signals()?;
    let mut reader = tokio::select! {
        opened = open(&args, &broker) => opened?,
        () = shutdown.requested() => return Ok(()),
    };
    out::note(&format!(
        "following {}; Ctrl-C ends it",
        broker.namespace.queue(Queue::Attempts)
    ));
    let followed = tokio::select! {
        followed = follow(&args, &mut reader, &broker.url) => followed,
        () = shutdown.requested() => Ok(()),
    };
    reader.close().await;
    followed
}

async fn open(args: &TailArgs, broker: &BrokerSettings) -> Result<StreamReader, CliError> {
    let stream = broker.namespace.queue(Queue::Attempts);
    let link = broker.link("hookline tail");
    let opened = StreamReader::open(&link, &stream, args.from.to_start()).await;
    opened.map_err(|error| {
        if error.is_missing() {
            CliError::Broker(format!(
                "there is no stream {stream} at {}; a dispatcher makes it when it starts, and so does `hookline topology \
                 apply`: check HOOKLINE_NAMESPACE",
                broker.url
            ))
        } else {
            CliError::broker(&error, &broker.url)
        }
    })
}

/// Goes on until the connection is lost or the output is closed.
async fn follow(args: &TailArgs, reader: &mut StreamReader, broker: &BrokerUrl) -> Result<(), CliError> {
    let mut out = Out::live();
    loop {
        let message = reader.next().await.map_err(|error| lost(&error, broker))?;
        print(args, &message, &mut out)?;
    }
}

fn lost(error: &BrokerError, broker: &BrokerUrl) -> CliError {
    CliError::Broker(format!(
        "the stream of attempts at {broker} broke off ({error}); start again, with --from 5m to see what was missed"
    ))
}

fn print(args: &TailArgs, message: &Message, out: &mut Out) -> Result<(), CliError> {
    let lines = match batch::lines(message) {
        Ok(lines) => lines,
        Err(error) => {
            let bytes = message.body.len();
            note_skipped(&format!("a batch of {bytes} bytes"), &error.to_string());
            return Ok(());
        }
    };
    for found in lines {
        match found {
            Ok((record, text)) if args.wants(&record) => out.line(&if args.json {
                line::json(&text)
            } else {
                line::text(&record, out.terminal)
            })?,
            Ok(_) => {}
            Err(error) => note_skipped("a record", &error),
        }
    }
    Ok(())
}

fn note_skipped(what: &str, error: &str) {
    out::note(&format!(
        "{what} of the stream cannot be read and is skipped: {}",
        escape(error)
    ));
}

impl TailArgs {
    fn wants(&self, record: &AttemptRecord) -> bool {
        let is_recent = match self.from {
            From::First | From::Next => true,
            From::Since(since) => record.started_at >= since,
        };
        is_recent
            && self
                .company
                .as_ref()
                .is_none_or(|company| *company == record.company)
            && self
                .endpoint
                .as_ref()
                .is_none_or(|endpoint| *endpoint == record.endpoint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_begins_where_it_is_told() {
        let now: Timestamp = "2030-01-01T00:10:00Z".parse().unwrap();
        let since = |text: &str| Ok(From::Since(text.parse().unwrap()));
        assert_eq!(from_at("next", now), Ok(From::Next));
        assert_eq!(from_at("first", now), Ok(From::First));
        assert_eq!(from_at("5m", now), since("2030-01-01T00:05:00Z"));
        assert_eq!(
            from_at("2029-12-31T00:00:00Z", now),
            since("2029-12-31T00:00:00Z")
        );
        for bad in ["", "last", "5", "yesterday", "99999999999d"] {
            assert!(from_at(bad, now).is_err(), "{bad}");
        }
    }
}
