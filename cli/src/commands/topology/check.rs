//! `hookline topology check`.

use hookline_common::broker::check;
use hookline_common::settings::BrokerSettings;
use hookline_common::topology::Topology;

use super::args::{CheckArgs, Place};
use super::judge::judge;
use super::print::{discrepancy_line, found_line, objects, queue_line, trouble_line};
use crate::error::CliError;
use crate::out::{self, Out};
use crate::settings::Flags;

const NOT_LOOKED_AT: &str = "policies, replicas and leaders were not looked at, because AMQP does not tell of them; set \
                             HOOKLINE_MANAGEMENT_URL to RabbitMQ's management API";

/// What was found where nothing is wrong.
fn all_well(topology: &Topology, broker: &BrokerSettings) -> String {
    let queues = topology.queues.len();
    let namespace = &broker.namespace;
    format!("all is as it must be: the exchange and the {queues} queues of {namespace}")
}

pub(super) async fn run(args: &CheckArgs, flags: &Flags) -> Result<(), CliError> {
    let place = Place::read(&args.common, flags)?;
    let found = check(&place.link, &place.topology)
        .await
        .map_err(|error| CliError::broker(&error, &place.broker.url))?;
    let mut out = Out::new();
    let json = args.common.json;
    for discrepancy in &found {
        out.line(&discrepancy_line(discrepancy, json))?;
    }
    let mut troubles = Vec::new();
    if let Some(management) = &place.management {
        let queues = place.queues(management).await?;
        let nodes = management.nodes().await?;
        let alarms = management.alarms().await?;
        troubles = judge(
            &place.topology,
            &queues,
            &nodes,
            &alarms,
            args.replicas,
            &place.broker,
        );
        for trouble in &troubles {
            out.line(&trouble_line(trouble, json))?;
        }
        let widest = queues.iter().map(|queue| queue.name.len()).max().unwrap_or(0);
        for spec in &place.topology.queues {
            if let Some(info) = queues.iter().find(|info| info.name == spec.name) {
                out.line(&queue_line(info, widest, json))?;
            }
        }
    } else {
        let is_as_wanted = |name: &String| found.iter().all(|it| it.object != *name);
        for object in objects(&place.topology).filter(|object| is_as_wanted(&object.to_name())) {
            out.line(&found_line(&object, json))?;
        }
    }
    out.flush()?;
    match found.len() + troubles.len() {
        0 => {
            if place.management.is_none() {
                out::note(NOT_LOOKED_AT);
            }
            out::note(&all_well(&place.topology, &place.broker));
            Ok(())
        }
        1 => Err(CliError::Failed(
            "something is not as it must be; mend what is named above".to_owned(),
        )),
        count => Err(CliError::Failed(format!(
            "{count} things are not as they must be; mend what is named above"
        ))),
    }
}
