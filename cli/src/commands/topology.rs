//! `hookline topology`: make the exchange and the queues so, or tell how they differ.

use clap::{Args, Subcommand};
use hookline_common::broker::{Discrepancy, DiscrepancyKind, check, declare};
use hookline_common::settings::variables;
use hookline_common::topology::{QueueSpec, Topology};
use serde::Serialize;

use crate::error::CliError;
use crate::out::{Colour, Out};
use crate::settings::{Flags, help};

const AFTER_HELP: &str = "\
Examples:
  hookline topology apply
  hookline topology check && echo as it must be
  hookline topology check --retry-schedule 1m,5m,30m --json

Producers and dispatchers declare what they need by themselves; this is for accounts that may not, and for \
looking.
Check creates nothing but the binding of the events queue, which a broker cannot be asked for and which is made \
again.
Each delay of the retry schedule has a queue of its own: give the schedule that the dispatchers have.";

/// Create the exchange and the queues on the broker, or check them.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum TopologyCommand {
    /// Create what is missing and print what stands; changes nothing that exists.
    #[command(after_help = AFTER_HELP)]
    Apply(TopologyArgs),
    /// Compare: exit status 1 names every difference and the way out.
    #[command(after_help = AFTER_HELP)]
    Check(TopologyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TopologyArgs {
    #[arg(long, value_name = "DELAYS", help = help(&variables::RETRY_SCHEDULE), help_heading = "Settings")]
    retry_schedule: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: TopologyCommand, flags: &Flags) -> Result<(), CliError> {
    let (TopologyCommand::Apply(args) | TopologyCommand::Check(args)) = &command;
    let (broker, schedule) = flags.broker_and_schedule(args.retry_schedule.as_deref())?;
    let topology = Topology::whole(&broker.namespace, &schedule);
    let link = broker.link("hookline topology");
    let failed = |error| CliError::broker(&error, &broker.url);
    let found = check(&link, &topology).await.map_err(failed)?;
    let mut out = Out::new();
    let is_missing = |name: &str| {
        found
            .iter()
            .any(|it| it.kind == DiscrepancyKind::Missing && it.object == name)
    };
    match command {
        TopologyCommand::Apply(_) => {
            declare(&link, &topology).await.map_err(failed)?;
            for object in objects(&topology) {
                let state = if is_missing(&object.to_name()) {
                    State::Created
                } else {
                    State::Stands
                };
                out.line(&object.print(state, args.json, &out))?;
            }
            Ok(out.flush()?)
        }
        TopologyCommand::Check(_) => {
            let count = objects(&topology).count();
            for discrepancy in &found {
                out.line(&if args.json {
                    json_of(discrepancy)
                } else {
                    discrepancy.to_string()
                })?;
            }
            out.flush()?;
            match found.len() {
                0 => Ok(()),
                differing => Err(CliError::Failed(format!(
                    "{differing} of {count} objects are not as they must be; mend what is named above"
                ))),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Created,
    Stands,
}

/// An exchange or a queue, to be printed.
#[derive(Debug)]
enum Object<'a> {
    Exchange(&'a str),
    Queue(&'a QueueSpec),
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: &'a str,
    state: State,
    arguments: serde_json::Map<String, serde_json::Value>,
}

fn objects(topology: &Topology) -> impl Iterator<Item = Object<'_>> {
    let exchange = std::iter::once(Object::Exchange(&topology.events_exchange));
    exchange.chain(topology.queues.iter().map(Object::Queue))
}

impl Object<'_> {
    /// As discrepancies name it.
    fn to_name(&self) -> String {
        match self {
            Self::Exchange(name) => format!("exchange {name:?}"),
            Self::Queue(spec) => format!("queue {:?}", spec.name),
        }
    }

    fn print(&self, state: State, json: bool, out: &Out) -> String {
        let (kind, name, arguments) = match self {
            Self::Exchange(name) => ("exchange", *name, vec![("type", "topic".to_owned())]),
            Self::Queue(spec) => ("queue", spec.name.as_str(), arguments(spec)),
        };
        if json {
            let arguments = arguments
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect();
            return serde_json::to_string(&Row {
                kind,
                name,
                state,
                arguments,
            })
            .unwrap_or_default();
        }
        let state = match state {
            State::Created => out.terminal.paint(Colour::Good, "created"),
            State::Stands => "stands ".to_owned(),
        };
        let arguments: Vec<String> = arguments
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let arguments = out.terminal.paint(Colour::Faint, &arguments.join(" "));
        format!("{state}  {kind:8}  {name}  {arguments}")
    }
}

fn arguments(spec: &QueueSpec) -> Vec<(&'static str, String)> {
    spec.arguments
        .iter()
        .map(|(name, value)| (*name, value.to_string()))
        .collect()
}

#[derive(Debug, Serialize)]
struct DiscrepancyRow<'a> {
    object: &'a str,
    problem: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<&'a str>,
    detail: String,
}

fn json_of(discrepancy: &Discrepancy) -> String {
    let (problem, argument, found, wanted) = match &discrepancy.kind {
        DiscrepancyKind::Missing => ("missing", None, None, None),
        DiscrepancyKind::Differs {
            argument,
            found,
            wanted,
        } => (
            "differs",
            Some(argument.as_str()),
            found.as_deref(),
            wanted.as_deref(),
        ),
        DiscrepancyKind::Other(_) => ("other", None, None, None),
    };
    let detail = discrepancy.to_string();
    let row = DiscrepancyRow {
        object: &discrepancy.object,
        problem,
        argument,
        found,
        wanted,
        detail,
    };
    serde_json::to_string(&row).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_discrepancy_is_one_object_with_both_values() {
        let kind = DiscrepancyKind::Differs {
            argument: "x-message-ttl".into(),
            found: Some("1000".into()),
            wanted: Some("2000".into()),
        };
        let line = json_of(&Discrepancy {
            object: "queue \"q\"".into(),
            kind,
        });
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&row["problem"], &row["found"], &row["wanted"]),
            (&"differs".into(), &"1000".into(), &"2000".into())
        );
        assert!(!line.contains('\n'));
    }
}
