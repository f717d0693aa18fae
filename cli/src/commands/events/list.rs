//! `hookline events list`: the catch-up feed to its present end.

use clap::Args;

use crate::api::{FeedPage, Method};
use crate::commands::at_console::AtConsole;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::table::{Column, Table};
use crate::text::{escape, json_line};

/// Events of a page: as many as the API gives at most.
const EVENTS_A_PAGE: &str = "200";

const COLUMNS: [Column; 4] = [
    Column::whole("EVENT"),
    Column::text("TYPE", 12),
    Column::whole("RECORDED"),
    Column::number("BYTES"),
];

const AFTER_HELP: &str = "\
Examples:
  hookline events list --company acme
  hookline events list --company acme --after e2a
  hookline events list --company acme --after e2a --json | jq -c '.data[]'

The oldest first, all that were recorded behind --after, or all that are kept. At the end it says with which --after to go on; \
nothing is skipped so. --json prints each page on a line as the console answers it, with `data`, the events, and `next`, that cursor. \
BYTES is `-` where the payload was not kept. Exit status: 0 listed, 1 not (a cursor too old is told as 410), 2 usage or settings.";

/// List a company's events in the order in which they were recorded.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: AtConsole,
    /// Only those behind this place, which an earlier list ended with.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// One JSON object a page.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let mut out = Out::new().until_unread();
    let mut table = Table::new(&COLUMNS, out.terminal);
    let mut after = args.after.clone();
    let mut is_first = true;
    loop {
        let mut ask = api.ask(Method::GET, &args.at.company, &["events"]);
        ask = ask.query("limit", EVENTS_A_PAGE);
        if let Some(after) = &after {
            ask = ask.query("after", after);
        }
        let answer = api.answer(ask).await?;
        let page: FeedPage = answer.read()?;
        let is_end = page.data.is_empty();
        // The first page is printed even where it is empty: it has the cursor.
        if args.json && (is_first || !is_end) {
            out.line(&json_line(&answer.body))?;
        }
        is_first = false;
        if !args.json {
            for event in &page.data {
                let bytes = event.data.as_ref().map(|data| data.get().len().to_string());
                let cells = [
                    event.id.as_str(),
                    &event.event_type,
                    &event.recorded_at,
                    bytes.as_deref().unwrap_or("-"),
                ];
                table.row(cells.map(escape).into(), &mut out)?;
            }
        }
        if !is_end && Some(&page.next) == after.as_ref() {
            return Err(api.unreadable("the feed comes back to the same place").into());
        }
        after = Some(page.next);
        if is_end {
            break;
        }
    }
    table.finish(&mut out)?;
    out.flush()?;
    if let Some(next) = after.filter(|_| !args.json) {
        out::note(&format!("go on with --after {}", escape(&next)));
    }
    Ok(())
}
