//! `hookline deliveries list`: a line for each, the newest first.

use clap::Args;
use hookline_common::ids::{EndpointId, EventId};
use jiff::Timestamp;

use crate::api::{DeliveryView, Pages, ending};
use crate::commands::at_console::AtConsole;
use crate::commands::rows::Rows;
use crate::commands::times::{age, since};
use crate::error::CliError;
use crate::out;
use crate::table::Column;
use crate::text::escape;

const COLUMNS: [Column; 8] = [
    Column::whole("EVENT"),
    Column::whole("ENDPOINT"),
    Column::text("TYPE", 12),
    Column::whole("STATUS"),
    Column::number("ATTEMPTS"),
    Column::whole("LAST"),
    Column::number("AGE"),
    Column::whole("NEXT").if_room(),
];

const AFTER_HELP: &str = "\
Examples:
  hookline deliveries list --company acme
  hookline deliveries list --company acme --status failed --endpoint ep_crm --since 2h
  hookline deliveries list --company acme --type booking.created --limit 1000 --json | jq -r .event

The newest first. LAST is how the last attempt ended, AGE how long ago the first one began, NEXT when the next one is due. \
Exit status: 0 listed, 1 not, 2 usage or settings.";

/// List a company's deliveries.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: AtConsole,
    /// Only to this endpoint.
    #[arg(long, value_name = "ID")]
    endpoint: Option<EndpointId>,
    /// Only of this type, by its own name or by that of any format.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only what has come so far.
    #[arg(long, value_parser = ["delivered", "retrying", "failed", "discarded"])]
    status: Option<String>,
    /// Only of this event.
    #[arg(long, value_name = "EVENT_ID")]
    event: Option<EventId>,
    /// Only those begun since then: a duration until now, or a time.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Only those begun before then, likewise.
    #[arg(long, value_name = "TIME", value_parser = since)]
    until: Option<Timestamp>,
    /// Deliveries at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let pages = Pages::of(&api, &args.at.company, "deliveries")
        .with("endpoint", args.endpoint.as_ref())
        .with("type", args.event_type.as_ref())
        .with("status", args.status.as_ref())
        .with("event", args.event.as_ref())
        .with("since", args.since.as_ref())
        .with("until", args.until.as_ref());
    let rows = Rows {
        columns: &COLUMNS,
        as_json: args.json,
        limit: Some(args.limit),
        nothing: format!("the log has no such deliveries of {}", args.at.company),
    };
    let now = Timestamp::now();
    if rows.print(pages, |delivery| cells(delivery, now)).await? {
        out::note(&format!(
            "notice: there are more than these {}; --limit shows more of them, --since and --until others",
            args.limit
        ));
    }
    Ok(())
}

fn cells(delivery: &DeliveryView, now: Timestamp) -> Vec<String> {
    let age = delivery.created_at.parse().map(|at| age(now, at));
    let last = ending(delivery.last_outcome.as_deref(), delivery.last_status);
    let next = delivery.next_attempt_at.as_deref().unwrap_or("-");
    [
        delivery.event.as_str(),
        &delivery.endpoint,
        &delivery.event_type,
        &delivery.status,
        &delivery.attempts.to_string(),
        &last,
        &age.unwrap_or_default(),
        next,
    ]
    .map(escape)
    .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_says_how_it_ended_and_nothing_that_a_terminal_obeys() {
        let now: Timestamp = "2030-01-15T14:30:00Z".parse().unwrap();
        let mut view = serde_json::json!({
            "event": "evt_1", "endpoint": "ep_1", "type": "a.b", "status": "retrying", "attempts": 2,
            "last_outcome": "http_status", "last_status": 503, "created_at": "2030-01-15T14:20:00.5Z",
            "next_attempt_at": "2030-01-15T14:31:00Z\u{1b}"
        });
        let row = cells(&serde_json::from_value(view.clone()).unwrap(), now);
        assert_eq!(
            row,
            [
                "evt_1",
                "ep_1",
                "a.b",
                "retrying",
                "2",
                "503",
                "10m",
                "2030-01-15T14:31:00Z\\u{1b}"
            ]
        );
        view["last_outcome"] = serde_json::Value::Null;
        view["last_status"] = serde_json::Value::Null;
        assert_eq!(cells(&serde_json::from_value(view).unwrap(), now)[5], "not sent");
    }
}
