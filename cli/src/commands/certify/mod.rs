//! `hookline certify`: a booking's life against a partner's endpoint, and a report that the partner can act on.

mod settings; // what the dispatcher would be told
mod print; // the report in a terminal

use std::fs;
use std::time::Duration;

use clap::Args;
use hookline_certify::{CertifyError, Partner, Verdict, html, play};
use hookline_common::endpoint::{Format, StaticHeader};
use hookline_common::guard::check_header;
use hookline_common::secret::Secret;
use hookline_common::settings::{parse, variables};
use hookline_common::signature::SigningKeys;

use self::settings::CertifyFlags;
use crate::commands::endpoints::add;
use crate::commands::sign::input;
use crate::error::CliError;
use crate::out::Out;
use crate::settings::help;
use crate::text::escape;

const AFTER_HELP: &str = "\
Examples:
  hookline certify https://crm.example.com/hooks --secret-file s
  hookline certify https://crm.example.com/hooks --secret-file s --html certificate.html
  hookline certify https://crm.example.com/hooks --format standard --secret-file s --json
  hookline certify http://127.0.0.1:3000/webhooks/meeva --secret-file s --allow-http true --allow-cidrs 127.0.0.0/8

Played are: a booking made, moved and cancelled; forged signatures; JSON in another spelling; an old timestamp; the same \
event twice; events out of order; the largest event; ten at once; a request that comes in drips; a connection that is kept \
and rests. The requests are the dispatcher's own, through its guard. Each check says what was sent, what was answered, what a good receiver answers, and what \
to do. The events are real to the receiver: their bookings' ids begin alike, as the report says, so that they can be removed.
Without a secret (formats meetergo and meetergo-flat) nothing is forged. Whether work is done once for an event that comes \
twice cannot be seen from outside.
Others on this machine can see the command line: --secret-file keeps a real secret out of it.
Exit status: 0 passed (advice may be left), 1 not passed or not played, 2 usage or settings.";

const USAGE: &str = "\
hookline certify <URL> (--secret <SECRET> | --secret-file <FILE>) [OPTIONS]
       hookline certify <URL> --format meetergo [OPTIONS]";

/// [`hookline_certify::PAUSE`], as people write it.
const DEFAULT_PAUSE: &str = "8s";

/// Certify a partner's endpoint: play a booking's life against it, and say what a good receiver does.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub(crate) struct CertifyArgs {
    /// The endpoint.
    #[arg(value_name = "URL")]
    url: String,
    /// The secret that it verifies with.
    // A plain text for clap, which would print what it cannot parse.
    #[arg(long, value_name = "SECRET", conflicts_with = "secret_file")]
    secret: Option<String>,
    /// The same, from a file; one line break at its end is left out.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
    #[arg(long, value_name = "FORMAT", help = help(&variables::DEFAULT_FORMAT))]
    format: Option<Format>,
    /// A header that it wants to find in each request; @FILE for a value that stands in a file. Can be given several times.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// How long a connection rests before it is used again; Node closes one after 5s or 6s.
    #[arg(long, value_name = "DURATION", value_parser = pause, default_value = DEFAULT_PAUSE)]
    pause: Duration,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
    /// Write the report as a page of its own, too.
    #[arg(long, value_name = "FILE")]
    html: Option<String>,
    #[command(flatten)]
    flags: CertifyFlags,
}

fn pause(text: &str) -> Result<Duration, String> {
    parse::duration_within(text, Duration::ZERO, Duration::from_secs(600))
}

pub(crate) async fn run(args: CertifyArgs) -> Result<(), CliError> {
    let partner = partner(&args)?;
    let mut out = Out::live();
    let terminal = out.terminal;
    let mut printed = Ok(());
    let played = play(&partner, |check| {
        if !args.json && printed.is_ok() {
            printed = out.line(&print::check(check, terminal));
        }
    });
    let report = played.await.map_err(|error| not_played(&error, &args.url))?;
    if args.json {
        out.line(&print::json(&report))?;
    } else {
        printed?;
        out.line(&print::closing(&report, terminal))?;
    }
    out.flush()?;
    if let Some(path) = &args.html {
        fs::write(path, html(&report)).map_err(|error| {
            CliError::Failed(format!(
                "--html: {path} cannot be written: {error}; name a file in a folder that is there"
            ))
        })?;
    }
    if report.passed {
        return Ok(());
    }
    Err(CliError::Failed(format!(
        "the endpoint has not passed: {}; mend what the report says and run this again",
        report.named(Verdict::Failed).join(", ")
    )))
}

fn partner(args: &CertifyArgs) -> Result<Partner, CliError> {
    let settings = args.flags.read()?;
    let format = args.format.unwrap_or(settings.default_format);
    let secret = match (&args.secret, &args.secret_file) {
        (Some(text), _) => Some(input::secret("--secret", text)?),
        (None, Some(path)) => Some(input::secret_in("--secret-file", path)?),
        (None, None) => None,
    };
    Ok(Partner {
        url: args.url.clone(),
        format,
        verifies: secret.is_some(),
        keys: needed(secret, format)?.map(|secret| SigningKeys::new(&secret, None)),
        headers: headers(&args.headers)?,
        policy: settings.policy,
        ca_pem: settings.ca_pem,
        timeout: settings.timeout,
        pause: args.pause,
        proxy: None,
        within: None,
    })
}

/// Receivers of the formats that promise a signature are certified with one.
fn needed(secret: Option<Secret>, format: Format) -> Result<Option<Secret>, CliError> {
    match format {
        Format::Meeva | Format::Standard if secret.is_none() => Err(CliError::Usage(format!(
            "receivers of the format {format} verify signatures, so a secret is needed; give --secret or --secret-file"
        ))),
        _ => Ok(secret),
    }
}

/// The headers, judged as an endpoint's. No value is repeated: it may be a token.
fn headers(given: &[String]) -> Result<Vec<StaticHeader>, CliError> {
    let judged = add::headers(given)?.into_iter().map(|(name, value)| {
        check_header(&name, &value).map_err(|refusal| CliError::Usage(format!("--header: {refusal}")))?;
        Ok(StaticHeader { name, value })
    });
    judged.collect()
}

/// Why nothing was played. What the guard refuses is told in full: whoever runs this is the operator.
fn not_played(error: &CertifyError, url: &str) -> CliError {
    match error {
        CertifyError::Refused(refusal) | CertifyError::AddressRefused(refusal) => CliError::Failed(format!(
            "nothing was sent to {}: {refusal}",
            escape(&hookline_certify::shown_url(url))
        )),
        error => CliError::Failed(format!("no certificate can be played: {error}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn formats_that_promise_a_signature_want_a_secret() {
        for (format, is_needed) in [
            (Format::Meeva, true),
            (Format::Standard, true),
            (Format::Meetergo, false),
            (Format::MeetergoFlat, false),
        ] {
            assert_eq!(needed(None, format).is_err(), is_needed, "{format}");
        }
    }

    #[test]
    fn a_connection_rests_as_long_as_in_the_dashboard() {
        assert_eq!(pause(DEFAULT_PAUSE), Ok(hookline_certify::PAUSE));
    }

    #[test]
    fn a_header_is_judged_as_an_endpoints_and_its_value_is_not_repeated() {
        let judged = |text: &str| headers(&[text.to_owned()]);
        assert_eq!(judged("x-team=crm").unwrap()[0].value, "crm");
        for bad in ["x-team", "host=MARKER", "webhook-id=MARKER", "x y=MARKER"] {
            let told = judged(bad).unwrap_err().to_string();
            assert!(told.starts_with("--header") && !told.contains("MARKER"), "{told}");
        }
    }
}
