//! `hookline endpoints add`: registers an endpoint, and prints its secret.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use hookline_common::endpoint::Format;
use hookline_common::ids::EndpointId;
use hookline_common::text_file;
use serde::Serialize;

use crate::api::{EndpointView, Method, SecretView};
use crate::commands::at_console::AtConsole;
use crate::commands::fields;
use crate::commands::sign::input;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::text::{escape, json_line};

/// Far more than a header may hold; what is longer is another file.
const MAX_HEADER_FILE_BYTES: u64 = 64 << 10;

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints add --company acme --url https://crm.example.com/hooks
  hookline endpoints add --company acme --url https://crm.example.com/hooks --events 'booking.*,form.submitted' --format standard
  hookline endpoints add --company acme --url https://crm.example.com/hooks --header x-api-key=@key.txt --rate 50/s
  hookline endpoints add --company acme --url https://crm.example.com/hooks --json | jq -r .secret > secret.txt
  hookline endpoints add --company acme --id ep_crm --secret-file old.txt --url https://crm.example.com/hooks

The secret is printed; give it to whoever runs the receiver. A secret or an id of another system may be brought along by the \
operator's token alone. Dispatchers know the endpoint within two seconds.
Exit status: 0 registered, 1 not, 2 usage or settings.";

/// Register an endpoint.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    at: AtConsole,
    /// Where events go: https, and a public address.
    #[arg(long)]
    url: String,
    /// How bodies are written: meeva, meetergo, meetergo-flat or standard; the console's default where it is left out.
    #[arg(long)]
    format: Option<Format>,
    /// Which events it gets, like booking.*; all where it is left out.
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    events: Vec<String>,
    /// A header to add to each request; @FILE for a value that stands in a file. Can be given several times.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// A word about it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Attempts at most, like 50/s or 90/m.
    #[arg(long)]
    rate: Option<String>,
    /// Register it disabled.
    #[arg(long)]
    disabled: bool,
    /// An id brought along; a new one where it is left out.
    #[arg(long)]
    id: Option<EndpointId>,
    /// A secret brought along; others on this machine can see it, so that a file is better.
    #[arg(long, conflicts_with = "secret_file")]
    secret: Option<String>,
    /// The file of a secret brought along.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
    /// One JSON object: the endpoint, with its secret.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct NewEndpoint<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    events: &'a [String],
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<&'a str>,
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

pub(super) async fn run(args: &AddArgs) -> Result<(), CliError> {
    let secret = match (&args.secret, &args.secret_file) {
        (Some(text), _) => Some(input::secret("--secret", text)?),
        (None, Some(path)) => Some(input::secret_in("--secret-file", path)?),
        (None, None) => None,
    };
    let new = NewEndpoint {
        url: &args.url,
        format: args.format.map(Format::as_str),
        events: &args.events,
        headers: headers(&args.headers)?,
        description: args.description.as_deref(),
        rate: args.rate.as_deref(),
        disabled: args.disabled,
        id: args.id.as_ref().map(EndpointId::as_str),
        secret: secret.as_ref().map(|secret| secret.expose()),
    };
    let api = args.at.api()?;
    let company = &args.at.company;
    let ask = api.ask(Method::POST, company, &["endpoints"]).json(&new);
    let answer = api.answer(ask).await?;
    let mut out = Out::new();
    if args.json {
        out.line(&json_line(&answer.body))?;
        return Ok(out.flush()?);
    }
    let endpoint: EndpointView = answer.read()?;
    let made: SecretView = answer.read()?;
    // One that was brought along is known.
    let is_new = secret.is_none();
    let lines = fields::lines(&[
        ("id", Some(endpoint.id.clone())),
        ("secret", is_new.then_some(made.secret)),
    ]);
    for line in lines {
        out.line(&line)?;
    }
    out.flush()?;
    if is_new {
        out::note(&format!(
            "its requests are signed with this secret: give it to whoever runs the receiver. `hookline endpoints show {} \
             --company {company} --secret` shows it again",
            escape(&endpoint.id)
        ));
    }
    Ok(())
}

/// No value goes into a fault: it may be a secret.
pub(crate) fn headers(given: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let mut headers = BTreeMap::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(CliError::Usage(
                "--header must be NAME=VALUE, like x-team=crm, or NAME=@FILE".to_owned(),
            ));
        };
        let value = match value.strip_prefix('@') {
            None => value.to_owned(),
            Some(path) => {
                let read = text_file::read(Path::new(path), MAX_HEADER_FILE_BYTES);
                let text = read.map_err(|error| CliError::Failed(format!("--header {name}: {error}")))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        if headers.insert(name.to_owned(), value).is_some() {
            return Err(CliError::Usage(format!(
                "--header {name} is given twice; give it once"
            )));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers_have_a_name_and_a_value_that_no_fault_repeats() {
        let given =
            |texts: &[&str]| headers(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let read = given(&["x-a=1", "x-b=k=v"]).unwrap();
        assert_eq!((read["x-a"].as_str(), read["x-b"].as_str()), ("1", "k=v"));
        for bad in [&["s3cret"][..], &["x-a=s3cret", "x-a=2"], &["x-a=@/nowhere"]] {
            let told = given(bad).unwrap_err().to_string();
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}
