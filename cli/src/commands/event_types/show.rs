//! `hookline event-types show`: one type in full, or the request that a receiver gets of it.

use clap::Args;
use hookline_catalogue::{EventTypeInfo, RenderedType};
use hookline_common::endpoint::Format;
use serde::Serialize;

use crate::catalogue::{self, CatalogueFlags};
use crate::error::CliError;
use crate::out::Out;
use crate::text::{escape, json_line};

const AFTER_HELP: &str = "\
Examples:
  hookline event-types show booking.created
  hookline event-types show booking_created --format meetergo
  hookline event-types show booking.created --json | jq .schema
  hookline event-types show form.submitted --format meeva --json | jq -r .request.body

Without --format: what the type means, what each format calls it, a sample of its data, and its JSON Schema.
With --format: an example of the first request to an endpoint of that format, headers and raw body. Its id and time are \
fixed, and its signatures are made with the secret whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD, so that a receiver can be tried \
on it.";

/// Show one type: its meaning, schema and sample, or its request in a format.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ShowArgs {
    /// The type, by its own name or by that of any format.
    #[arg(value_name = "TYPE")]
    name: String,
    /// Show the request as it is in this format: meeva, meetergo, meetergo-flat or standard.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// One JSON object, as the API answers it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    catalogue: CatalogueFlags,
}

pub(super) fn run(args: &ShowArgs) -> Result<(), CliError> {
    let known = args.catalogue.catalogue()?;
    let info = catalogue::find(&known, &args.name)?;
    let rendered = args.format.map(|format| info.rendered(format)).transpose();
    let rendered = rendered.map_err(|error| CliError::Failed(error.to_string()))?;
    let mut out = Out::new();
    out.line(&match (&rendered, args.json) {
        (None, false) => in_full(info),
        (None, true) => as_json(info),
        (Some(rendered), false) => request(rendered),
        (Some(rendered), true) => as_json(rendered),
    })?;
    Ok(out.flush()?)
}

/// A platform's file may hold what a terminal obeys.
fn as_json(shown: &impl Serialize) -> String {
    json_line(&serde_json::to_string(shown).unwrap_or_default())
}

fn in_full(info: &EventTypeInfo) -> String {
    let mut text = format!("{}\n{}\n", info.name, escape(&info.description));
    for format in Format::ALL {
        text.push_str(&format!("\n  {:<14}{}", format.as_str(), info.name_in(format)));
    }
    let (sample, schema) = (shown(&info.sample.pretty()), shown(&info.schema.pretty()));
    text.push_str(&format!("\n\nSample:\n{sample}\n\nJSON Schema:\n{schema}"));
    text
}

/// JSON of a platform's file may hold what a terminal obeys.
fn shown(json: &str) -> String {
    json.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// The head, an empty line, and the body as it is sent.
fn request(rendered: &RenderedType<'_>) -> String {
    let headers = rendered.request.headers.iter();
    let headers: String = headers
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    format!("{headers}\n{}", escape(&rendered.request.body))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_catalogue::{Catalogue, EXAMPLE_SECRET};

    use super::*;

    #[test]
    fn all_that_is_known_of_a_type_is_shown() {
        let catalogue = Catalogue::built_in();
        let text = in_full(catalogue.find("form.submitted").unwrap());
        for part in [
            "form.submitted\nA form",
            "meetergo      form_submission",
            "\"sub_3F8T1C\"",
            "\"x-minimal\": true",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_request_is_shown_as_it_is_sent() {
        let catalogue = Catalogue::built_in();
        let info = catalogue.find("booking.cancelled").unwrap();
        let text = request(&info.rendered(Format::Meetergo).unwrap());
        let (head, body) = text.split_once("\n\n").unwrap();
        assert!(
            head.contains("webhook-signature: v1,") && !head.contains("meeva-signature"),
            "{head}"
        );
        assert!(
            body.starts_with(r#"{"event":"booking_cancelled","data":{"#),
            "{body}"
        );
    }

    #[test]
    fn what_a_file_holds_moves_no_cursor() {
        let description = "Paid\u{202e}.";
        let mut info = Catalogue::built_in().find("booking.created").unwrap().clone();
        info.description = description.to_owned();
        for (line, format) in [
            (as_json(&info), None),
            (as_json(&info.rendered(Format::Meeva).unwrap()), Some("meeva")),
        ] {
            assert!(!line.contains('\u{202e}'), "{line}");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["description"], description);
            assert_eq!(value["format"].as_str(), format);
        }
        assert!(!in_full(&info).contains('\u{202e}'));
    }

    #[test]
    fn the_help_names_the_secret_of_the_examples() {
        assert!(AFTER_HELP.contains(EXAMPLE_SECRET));
    }
}
