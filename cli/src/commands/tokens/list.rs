//! `hookline tokens list`: a line for each, revoked ones too.

use clap::Args;
use jiff::Timestamp;

use crate::api::{Pages, TokenView};
use crate::commands::at_console::AtConsole;
use crate::commands::rows::Rows;
use crate::commands::times::age;
use crate::error::CliError;
use crate::table::Column;
use crate::text::escape;

const COLUMNS: [Column; 5] = [
    Column::whole("ID"),
    Column::text("NAME", 10),
    Column::whole("STATE"),
    Column::number("AGE"),
    Column::number("USED"),
];

const AFTER_HELP: &str = "\
Examples:
  hookline tokens list --company acme
  hookline tokens list --company acme --json | jq -r 'select(.revoked_at == null) | .id'

USED is how long ago a request was made with it, to within a minute. The tokens themselves are kept nowhere.";

/// List a company's tokens.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    let rows = Rows {
        columns: &COLUMNS,
        as_json: args.json,
        limit: None,
        nothing: format!("{} has no tokens", args.at.company),
    };
    let pages = Pages::of(&api, &args.at.company, "tokens");
    let now = Timestamp::now();
    rows.print(pages, |token| cells(token, now)).await?;
    Ok(())
}

fn cells(token: &TokenView, now: Timestamp) -> Vec<String> {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let state = match (&token.revoked_at, &token.expires_at) {
        (Some(_), _) => "revoked".to_owned(),
        (None, Some(end)) if at(end).is_some_and(|end| end <= now) => "expired".to_owned(),
        (None, Some(end)) => format!("until {end}"),
        (None, None) => "active".to_owned(),
    };
    let ago = |text: &str| at(text).map_or_else(|| "–".to_owned(), |at| age(now, at));
    let used = token.last_used_at.as_deref().map_or_else(|| "–".to_owned(), ago);
    [&token.id, &token.name, &state, &ago(&token.created_at), &used]
        .map(|cell| escape(cell))
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_active_until_it_ends_or_is_revoked() {
        let now = "2030-01-15T14:30:00Z".parse().unwrap();
        let state = |expires: Option<&str>, revoked: Option<&str>| {
            let view = serde_json::json!({
                "id": "tok_1", "name": "n\x1b", "created_at": "2030-01-15T14:20:00Z", "expires_at": expires,
                "revoked_at": revoked, "last_used_at": null
            });
            let cells = cells(&serde_json::from_value(view).unwrap(), now);
            assert_eq!((&*cells[1], &*cells[3], &*cells[4]), ("n\\u{1b}", "10m", "–"));
            cells[2].clone()
        };
        assert_eq!(state(None, None), "active");
        let later = "2030-02-15T14:30:00Z";
        assert_eq!(state(Some(later), None), format!("until {later}"));
        assert_eq!(state(Some("2030-01-15T14:30:00Z"), None), "expired");
        assert_eq!(state(Some(later), Some("2030-01-01T00:00:00Z")), "revoked");
    }
}
