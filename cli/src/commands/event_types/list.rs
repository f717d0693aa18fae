//! `hookline event-types list`: all types, as a table, as JSON, or as a page for a platform's documentation.

use clap::Args;
use hookline_catalogue::{Catalogue, EventTypeInfo, markdown};
use hookline_common::endpoint::Format;

use crate::catalogue::CatalogueFlags;
use crate::error::CliError;
use crate::out::Out;
use crate::table::{Column, Table};
use crate::text::{escape, json_line};

const COLUMNS: [Column; 4] = [
    Column::whole("TYPE"),
    Column::whole("MEETERGO"),
    Column::whole("FROM"),
    Column::text("WHEN", 30),
];

const AFTER_HELP: &str = "\
Examples:
  hookline event-types list
  hookline event-types list --json | jq -r .name
  hookline event-types list --event-types-file examples/event-types.toml
  hookline event-types list --markdown > EVENTS.md

FROM tells a platform's own types, which stand in its file, from the built-in ones. A type of the file takes the place of the \
built-in one of the same name. The file is checked: each sample must be data that its schema allows, and no two types may be \
called the same in any format.
Exit status: 0 done, 2 usage or settings, a faulty file among them.";

/// List the types of events.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    /// One JSON object a line: name, description, schema, sample, names in each format, own.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// A page in Markdown, with samples, schemas and the requests of each format.
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    catalogue: CatalogueFlags,
}

pub(super) fn run(args: &ListArgs) -> Result<(), CliError> {
    let catalogue = args.catalogue.catalogue()?;
    let mut out = Out::new();
    if args.markdown {
        let page = markdown(&catalogue).map_err(|error| CliError::Failed(error.to_string()))?;
        out.line(page.trim_end())?;
    } else if args.json {
        for info in catalogue.iter() {
            out.line(&json_line(&serde_json::to_string(info).unwrap_or_default()))?;
        }
    } else {
        table(&catalogue, &mut out)?;
    }
    Ok(out.flush()?)
}

fn table(catalogue: &Catalogue, out: &mut Out) -> Result<(), CliError> {
    let mut table = Table::new(&COLUMNS, out.terminal);
    for info in catalogue.iter() {
        table.row(cells(info), out)?;
    }
    Ok(table.finish(out)?)
}

fn cells(info: &EventTypeInfo) -> Vec<String> {
    let from = if info.own { "file" } else { "built in" };
    let meetergo = info.name_in(Format::Meetergo);
    [info.name.as_str(), &meetergo, from, info.summary()]
        .map(escape)
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_names_the_type_in_both_ways() {
        let catalogue = Catalogue::built_in();
        let cells = cells(catalogue.find("new_employee").unwrap());
        assert_eq!(cells[..3], ["employee.created", "new_employee", "built in"]);
        assert!(!cells[3].is_empty() && !cells[3].ends_with('.'), "{cells:?}");
    }
}
