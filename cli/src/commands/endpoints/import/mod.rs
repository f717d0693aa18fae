//! `hookline endpoints import`: brings the endpoints of a file into the console's registry.

mod bodies; // what is sent for each company
mod report; // what became of each row

use clap::Args;
use hookline_common::endpoint::Format;
use hookline_common::endpoints_file;
use hookline_common::settings::Environment;
use serde::Deserialize;

use self::bodies::{Body, bodies};
use self::report::{Counts, Row, print};
use super::file;
use crate::api::{Api, ApiFlags, Method};
use crate::commands::consent;
use crate::error::CliError;
use crate::out::{self, Progress};

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints import endpoints.toml --dry-run
  hookline endpoints import endpoints.toml
  hookline endpoints import endpoints.toml --yes --json | jq -c 'select(.result == \"refused\")'

The file is the one that a dispatcher would read; secret_env and secret_file are read here, and the secrets sent to the console. \
First the console is asked what would happen to each endpoint, and that is printed: created, changed, unchanged or refused. Then \
you are asked, and what is not refused is done. What the console has besides stays as it is; importing the same file again \
changes nothing. An endpoint that names no format gets the console's default. This needs the operator's token. Exit status: 0 \
done or nothing to do, 1 not, or not all, 2 usage or settings.";

/// Bring the endpoints of a file into the console.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ImportArgs {
    /// The file; - for stdin.
    #[arg(value_name = "FILE|-")]
    file: String,
    /// Only print what would happen.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// One JSON object for each endpoint: what became of it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiFlags,
}

/// As the console answers it.
#[derive(Deserialize)]
struct Imported {
    results: Vec<RowResult>,
}

#[derive(Deserialize)]
struct RowResult {
    /// Which of the body, counted from 1.
    row: usize,
    result: String,
    detail: Option<String>,
}

pub(super) async fn run(args: &ImportArgs) -> Result<(), CliError> {
    let settings = args.api.read()?;
    let text = file::read(&args.file)?;
    // The format of those that name none is the console's to say: what stands here is not sent.
    let entries = match endpoints_file::parse_with_secrets(&text, Format::default(), &Environment) {
        Ok(entries) => entries,
        Err(faults) => return Err(file::refuse(&faults, &args.file, args.json)?),
    };
    if !args.dry_run {
        consent::can_be_had(args.yes, "this changes what the console has")?;
    }
    let bodies = bodies(&text, &entries)?;
    let api = Api::new(settings)?;

    let planned = send(&api, &bodies, true).await?;
    let counts = Counts::of(&planned);
    let is_done = args.dry_run || !counts.has_changes();
    // Of two reports in JSON nobody could tell which is which: then the one of what was done.
    if is_done || !args.json {
        print(&planned, args.json)?;
    }
    if is_done {
        out::note(&format!("{}: {}", args.file, counts.planned()));
        return verdict(&counts);
    }
    if !consent::is_given(args.yes, &format!("{}. Do it?", counts.planned())).await {
        return Err(CliError::Failed("nothing was changed, as you said".to_owned()));
    }
    let done = send(&api, &bodies, false).await?;
    let counts = Counts::of(&done);
    if args.json || done.iter().zip(&planned).any(|(done, planned)| done != planned) {
        // What somebody else has changed meanwhile.
        print(&done, args.json)?;
    }
    out::note(&format!("{}: {}", args.file, counts.done()));
    verdict(&counts)
}

fn verdict(counts: &Counts) -> Result<(), CliError> {
    match counts.refused() {
        0 => Ok(()),
        refused => Err(CliError::Failed(format!(
            "{refused} of {} endpoints were refused, for the reasons above; mend them in the file and import it again",
            counts.all()
        ))),
    }
}

/// Sends each company's part, and returns what became of each endpoint, in the file's order.
async fn send(api: &Api, bodies: &[Body], is_dry_run: bool) -> Result<Vec<Row>, CliError> {
    let progress = Progress::new();
    let mut rows = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        progress.show(&format!("{} of {} …", index + 1, bodies.len()));
        let ask = api.ask(Method::POST, &body.company, &["endpoints", "import"]);
        let ask = ask.query("dry_run", if is_dry_run { "true" } else { "false" });
        let answer = api.answer(ask.toml(body.text.clone())).await;
        let imported: Imported = match answer.and_then(|answer| answer.read()) {
            Ok(imported) => imported,
            Err(error) => {
                progress.clear();
                return Err(stopped(error.into(), index, bodies.len(), is_dry_run));
            }
        };
        for result in imported.results {
            let place = result.row.checked_sub(1);
            let Some(endpoint) = place.and_then(|place| body.endpoints.get(place)) else {
                return Err(api.unreadable("it names a row that was not sent").into());
            };
            rows.push(Row {
                row: endpoint.row,
                company: body.company.to_string(),
                id: endpoint.id.clone(),
                result: result.result,
                detail: result.detail,
            });
        }
    }
    progress.clear();
    rows.sort_by_key(|row| row.row);
    Ok(rows)
}

/// Whoever is stopped in the middle must know that running it again is right.
fn stopped(error: CliError, parts: usize, of: usize, is_dry_run: bool) -> CliError {
    if is_dry_run || parts == 0 {
        return error;
    }
    CliError::Failed(format!(
        "{error}; {parts} of {of} parts of the file are in the console: import it again for the rest"
    ))
}
