//! `hookline endpoints rotate`: a new secret, with an overlap in which the old one counts as well.

use clap::Args;
use hookline_common::duration;
use hookline_common::ids::EndpointId;
use serde_json::json;

use crate::api::{Method, RotatedSecret};
use crate::commands::at_console::AtConsole;
use crate::commands::fields;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::text::json_line;

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints rotate ep_crm --company acme
  hookline endpoints rotate ep_crm --company acme --overlap 2h
  hookline endpoints rotate ep_crm --company acme --complete
  hookline endpoints rotate ep_crm --company acme --overlap 0s

While both secrets count, webhook-signature carries a signature of each, and Meeva-Signature is made with the old one; after \
that the new one counts alone. --complete ends the overlap now. --overlap 0s revokes the old one at once: for a secret that \
somebody else knows. While an overlap lasts no other rotation can begin.";

/// Give an endpoint a new secret.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RotateArgs {
    /// The endpoint.
    #[arg(value_name = "ID")]
    id: EndpointId,
    #[command(flatten)]
    at: AtConsole,
    /// How long the old secret counts as well: 0s to 7d.
    #[arg(long, default_value = "24h", value_parser = overlap, value_name = "DURATION")]
    overlap: String,
    /// End the overlap of the last rotation now: only the new secret counts.
    #[arg(long, conflicts_with = "overlap")]
    complete: bool,
    /// One JSON object: the secret and the end of the overlap, or the endpoint.
    #[arg(long)]
    json: bool,
}

fn overlap(text: &str) -> Result<String, &'static str> {
    const MAX_S: u64 = 7 * 24 * 3600;
    let is_overlap = duration::parse(text).is_some_and(|overlap| overlap.as_secs() <= MAX_S);
    is_overlap
        .then(|| text.to_owned())
        .ok_or("must be a duration from 0s to 7d, like 24h")
}

pub(super) async fn run(args: &RotateArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let (company, id) = (&args.at.company, args.id.as_str());
    let path = ["endpoints", id, "rotate-secret", "complete"];
    let ask = if args.complete {
        api.ask(Method::POST, company, &path)
    } else {
        let ask = api.ask(Method::POST, company, &path[..3]);
        ask.json(&json!({ "overlap": args.overlap }))
    };
    let answer = api.answer(ask).await?;
    let mut out = Out::new();
    if args.json {
        out.line(&json_line(&answer.body))?;
        return Ok(out.flush()?);
    }
    if args.complete {
        out.line(&format!("only the new secret of {id} of {company} counts now"))?;
        return Ok(out.flush()?);
    }
    let rotated: RotatedSecret = answer.read()?;
    let lines = fields::lines(&[
        ("secret", Some(rotated.secret)),
        ("overlap until", Some(rotated.overlap_until)),
    ]);
    for line in lines {
        out.line(&line)?;
    }
    out.flush()?;
    out::note(&format!(
        "give it to whoever runs the receiver; when it is in place, `hookline endpoints rotate {id} --company {company} \
         --complete` ends the overlap"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_lasts_a_week_at_most() {
        for good in ["0s", "24h", "7d"] {
            assert!(overlap(good).is_ok(), "{good}");
        }
        for bad in ["", "8d", "1w", "-1s", "24"] {
            assert!(overlap(bad).is_err(), "{bad}");
        }
    }
}
