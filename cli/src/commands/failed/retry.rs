//! `hookline failed retry`: the console sends them again.

use std::time::Duration;

use clap::Args;
use hookline_common::ids::{CompanyId, EventId};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::filter::FilterArgs;
use super::views::{DeadLetterView, Progress, Retried};
use crate::api::{Api, Method, Pages};
use crate::commands::at_console::AtConsole;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::text::{escape, json_line};

/// How often the console is asked how far it has come.
const ASK_EVERY: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "\
Examples:
  hookline failed retry evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --company acme
  hookline failed retry evt_0190c2f4b1d87a3e9c5d6f7081a2b3c4 --endpoint ep_crm --company acme
  hookline failed retry --all --company acme --endpoint ep_crm --dry-run
  hookline failed retry --all --company acme --type 'booking.*' --since 2h

A dead letter becomes a fresh delivery, attempt 1 of the whole schedule; it goes when that is delivered, and comes back when \
it fails again. --all means what is there now and was not retried before; the console sends it at its own pace \
(HOOKLINE_MANUAL_RETRY_RATE for each endpoint), also when this command is ended. What endpoints that are disabled or gone did \
not get stays: resume them first.";

const USAGE: &str = "\
hookline failed retry <EVENT_ID>… --company <COMPANY> [--endpoint <ENDPOINT>]
       hookline failed retry --all --company <COMPANY> [OPTIONS]";

/// Deliver again, from the first attempt on.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub(crate) struct RetryArgs {
    /// Ids of events; all their endpoints unless --endpoint says which.
    #[arg(
        value_name = "EVENT_ID",
        conflicts_with = "all",
        required_unless_present = "all"
    )]
    events: Vec<EventId>,
    /// Every one that the filters let through.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only say how many it would be.
    #[arg(long, requires = "all")]
    dry_run: bool,
    /// Also those that were retried already and have not come back: they may be delivered twice.
    #[arg(long, requires = "all")]
    again: bool,
    #[command(flatten)]
    at: AtConsole,
    /// One JSON object for each that was sent, or for the whole.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RetryArgs) -> Result<(), CliError> {
    let api = args.at.api()?;
    if args.all {
        all(args, &api).await
    } else {
        some(args, &api).await
    }
}

/// Asks for all, and follows it to its end.
async fn all(args: &RetryArgs, api: &Api) -> Result<(), CliError> {
    let company = &args.at.company;
    let mut body = args.filter.body();
    body.insert("dry_run".to_owned(), Value::from(args.dry_run));
    body.insert("again".to_owned(), Value::from(args.again));
    let ask = api.ask(Method::POST, company, &["failed", "retry"]).json(&body);
    let answer = api.answer(ask).await?;
    let retried: Retried = answer.read()?;
    let mut out = Out::new();
    let Some(retry) = retried.retry else {
        out.line(&if args.json {
            json_line(&answer.body)
        } else {
            let (count, but) = (letters(retried.count), but(retried.skipped));
            if args.dry_run {
                format!("{count} would be retried{but}")
            } else {
                // There is nothing to follow.
                format!("retried {count}{but}")
            }
        })?;
        return Ok(out.flush()?);
    };
    let path = ["failed", "retries", &retry];
    let (body, progress) = loop {
        let answer = api.answer(api.ask(Method::GET, company, &path)).await?;
        let progress: Progress = answer.read()?;
        if progress.state == "done" {
            break (answer.body, progress);
        }
        if !args.json {
            let retry = escape(&retry);
            out::note(&format!("{} of {} sent ({retry})", progress.done, progress.total));
        }
        sleep(ASK_EVERY).await;
    };
    out.line(&if args.json {
        json_line(&body)
    } else {
        format!("retried {}{}", letters(progress.done), but(retried.skipped))
    })?;
    Ok(out.flush()?)
}

fn letters(count: u64) -> String {
    if count == 1 {
        "1 dead letter".to_owned()
    } else {
        format!("{count} dead letters")
    }
}

fn but(skipped: u64) -> String {
    if skipped == 0 {
        String::new()
    } else {
        format!(
            "; {} of endpoints that are disabled or gone stay",
            letters(skipped)
        )
    }
}

/// Sends one after the other.
async fn some(args: &RetryArgs, api: &Api) -> Result<(), CliError> {
    let company = &args.at.company;
    let mut out = Out::new();
    for event in &args.events {
        let endpoints = match &args.filter.endpoint {
            Some(endpoint) => vec![endpoint.to_string()],
            None => endpoints_of(args, api, event).await?,
        };
        if endpoints.is_empty() {
            return Err(CliError::Failed(format!(
                "{event} is not among the dead letters of {company}; `hookline failed list --company {company}` lists them"
            )));
        }
        for endpoint in endpoints {
            let path = ["failed", event.as_str(), &endpoint, "retry"];
            api.answer(api.ask(Method::POST, company, &path)).await?;
            out.line(&line(event, &endpoint, company, args.json))?;
        }
    }
    Ok(out.flush()?)
}

/// One that was sent. The endpoint is called as the console has answered it.
fn line(event: &EventId, endpoint: &str, company: &CompanyId, as_json: bool) -> String {
    if as_json {
        let line = json!({"retried": event.as_str(), "endpoint": endpoint, "company": company.as_str()});
        return json_line(&line.to_string());
    }
    format!("retried {event} to {}", escape(endpoint))
}

/// The endpoints that did not get an event.
async fn endpoints_of(args: &RetryArgs, api: &Api, event: &EventId) -> Result<Vec<String>, CliError> {
    let mut pages = Pages::of(api, &args.at.company, "failed").with("event", Some(event));
    let mut endpoints = Vec::new();
    while let Some(rows) = pages.next().await? {
        for row in rows {
            let letter: DeadLetterView = api.read(row.get())?;
            if !endpoints.contains(&letter.endpoint) {
                endpoints.push(letter.endpoint);
            }
        }
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_of_an_answer_reaches_the_terminal_that_it_would_obey() {
        let (event, company) = (
            EventId::parse("evt_1").unwrap(),
            CompanyId::parse("acme").unwrap(),
        );
        let endpoint = "ep\u{9b}2J\u{202e}";
        assert_eq!(
            line(&event, endpoint, &company, false),
            "retried evt_1 to ep\\u{9b}2J\\u{202e}"
        );
        let as_json = line(&event, endpoint, &company, true);
        assert!(as_json.is_ascii(), "{as_json}");
        let value: Value = serde_json::from_str(&as_json).unwrap();
        assert_eq!(
            value,
            json!({"retried": "evt_1", "endpoint": endpoint, "company": "acme"})
        );
    }
}
