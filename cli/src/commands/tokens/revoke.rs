//! `hookline tokens revoke`: requests with the token are refused from now on.

use clap::Args;
use serde_json::json;

use crate::api::Method;
use crate::commands::at_console::AtConsole;
use crate::error::CliError;
use crate::out::Out;

const AFTER_HELP: &str = "\
Example:
  hookline tokens revoke tok_4d1f --company acme

Within five seconds every request with it is refused. Whoever uses it needs another first: `hookline tokens add`.";

/// Revoke a token.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RevokeArgs {
    /// Its id, as `hookline tokens list` prints it; never the token itself.
    #[arg(value_name = "ID", value_parser = token_id)]
    id: String,
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object that names what was revoked.
    #[arg(long)]
    json: bool,
}

fn token_id(text: &str) -> Result<String, &'static str> {
    let is_id = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_id
        .then(|| text.to_owned())
        .ok_or("must be the id of a token: letters, digits and _")
}

pub(super) async fn run(args: &RevokeArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let company = &args.at.company;
    api.answer(api.ask(Method::DELETE, company, &["tokens", &args.id]))
        .await?;
    let mut out = Out::new();
    out.line(&if args.json {
        json!({ "revoked": args.id, "company": company.as_str() }).to_string()
    } else {
        format!("revoked {} of {company}", args.id)
    })?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_nowhere_else() {
        assert!(token_id("tok_1").is_ok());
        for bad in ["", "..", "a/b", "tok-1", "hkl.token"] {
            assert!(token_id(bad).is_err(), "{bad}");
        }
    }
}
