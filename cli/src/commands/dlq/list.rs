//! `hookline dlq list`: a line for each message.

use clap::Args;
use hookline_common::settings::BrokerSettings;
use jiff::Timestamp;

use super::dead_letter::DeadLetter;
use super::filter::FilterArgs;
use super::kind::Kind;
use super::scan::QueueScan;
use crate::error::CliError;
use crate::out::{self, Colour, Out, Terminal};
use crate::table::{Column, Table};
use crate::text::escape;

/// All but the company fit on 80 columns.
const COLUMNS: [Column; 6] = [
    Column::new("EVENT", 36, 0),
    Column::new("ENDPOINT", 8, 2),
    Column::new("TYPE", 15, 2),
    Column::new("AGE", 4, 0),
    Column::new("WHY", 9, 3),
    Column::new("COMPANY", 8, 2),
];
/// The narrowest terminal on which there is room for the company too: 80 columns, its 8 and a gap of 2.
const MIN_WIDTH_FOR_COMPANY: usize = 90;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Stop after so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub(crate) async fn run(args: ListArgs, broker: &BrokerSettings) -> Result<(), CliError> {
    let kind = args.filter.queue;
    let mut scan = QueueScan::open(broker, kind).await?;
    let depth = scan.depth();
    let listed = list(&args, &mut scan).await;
    let listed = scan.close(listed).await?;
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
    let mut out = Out::new();
    let table = table(args.filter.has_company(), out.terminal);
    let max = args.limit.map_or(u64::MAX, |limit| limit as u64);
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
            if listed == 0 {
                out.line(&out.terminal.paint(Colour::Bold, &table.head()))?;
            }
            out.line(&row(&table, &letter, args.filter.queue))?;
        }
        listed += 1;
    }
    out.flush()?;
    Ok(listed)
}

fn row(table: &Table, letter: &DeadLetter, kind: Kind) -> String {
    let text = |mark: &Option<String>| mark.as_deref().map_or_else(|| "–".to_owned(), escape);
    let endpoint = match (kind, &letter.endpoint) {
        // An event that was rejected had not come as far as an endpoint.
        (Kind::Rejected, None) => "(event)".to_owned(),
        (_, endpoint) => text(endpoint),
    };
    let age = letter
        .at
        .map_or_else(|| "–".to_owned(), |at| age(Timestamp::now(), at));
    table.row(&[
        &text(&letter.event),
        &endpoint,
        &text(&letter.event_type),
        &age,
        &escape(&letter.why()),
        &text(&letter.company),
    ])
}

/// Without the company where it is known to be the same in all rows, or where there is no room for it.
fn table(is_one_company: bool, terminal: Terminal) -> Table {
    let is_narrow = terminal.width.is_some_and(|width| width < MIN_WIDTH_FOR_COMPANY);
    let columns = if is_one_company || is_narrow {
        &COLUMNS[..5]
    } else {
        &COLUMNS
    };
    Table::new(columns, terminal)
}

/// How long ago, in the largest whole unit.
fn age(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second()).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (seconds, expected) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7200, "2h"),
            (172_800, "2d"),
            (-5, "0s"),
        ] {
            assert_eq!(age(at(1_000_000 + seconds), at(1_000_000)), expected);
        }
    }

    #[test]
    fn a_row_fits_eighty_columns_and_holds_the_whole_id() {
        let table = table(
            false,
            Terminal {
                width: Some(80),
                has_colour: false,
            },
        );
        let id = format!("evt_{}", "0".repeat(32));
        let letter = DeadLetter {
            event: Some(id.clone()),
            company: Some("a-company-of-a-long-name".into()),
            event_type: Some("booking.created\x1b[2J".into()),
            endpoint: Some("ep_with_a_long_name".into()),
            ..DeadLetter::default()
        };
        let row = row(&table, &letter, Kind::Failed);
        assert!(
            row.chars().count() <= 80 && row.starts_with(&id) && !row.contains('\x1b'),
            "{row}"
        );
        assert!(table.head().chars().count() <= 80);
    }
}
