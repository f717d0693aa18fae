//! `hookline problems`: what fails, a line for each thing that somebody must mend.

use clap::Args;
use jiff::Timestamp;

use crate::api::{FailingGroupView, Pages, ending};
use crate::commands::at_console::AtConsole;
use crate::commands::rows::Rows;
use crate::commands::times::age;
use crate::error::CliError;
use crate::table::Column;
use crate::text::escape;

const COLUMNS: [Column; 8] = [
    Column::whole("ENDPOINT"),
    Column::whole("FAULT"),
    Column::number("RETRYING"),
    Column::number("FAILED"),
    Column::number("SINCE"),
    Column::number("LAST"),
    Column::whole("SAMPLE"),
    Column::text("MEANING", 20).if_room(),
];

const AFTER_HELP: &str = "\
Examples:
  hookline problems --company acme
  hookline problems --company acme --json | jq -r '.explanation.next_step'

Deliveries of one endpoint whose last attempt ended alike are one problem. RETRYING are tried again by themselves, FAILED have \
failed for good and were not retried; SINCE and LAST are how long ago that began and was last so. `hookline deliveries show SAMPLE \
ENDPOINT --company COMPANY` has one of them in full. Exit status: 0 listed, also where nothing fails; 1 not; 2 usage or settings.";

/// List what fails, grouped by endpoint and kind of fault.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ProblemsArgs {
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &ProblemsArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let rows = Rows {
        columns: &COLUMNS,
        as_json: args.json,
        limit: None,
        nothing: format!("nothing fails at {}", args.at.company),
    };
    let pages = Pages::whole(&api, &args.at.company, "problems");
    let now = Timestamp::now();
    rows.print(pages, |group| cells(group, now)).await?;
    Ok(())
}

fn cells(group: &FailingGroupView, now: Timestamp) -> Vec<String> {
    let ago = |at: &str| at.parse().map(|at| age(now, at)).unwrap_or_default();
    [
        group.endpoint.as_str(),
        &ending(group.outcome.as_deref(), group.status),
        &group.retrying.to_string(),
        &group.failed.to_string(),
        &ago(&group.first_at),
        &ago(&group.last_at),
        &group.sample.event,
        &group.explanation.sentence,
    ]
    .map(escape)
    .into()
}
