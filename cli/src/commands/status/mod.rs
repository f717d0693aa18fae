//! `hookline status`: queues, consumers and alarms at a glance.
//!
//! What must be true at this moment is asked of the queues over AMQP; what AMQP does not tell, of the management API.

mod report; // what is known
mod oldest; // how long messages have waited

use clap::Args;
use hookline_common::broker::{AttemptsLog, LogRate, SurveyedQueue, survey};
use hookline_common::settings::{BrokerSettings, variables};
use hookline_common::topology::{Namespace, Queue, QueueSpec, Topology};
use jiff::Timestamp;

use self::report::{COLUMNS, Cluster, LogBound, QueueState, Report, Role};
use crate::error::CliError;
use crate::out::Out;
use crate::settings::{Flags, help};
use crate::table::Table;
use hookline_common::management::{Management, ManagementUrl, QueueInfo};

const AFTER_HELP: &str = "\
Examples:
  hookline status
  hookline status --json | jq 'select(.kind == \"problem\")'
  HOOKLINE_MANAGEMENT_URL=http://guest:guest@127.0.0.1:15672 hookline status

READY are messages that nobody holds, and IN HAND those that consumers hold. OLDEST is how long the oldest message has been \
there: of what failed or was rejected, and of the log of attempts. Looking into the others would count as a return of their \
messages, so a dispatcher's metric hookline_oldest_unsettled_seconds tells it of those.
A number is what the queue itself has answered. In hand, nodes and alarms are known where HOOKLINE_MANAGEMENT_URL names \
RabbitMQ's management API (or HOOKLINE_MANAGEMENT_URL_FILE a file that holds its URL). Where that does not tell how large the log \
may become, HOOKLINE_ATTEMPTS_MAX_BYTES, which has no flag here, says it.
Exit status: 0 all is well; 1 a queue is missing or does not answer, messages wait that nobody consumes, a node is down, an \
alarm is in force, or the broker cannot be asked (stderr says which, and what to do); 2 usage or settings.";

/// Show queues, consumers and alarms at a glance.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StatusArgs {
    #[arg(long, value_name = "DELAYS", help = help(&variables::RETRY_SCHEDULE), help_heading = "Settings")]
    retry_schedule: Option<String>,
    /// One JSON object a line: queues, then problems.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: StatusArgs, flags: &Flags) -> Result<(), CliError> {
    let (broker, schedule) = flags.broker_and_schedule(args.retry_schedule.as_deref())?;
    let management = Flags::management()?;
    let topology = Topology::whole(&broker.namespace, &schedule);
    let max_bytes = Flags::attempts_max_bytes()?;
    let (queues, rate) = ask_queues(&broker, &topology).await?;
    let mut report = Report {
        broker: broker.url.to_string(),
        queues,
        log: LogBound { rate, max_bytes },
        cluster: None,
    };
    if let Some(url) = management {
        report.cluster = Some(match ask_cluster(url, &broker).await {
            Ok((cluster, infos)) => {
                add_in_hand(&mut report.queues, &infos);
                let stream = broker.namespace.queue(Queue::Attempts);
                let bound = infos.iter().find(|info| info.name == stream).and_then(bound_of);
                report.log.max_bytes = bound.unwrap_or(report.log.max_bytes);
                Ok(cluster)
            }
            Err(error) => Err(error.to_string()),
        });
    }
    print(&report, args.json)?;
    match report.problems() {
        problems if problems.is_empty() => Ok(()),
        problems => Err(CliError::Failed(problems.join("; "))),
    }
}

async fn ask_queues(
    broker: &BrokerSettings,
    topology: &Topology,
) -> Result<(Vec<QueueState>, Option<LogRate>), CliError> {
    let failed = |error| CliError::broker(&error, &broker.url);
    let mut specs: Vec<(Role, &QueueSpec)> = topology
        .queues
        .iter()
        .map(|spec| (role(&spec.name, &broker.namespace), spec))
        .collect();
    // As an event meets them.
    specs.sort_by_key(|(role, _)| match role {
        Role::Working => 0,
        Role::Delay => 1,
        Role::SetAside => 2,
        Role::Log => 3,
        Role::Spill => 4,
    });
    let asked: Vec<SurveyedQueue> = specs
        .iter()
        .map(|(role, spec)| SurveyedQueue {
            name: spec.name.clone(),
            is_stream: *role == Role::Log,
        })
        .collect();
    let link = broker.link("hookline status");
    let depths = survey(&link, &asked).await.map_err(failed)?;
    let log = AttemptsLog::new(link.clone(), &broker.namespace);
    let mut rate = None;
    let mut queues = Vec::new();
    for ((role, spec), depth) in specs.into_iter().zip(depths) {
        let oldest = match (&depth, role) {
            (Ok(Some(depth)), Role::SetAside) => oldest::in_queue(&link, &spec.name, *depth).await,
            (Ok(Some(_)), Role::Log) => {
                let (oldest, found) = oldest::in_log(&log).await;
                rate = found;
                oldest
            }
            _ => None,
        };
        queues.push(QueueState {
            name: spec.name.clone(),
            role,
            depth: depth.map_err(|error| error.to_string()),
            in_hand: None,
            oldest,
        });
    }
    Ok((queues, rate))
}

/// The bound in force, as the broker says it: a policy's, or the one that the stream was declared with.
fn bound_of(info: &QueueInfo) -> Option<u64> {
    let policy = info.effective_policy_definition.get("max-length-bytes");
    let argument = info.arguments.get("x-max-length-bytes");
    [policy, argument]
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_u64)
        .min()
}

fn role(name: &str, namespace: &Namespace) -> Role {
    let is = |queue| namespace.queue(queue) == name;
    if is(Queue::Attempts) {
        Role::Log
    } else if is(Queue::AttemptsSpill) {
        Role::Spill
    } else if is(Queue::Failed) || is(Queue::Rejected) {
        Role::SetAside
    } else if [Queue::Events, Queue::Deliveries, Queue::Due, Queue::Quarantine]
        .into_iter()
        .any(is)
    {
        Role::Working
    } else {
        Role::Delay
    }
}

async fn ask_cluster(
    url: ManagementUrl,
    broker: &BrokerSettings,
) -> Result<(Cluster, Vec<QueueInfo>), CliError> {
    let management = Management::connect(url, broker)?;
    let infos = management.queues(&format!("{}.", broker.namespace)).await?;
    let nodes = management.nodes().await?;
    let alarms = management.alarms().await?;
    Ok((Cluster { nodes, alarms }, infos))
}

fn add_in_hand(queues: &mut [QueueState], infos: &[QueueInfo]) {
    for queue in queues {
        let info = infos.iter().find(|info| info.name == queue.name);
        queue.in_hand = info.and_then(|info| info.unacked);
    }
}

fn print(report: &Report, json: bool) -> Result<(), CliError> {
    let mut out = Out::new();
    if json {
        for line in report.to_json() {
            out.line(&line)?;
        }
        return Ok(out.flush()?);
    }
    let now = Timestamp::now();
    out.line(&format!("broker: {}", report.broker))?;
    let mut table = Table::new(&COLUMNS, out.terminal);
    for queue in report.shown() {
        table.row(queue.to_cells(now), &mut out)?;
    }
    table.finish(&mut out)?;
    for line in report.remarks(out.terminal) {
        out.line(&line)?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::schedule::RetrySchedule;

    use super::*;

    #[test]
    fn each_queue_of_the_topology_has_its_role() {
        let namespace = Namespace::parse("n").unwrap();
        let topology = Topology::whole(&namespace, &RetrySchedule::default());
        let names = |wanted| -> Vec<String> {
            let of_role = topology
                .queues
                .iter()
                .filter(|spec| role(&spec.name, &namespace) == wanted);
            of_role.map(|spec| spec.name.clone()).collect()
        };
        assert_eq!(
            names(Role::Working),
            ["n.events", "n.deliveries", "n.due", "n.quarantine"]
        );
        assert_eq!(names(Role::SetAside), ["n.rejected", "n.failed"]);
        assert_eq!(names(Role::Log), ["n.attempts"]);
        assert_eq!(names(Role::Spill), ["n.attempts.spill"]);
        assert_eq!(names(Role::Delay).len(), 10);
    }
}
