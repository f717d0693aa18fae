//! `hookline verify`: whether a request's signature holds, as a receiver would check it.

use clap::{ArgGroup, Args};
use hookline_common::secret::Secret;
use hookline_common::signature::{verify_meeva, verify_standard};
use jiff::Timestamp;

use crate::commands::sign::input;
use crate::error::CliError;
use crate::out::{Colour, Out};

const AFTER_HELP: &str = "\
Examples:
  hookline verify --secret-file s --meeva-signature sha256=… --data @body.json
  hookline verify --secret-file s --id evt_1 --timestamp 1700000000 --signature 'v1,…' --data @body.json
  hookline verify --secret-file s --id evt_1 --timestamp 1700000000 --signature 'v1,…' --now 1700000000 --data -

Take the raw body as it was received: JSON that was parsed and written again has another signature.
A webhook-timestamp may lie 300 seconds from now; --now gives the time at which an older request came. Several secrets \
are tried, as during a rotation. Exit status: 0 the signature holds, 1 it does not (stderr says why), 2 usage.";

const USAGE: &str = "\
hookline verify (--secret <SECRET> | --secret-file <FILE>)… --meeva-signature <VALUE> --data <BODY|@FILE|->
       hookline verify (--secret <SECRET> | --secret-file <FILE>)… --id <ID> --timestamp <SECONDS> --signature <VALUE> \
[--now <SECONDS>] --data <BODY|@FILE|->";

/// Verify the signature of a request that was received.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
#[command(group = ArgGroup::new("scheme").args(["meeva_signature", "signature"]).required(true))]
pub(crate) struct VerifyArgs {
    /// A secret to verify with; may be given several times.
    // A plain text for clap, which would print what it cannot parse.
    #[arg(
        long = "secret",
        value_name = "SECRET",
        required_unless_present = "secret_files"
    )]
    secrets: Vec<String>,
    /// The same, from a file; one line break at its end is left out.
    #[arg(long = "secret-file", value_name = "FILE")]
    secret_files: Vec<String>,
    /// The value of Meeva-Signature.
    #[arg(long, value_name = "VALUE")]
    meeva_signature: Option<String>,
    /// The value of webhook-id.
    #[arg(long, value_name = "ID", requires = "signature")]
    id: Option<String>,
    /// The value of webhook-timestamp.
    #[arg(long, value_name = "SECONDS", requires = "signature")]
    timestamp: Option<String>,
    /// The value of webhook-signature.
    #[arg(long, value_name = "VALUE", requires_all = ["id", "timestamp"])]
    signature: Option<String>,
    /// The time to hold the timestamp against, in seconds since the epoch; now by default.
    #[arg(long, value_name = "SECONDS", conflicts_with = "meeva_signature")]
    now: Option<i64>,
    /// The raw body: the text itself, @FILE, or - for stdin.
    #[arg(long, value_name = "BODY|@FILE|-")]
    data: String,
}

pub(crate) fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let secrets = secrets(args)?;
    let body = input::body(&args.data)?;
    let (header, verified) = match &args.meeva_signature {
        Some(value) => ("Meeva-Signature", verify_meeva(&secrets, value, &body)),
        None => {
            let [id, timestamp, signature] = [&args.id, &args.timestamp, &args.signature]
                .map(|value| value.as_deref().unwrap_or_default());
            let now = args.now.unwrap_or_else(|| Timestamp::now().as_second());
            let verified = verify_standard(&secrets, id, timestamp, signature, &body, now);
            ("webhook-signature", verified)
        }
    };
    verified.map_err(|error| CliError::Failed(format!("{header} does not hold: {error}")))?;
    let mut out = Out::new();
    let valid = out.terminal.paint(Colour::Good, "valid");
    out.line(&format!("{header}: {valid}"))?;
    Ok(out.flush()?)
}

fn secrets(args: &VerifyArgs) -> Result<Vec<Secret>, CliError> {
    let given = args.secrets.iter().map(|text| input::secret("--secret", text));
    let files = args
        .secret_files
        .iter()
        .map(|path| input::secret_in("--secret-file", path));
    given.chain(files).collect()
}
