//! `hookline failed list`: a line for each, what was filed last first.

use clap::Args;
use jiff::Timestamp;

use super::filter::FilterArgs;
use super::views::DeadLetterView;
use crate::api::Pages;
use crate::commands::at_console::AtConsole;
use crate::commands::rows::Rows;
use crate::commands::times::age;
use crate::error::CliError;
use crate::table::Column;
use crate::text::escape;

const COLUMNS: [Column; 6] = [
    Column::whole("EVENT"),
    Column::whole("ENDPOINT"),
    Column::text("TYPE", 16),
    Column::whole("ENDED IN"),
    Column::number("AGE"),
    Column::number("RETRIED"),
];

const AFTER_HELP: &str = "\
Examples:
  hookline failed list --company acme
  hookline failed list --company acme --endpoint ep_crm --since 2h
  hookline failed list --company acme --open --json | jq -r .event

RETRIED is how long ago somebody had it sent again; it goes when that is delivered, and comes back when it fails. `hookline \
problems` groups them by what is wrong.";

/// List what failed for good.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those that nobody has retried, or that have failed again since.
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let pages = Pages::of(&api, &args.at.company, "failed");
    let pages = args.filter.pages(pages).with("open", args.open.then_some(&true));
    let rows = Rows {
        columns: &COLUMNS,
        as_json: args.json,
        limit: None,
        nothing: format!("{} has no such dead letters", args.at.company),
    };
    let now = Timestamp::now();
    rows.print(pages, |letter| cells(letter, now)).await?;
    Ok(())
}

fn cells(letter: &DeadLetterView, now: Timestamp) -> Vec<String> {
    let ago = |text: &str| text.parse().map_or_else(|_| "–".to_owned(), |at| age(now, at));
    let retried = letter.retried_at.as_deref().map_or_else(|| "–".to_owned(), ago);
    [
        &letter.event,
        &letter.endpoint,
        &letter.event_type,
        &letter.ending(),
        &ago(&letter.failed_at),
        &retried,
    ]
    .map(|cell| escape(cell))
    .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_says_what_it_ended_in_and_moves_no_cursor() {
        let now = "2030-01-15T14:30:00Z".parse().unwrap();
        let cells = |outcome: Option<&str>, status: Option<u16>| {
            let view = serde_json::json!({
                "event": "evt_1", "endpoint": "ep_1", "type": "a\x1b", "reason": "endpoint_disabled",
                "last_outcome": outcome, "last_status": status, "attempts": 4,
                "explanation": {"sentence": "s", "next_step": "n"}, "failed_at": "2030-01-15T14:20:00Z",
                "created_at": "2030-01-15T14:20:00Z", "retried_at": null, "origin": "event"
            });
            cells(&serde_json::from_value(view).unwrap(), now)
        };
        let line = cells(Some("http_status"), Some(503));
        assert_eq!(line, ["evt_1", "ep_1", "a\\u{1b}", "HTTP 503", "10m", "–"]);
        assert_eq!(cells(Some("timeout"), None)[3], "timeout");
        assert_eq!(cells(None, None)[3], "endpoint_disabled");
    }
}
