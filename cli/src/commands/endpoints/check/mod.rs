//! `hookline endpoints check`: whether a dispatcher could work with an endpoints file, before it is asked to.

mod settings; // what the dispatcher would be told

use clap::Args;
use hookline_common::endpoint::{Endpoint, EventPattern, Format};
use hookline_common::endpoints_file;
use hookline_common::guard::{Host, Policy, Target};
use hookline_common::ids::EventId;
use hookline_common::settings::Environment;
use hookline_common::toml_file::FileFaults;
use serde::Serialize;

use self::settings::{CheckFlags, CheckSettings};
use crate::commands::endpoints::file;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::table::{Column, Table};
use crate::text::escape;

const COLUMNS: [Column; 6] = [
    Column::whole("COMPANY"),
    Column::whole("ID"),
    Column::whole("HOST"),
    Column::whole("FORMAT"),
    Column::text("EVENTS", 12),
    Column::whole("DISABLED"),
];

const AFTER_HELP: &str = "\
Examples:
  hookline endpoints check endpoints.toml
  hookline endpoints check endpoints.toml --json | jq -r .host
  hookline endpoints check dev.toml --allow-http true --allow-cidrs 127.0.0.0/8
  git show main:endpoints.toml | hookline endpoints check -

Checked are the grammar, every URL against the guard, headers, event patterns and secrets; secret_env and secret_file are \
read here, as the dispatcher reads them there. No name is resolved and nothing is connected to: an address behind a \
name is checked at each attempt. Give the settings that the dispatcher has.
Neither secrets nor URLs' paths are printed. Exit status: 0 valid (stdout lists the endpoints), 1 not (stdout names the first \
20 faults: line, endpoint, key, reason; stderr says how many there are), 2 usage or settings.";

/// Check an endpoints file, and list what it holds.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CheckArgs {
    /// The file; - for stdin.
    #[arg(value_name = "FILE|-")]
    file: String,
    /// One JSON object a line: endpoints, or faults.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: CheckFlags,
}

pub(super) fn run(args: &CheckArgs) -> Result<(), CliError> {
    let settings = args.flags.read()?;
    let text = file::read(&args.file)?;
    match check(&text, &settings) {
        Ok(endpoints) => list(&endpoints, &settings.policy, args),
        Err(faults) => Err(file::refuse(&faults, &args.file, args.json)?),
    }
}

/// The endpoints, or what is wrong with them, in the order of the lines.
fn check(text: &str, settings: &CheckSettings) -> Result<Vec<Endpoint>, FileFaults> {
    let CheckSettings {
        policy,
        default_format,
    } = settings;
    endpoints_file::parse_guarded(text, *default_format, &Environment, policy)
}

/// An endpoint as it is listed. Of its URL only what holds no token.
#[derive(Debug, Serialize)]
struct Row<'a> {
    company: &'a str,
    id: &'a str,
    scheme: &'static str,
    host: String,
    port: u16,
    format: &'static str,
    events: Vec<&'a str>,
    headers: Vec<&'a str>,
    rate: Option<String>,
    disabled: bool,
    /// Whether its requests carry `webhook-signature`.
    webhook_signature: bool,
}

impl<'a> Row<'a> {
    fn new(endpoint: &'a Endpoint, target: &Target) -> Self {
        let host = match target.host() {
            Host::Name(name) => name.clone(),
            Host::Address(address) if address.is_ipv6() => format!("[{address}]"),
            Host::Address(address) => address.to_string(),
        };
        Self {
            company: endpoint.company.as_str(),
            id: endpoint.id.as_str(),
            scheme: if target.is_https() { "https" } else { "http" },
            host,
            port: target.port(),
            format: endpoint.format.as_str(),
            events: endpoint
                .events
                .patterns()
                .iter()
                .map(EventPattern::as_str)
                .collect(),
            headers: endpoint
                .headers
                .iter()
                .map(|header| header.name.as_str())
                .collect(),
            rate: endpoint.rate.map(|rate| rate.to_string()),
            disabled: endpoint.disabled,
            webhook_signature: has_standard_key(endpoint),
        }
    }

    fn to_cells(&self) -> Vec<String> {
        let (prefix, usual_port) = if self.scheme == "https" {
            ("", 443)
        } else {
            ("http://", 80)
        };
        let mut host = format!("{prefix}{}", self.host);
        if self.port != usual_port {
            host.push_str(&format!(":{}", self.port));
        }
        let events = if self.events.is_empty() {
            "all".to_owned()
        } else {
            self.events.join(",")
        };
        let disabled = if self.disabled { "disabled" } else { "" };
        [self.company, self.id, &host, self.format, &events, disabled]
            .map(escape)
            .into()
    }
}

/// Whether there is any key to make `webhook-signature` with.
fn has_standard_key(endpoint: &Endpoint) -> bool {
    EventId::parse("evt_1").is_ok_and(|id| endpoint.keys.standard(&id, 0, b"").is_some())
}

fn list(endpoints: &[Endpoint], policy: &Policy, args: &CheckArgs) -> Result<(), CliError> {
    let mut out = Out::new();
    let mut table = Table::new(&COLUMNS, out.terminal);
    for endpoint in endpoints {
        // Whoever is refused was named above, and the file with them.
        let Ok(target) = policy.check_url(&endpoint.url) else {
            continue;
        };
        let row = Row::new(endpoint, &target);
        if args.json {
            out.line(&serde_json::to_string(&row).unwrap_or_default())?;
        } else {
            table.row(row.to_cells(), &mut out)?;
        }
    }
    table.finish(&mut out)?;
    out.flush()?;
    for endpoint in endpoints.iter().filter(|endpoint| !has_standard_key(endpoint)) {
        out::note(&notice(endpoint));
    }
    if endpoints.is_empty() {
        out::note(NO_ENDPOINTS);
    }
    if !args.json {
        let count = match endpoints.len() {
            1 => "one endpoint".to_owned(),
            count => format!("{count} endpoints"),
        };
        out::note(&format!("{}: valid, {count}", escape(&args.file)));
    }
    Ok(())
}

const NO_ENDPOINTS: &str = "notice: it has no endpoints; a dispatcher starts with it only where \
                            HOOKLINE_ALLOW_NO_ENDPOINTS=true, and takes it in place of none that has some";

fn notice(endpoint: &Endpoint) -> String {
    let left = match endpoint.format {
        Format::Meeva => "its requests carry Meeva-Signature alone",
        Format::Meetergo | Format::MeetergoFlat | Format::Standard => {
            "its requests carry no signature at all"
        }
    };
    format!(
        "notice: endpoint {} of {}: its secret is no Standard Webhooks key (whsec_ and padded base64 of 24 to 64 bytes), \
         so webhook-signature is left out and {left}",
        endpoint.id, endpoint.company
    )
}

#[cfg(test)]
mod tests;
