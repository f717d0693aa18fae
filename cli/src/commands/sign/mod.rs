//! `hookline sign`: the headers that Hookline would send with a body.

pub(crate) mod input; // secrets and bodies as they are given

use clap::Args;
use hookline_common::ids::EventId;
use hookline_common::signature::SigningKeys;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::CliError;
use crate::out::{self, Out};

const AFTER_HELP: &str = "\
Examples:
  hookline sign --secret-file s --id evt_1 --data @body.json
  hookline sign --secret-file new.secret --previous-secret-file old.secret --id evt_1 --data @body.json
  curl --data-binary @body.json -H @<(hookline sign --secret-file s --id evt_1 --data @body.json) URL

What is signed is the raw body of a request, byte for byte: for the format meeva that is
{\"id\":…,\"type\":…,\"createdAt\":…,\"data\":{…}}, and not data alone.
webhook-signature is Standard Webhooks v1: base64 HMAC-SHA256 over id.timestamp.body with what whsec_ decodes to, one \
for each secret. It is left out where no secret is such a key. Meeva-Signature is the hex HMAC-SHA256 over the body with \
the whole text of the secret, of the previous one while there is one; Hookline sends it with the format meeva.
Others on this machine can see the command line: --secret-file keeps a real secret out of it.";

const USAGE: &str = "\
hookline sign --secret <SECRET> --id <EVENT_ID> --data <BODY|@FILE|-> [OPTIONS]
       hookline sign --secret-file <FILE> --id <EVENT_ID> --data <BODY|@FILE|-> [OPTIONS]";

/// Print the headers that Hookline would sign a body with.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub(crate) struct SignArgs {
    /// The endpoint's secret.
    // A plain text for clap, which would print what it cannot parse.
    #[arg(
        long,
        value_name = "SECRET",
        required_unless_present = "secret_file",
        conflicts_with = "secret_file"
    )]
    secret: Option<String>,
    /// The same, from a file; one line break at its end is left out.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
    /// The secret before it, while a rotation is not completed.
    #[arg(long, value_name = "SECRET", conflicts_with = "previous_secret_file")]
    previous_secret: Option<String>,
    /// The same, from a file.
    #[arg(long, value_name = "FILE")]
    previous_secret_file: Option<String>,
    /// The event's id.
    #[arg(long, value_name = "EVENT_ID")]
    id: EventId,
    /// When it is sent, in seconds since the epoch; now by default.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..))]
    timestamp: Option<i64>,
    /// The raw body: the text itself, @FILE, or - for stdin.
    #[arg(long, value_name = "BODY|@FILE|-")]
    data: String,
    /// One JSON object with the headers as its members.
    #[arg(long)]
    json: bool,
}

/// The headers, in the order in which they are printed.
#[derive(Debug, Serialize)]
struct Headers {
    #[serde(rename = "webhook-id")]
    id: String,
    #[serde(rename = "webhook-timestamp")]
    timestamp: String,
    #[serde(rename = "webhook-signature", skip_serializing_if = "Option::is_none")]
    standard: Option<String>,
    #[serde(rename = "Meeva-Signature")]
    meeva: String,
}

pub(crate) fn run(args: &SignArgs) -> Result<(), CliError> {
    let one_of = |text: &Option<String>, file: &Option<String>, flag: &str| match (text, file) {
        (Some(text), _) => input::secret(flag, text).map(Some),
        (None, Some(path)) => input::secret_in(&format!("{flag}-file"), path).map(Some),
        (None, None) => Ok(None),
    };
    let secret = one_of(&args.secret, &args.secret_file, "--secret")?
        .ok_or_else(|| CliError::Usage("a secret is needed; give --secret or --secret-file".to_owned()))?;
    let previous = one_of(
        &args.previous_secret,
        &args.previous_secret_file,
        "--previous-secret",
    )?;
    let body = input::body(&args.data)?;
    let timestamp = args.timestamp.unwrap_or_else(|| Timestamp::now().as_second());
    let headers = headers(
        &SigningKeys::new(&secret, previous.as_ref()),
        &args.id,
        timestamp,
        &body,
    );
    if headers.standard.is_none() {
        out::note(
            "no webhook-signature: no secret is whsec_ and padded base64 of 24 to 64 bytes, so Hookline leaves it out",
        );
    }
    let mut out = Out::new();
    if args.json {
        out.line(&serde_json::to_string(&headers).unwrap_or_default())?;
    } else {
        for line in headers.lines() {
            out.line(&line)?;
        }
    }
    Ok(out.flush()?)
}

fn headers(keys: &SigningKeys, id: &EventId, timestamp: i64, body: &[u8]) -> Headers {
    Headers {
        id: id.to_string(),
        timestamp: timestamp.to_string(),
        standard: keys.standard(id, timestamp, body),
        meeva: keys.meeva(body),
    }
}

impl Headers {
    fn lines(&self) -> impl Iterator<Item = String> {
        let all = [
            ("webhook-id", Some(&self.id)),
            ("webhook-timestamp", Some(&self.timestamp)),
            ("webhook-signature", self.standard.as_ref()),
            ("Meeva-Signature", Some(&self.meeva)),
        ];
        all.into_iter()
            .filter_map(|(name, value)| value.map(|value| format!("{name}: {value}")))
    }
}
