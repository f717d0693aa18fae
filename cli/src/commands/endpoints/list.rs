//! `hookline endpoints list`: a line for each.

use clap::Args;

use crate::api::{EndpointView, Pages};
use crate::commands::at_console::AtConsole;
use crate::commands::rows::Rows;
use crate::error::CliError;
use crate::table::Column;
use crate::text::escape;

const COLUMNS: [Column; 5] = [
    Column::whole("ID"),
    Column::text("URL", 20),
    Column::whole("FORMAT"),
    Column::text("EVENTS", 10),
    Column::whole("STATE"),
];

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints list --company acme
  hookline endpoints list --company acme --json | jq -r 'select(.disabled) | .id'

In the order in which they were registered, all of them. One that is failing has failed since its last success. --json has what the table cuts off. \
Exit status: 0 listed, 1 not, 2 usage or settings.";

/// List a company's endpoints.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let rows = Rows {
        columns: &COLUMNS,
        as_json: args.json,
        limit: None,
        nothing: format!("{} has no endpoints", args.at.company),
    };
    let pages = Pages::of(&api, &args.at.company, "endpoints");
    rows.print(pages, cells).await?;
    Ok(())
}

fn cells(endpoint: &EndpointView) -> Vec<String> {
    let state = match (endpoint.disabled, endpoint.health.failing_since.is_some()) {
        (true, _) => "disabled",
        (false, true) => "failing",
        (false, false) => "active",
    };
    let events = endpoint.events_in_words();
    [&endpoint.id, &endpoint.url, &endpoint.format, &events, state]
        .map(escape)
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_holds_the_whole_id_and_nothing_that_a_terminal_obeys() {
        let view = serde_json::json!({
            "id": "ep_0123456789abcdef", "company": "acme", "url": "https://a.example.com/\u{202e}", "format": "meeva",
            "disabled": true, "created_at": "t", "updated_at": "t"
        });
        let cells = |view| cells(&serde_json::from_value(view).unwrap());
        let mut failing = view.clone();
        failing["disabled"] = false.into();
        assert_eq!(cells(failing.clone())[4], "active");
        failing["health"] = serde_json::json!({
            "consecutive_failures": 3, "failing_since": "t", "last_success_at": null, "last_failure_at": "t"
        });
        assert_eq!(cells(failing)[4], "failing");
        let cells = cells(view);
        assert_eq!(
            cells,
            [
                "ep_0123456789abcdef",
                "https://a.example.com/\\u{202e}",
                "meeva",
                "all",
                "disabled"
            ]
        );
    }
}
