//! `hookline dlq list`: a line for each message.

use clap::Args;
use hookline_common::settings::BrokerSettings;
use jiff::Timestamp;

use super::dead_letter::DeadLetter;
use super::filter::FilterArgs;
use super::kind::Kind;
use super::scan::QueueScan;
use super::summary::Summary;
use crate::commands::times::age;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::table::{Column, Table};
use crate::text::escape;

/// All but the company fit on 80 columns where the endpoint's id is short.
const COLUMNS: [Column; 6] = [
    Column::whole("EVENT"),
    Column::whole("ENDPOINT"),
    Column::text("TYPE", 15),
    Column::number("AGE"),
    Column::text("WHY", 9),
    Column::whole("COMPANY").if_room(),
];

const AFTER_HELP: &str = "\
Examples:
  hookline dlq list
  hookline dlq list --company acme --since 2h
  hookline dlq list --summary
  hookline dlq list --json | jq -r .event | sort -u
  hookline dlq list --queue rejected --json | jq -r .rejected_reason | sort | uniq -c

A line for each: the event's id, its endpoint, the event's type, how long ago it failed, and why. Where there is no room for \
the company it is left out; --json has everything. Without a message the queue itself has said that it is empty; one whose \
leader is down is an error. Exit status: 0 listed, 1 not, or not all, 2 usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Stop after so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// How many there are of each endpoint and reason, instead of a line for each.
    #[arg(long, conflicts_with = "limit")]
    summary: bool,
}

pub(crate) async fn run(args: ListArgs, broker: &BrokerSettings) -> Result<(), CliError> {
    let kind = args.filter.queue;
    let mut scan = QueueScan::open(broker, kind).await?;
    let depth = scan.depth();
    let listed = list(&args, &mut scan).await;
    let (listed, unseen) = scan.close(listed).await?;
    unseen.tell();
    if !args.filter.json {
        let of = if listed < depth {
            format!(" of {depth}")
        } else {
            String::new()
        };
        out::note(&format!(
            "{}{of} in {}",
            kind.count(listed),
            broker.namespace.queue(kind.queue())
        ));
    }
    Ok(())
}

async fn list(args: &ListArgs, scan: &mut QueueScan) -> Result<u64, CliError> {
    let mut out = Out::new().until_unread();
    if args.summary {
        let mut summary = Summary::default();
        while let Some((letter, _)) = scan.next().await? {
            if args.filter.matches(&letter) {
                summary.add(&letter);
            }
        }
        summary.print(args.filter.json, &mut out)?;
        out.flush()?;
        return Ok(summary.total());
    }
    let mut table = Table::new(columns(args.filter.has_company()), out.terminal);
    let max = args.limit.unwrap_or(u64::MAX);
    let mut listed = 0;
    while listed < max {
        let Some((letter, _)) = scan.next().await? else {
            break;
        };
        if !args.filter.matches(&letter) {
            continue;
        }
        if args.filter.json {
            out.line(&letter.to_json(None))?;
        } else {
            table.row(row(&letter, args.filter.queue), &mut out)?;
        }
        listed += 1;
    }
    table.finish(&mut out)?;
    out.flush()?;
    Ok(listed)
}

fn row(letter: &DeadLetter, kind: Kind) -> Vec<String> {
    let text = |mark: &Option<String>| mark.as_deref().map_or_else(|| "–".to_owned(), escape);
    let endpoint = match (kind, &letter.endpoint) {
        // An event that was rejected had not come as far as an endpoint.
        (Kind::Rejected, None) => "(event)".to_owned(),
        (_, endpoint) => text(endpoint),
    };
    let age = letter
        .at
        .map_or_else(|| "–".to_owned(), |at| age(Timestamp::now(), at));
    vec![
        text(&letter.event),
        endpoint,
        text(&letter.event_type),
        age,
        escape(&letter.why()),
        text(&letter.company),
    ]
}

/// Without the company where it is known to be the same in all rows.
fn columns(is_one_company: bool) -> &'static [Column] {
    if is_one_company { &COLUMNS[..5] } else { &COLUMNS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_the_whole_ids_and_nothing_that_a_terminal_obeys() {
        let id = format!("evt_{}", "0".repeat(32));
        let letter = DeadLetter {
            event: Some(id.clone()),
            company: Some("a-company-of-a-long-name".into()),
            event_type: Some("booking.created\x1b[2J".into()),
            endpoint: Some("ep_with_a_long_name".into()),
            ..DeadLetter::default()
        };
        let row = row(&letter, Kind::Failed);
        assert_eq!(row[..2], [id, "ep_with_a_long_name".to_owned()]);
        assert!(row.iter().all(|cell| !cell.contains('\x1b')), "{row:?}");
        assert_eq!(row.len(), COLUMNS.len());
    }
}
