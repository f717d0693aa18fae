//! `hookline topology apply`.

use std::time::Duration;

use hookline_common::broker::{
    Discrepancy, DiscrepancyKind, Migrated, MigrationError, MigrationStep, check, declare, migrate,
};
use tokio::time::{Instant, sleep};

use super::args::{ApplyArgs, Place};
use super::policies;
use super::print::{Object, State, objects};
use super::replicas::how_to_grow;
use crate::error::CliError;
use crate::out::{self, Out};
use crate::settings::Flags;
use crate::text::escape;
use hookline_common::management::Management;

const ASK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(args: &ApplyArgs, flags: &Flags) -> Result<(), CliError> {
    let mut place = Place::read(&args.common, flags)?;
    let broker_error = {
        let url = place.broker.url.clone();
        move |error| CliError::broker(&error, &url)
    };
    if let Some(replicas) = args.replicas {
        if let Some(management) = &place.management {
            wait_for_nodes(management, replicas, args.wait).await?;
        }
        place.topology = place.topology.with_replicas(replicas);
    }
    let found = check(&place.link, &place.topology).await.map_err(&broker_error)?;
    let mut migrated = Vec::new();
    if args.migrate {
        refuse_policies_that_drop(&place).await?;
        let done = migrate(&place.link, &place.topology, &tell).await;
        migrated = done.map_err(|error| match error {
            MigrationError::Broker(error) => broker_error(error),
            refused @ MigrationError::Refused { .. } => CliError::Failed(refused.to_string()),
        })?;
    } else if let Some(unfinished) = found.iter().find(|found| is_unfinished(found)) {
        return Err(CliError::Broker(unfinished.to_string()));
    }
    declare(&place.link, &place.topology)
        .await
        .map_err(&broker_error)?;
    let mut out = Out::new();
    for object in objects(&place.topology) {
        let state = state_of(&object, &found, &migrated);
        out.line(&object.print(state, args.common.json, &out))?;
    }
    out.flush()?;
    match (args.replicas, &place.management) {
        (Some(replicas), Some(management)) => all_have(management, &place, replicas).await,
        _ => Ok(()),
    }
}

fn state_of(object: &Object<'_>, found: &[Discrepancy], migrated: &[Migrated]) -> State {
    let name = object.to_name();
    let is_missing = |it: &Discrepancy| it.kind == DiscrepancyKind::Missing && it.object == name;
    if let Some(migrated) = migrated.iter().find(|it| object.is_queue(&it.queue)) {
        State::Migrated(migrated.messages)
    } else if found.iter().any(is_missing) {
        State::Created
    } else {
        State::Stands
    }
}

fn is_unfinished(found: &Discrepancy) -> bool {
    matches!(found.kind, DiscrepancyKind::Unfinished { .. })
}

/// Tells people on stderr how the migration goes on.
fn tell(step: MigrationStep<'_>) {
    out::note(&in_words(step));
}

fn in_words(step: MigrationStep<'_>) -> String {
    let text = match step {
        MigrationStep::Moving { from, to } => format!("moving the messages of {from} into {to}"),
        MigrationStep::Moved { messages, to } => format!("{messages} messages are in {to}"),
        MigrationStep::StillPublished { queue } => {
            format!(
                "messages still arrive in {queue}; waiting until its publishers, the dispatchers, are stopped"
            )
        }
        MigrationStep::Replaced { queue } => format!("{queue} stands anew"),
        MigrationStep::Again { error } => format!("{error}; trying again"),
        MigrationStep::HoldingTheLast { messages, error } => format!(
            "{messages} messages are held by this process alone until the broker takes them, so do not end it: {error}"
        ),
    };
    // The broker's own words may stand in it.
    escape(&text)
}

/// A policy for all queues holds for the temporary ones as well.
async fn refuse_policies_that_drop(place: &Place) -> Result<(), CliError> {
    let Some(management) = &place.management else {
        return Ok(());
    };
    let queues = place.queues(management).await?;
    let loss = place.topology.queues.iter().find_map(|spec| {
        let info = queues.iter().find(|info| info.name == spec.name)?;
        policies::troubles(spec, info).into_iter().find(|it| it.loses)
    });
    match loss {
        Some(trouble) => Err(CliError::Failed(format!(
            "nothing is migrated, because messages would be lost on the way: queue {:?}: {}",
            trouble.queue, trouble.detail
        ))),
        None => Ok(()),
    }
}

async fn wait_for_nodes(management: &Management, replicas: u8, wait: Duration) -> Result<(), CliError> {
    let since = Instant::now();
    let mut is_told = false;
    loop {
        let nodes = management.nodes().await?;
        let running: Vec<&str> = nodes
            .iter()
            .filter(|node| node.running)
            .map(|node| node.name.as_str())
            .collect();
        if running.len() >= usize::from(replicas) {
            return Ok(());
        }
        let why = format!(
            "{} of {replicas} nodes run ({})",
            running.len(),
            running.join(", ")
        );
        if since.elapsed() >= wait {
            return Err(CliError::Failed(format!(
                "{why} after {} s, and nothing was declared, because a queue keeps the replicas that it began with; start the \
                 other nodes and let them join, or ask for fewer --replicas or a longer --wait",
                wait.as_secs()
            )));
        }
        if !is_told {
            out::note(&escape(&format!("{why}; waiting for the others")));
            is_told = true;
        }
        sleep(ASK_EVERY).await;
    }
}

/// What stood before has the replicas that it began with.
async fn all_have(management: &Management, place: &Place, replicas: u8) -> Result<(), CliError> {
    let queues = place.queues(management).await?;
    let nodes = management.nodes().await?;
    let few: Vec<_> = queues
        .iter()
        .filter(|queue| place.topology.queues.iter().any(|spec| spec.name == queue.name))
        .filter(|queue| (1..usize::from(replicas)).contains(&queue.members.len()))
        .collect();
    let Some(first) = few.first() else {
        return Ok(());
    };
    Err(CliError::Failed(format!(
        "{} of them stood before with fewer than {replicas} replicas, {} for example with {}; to grow them: {}",
        few.len(),
        first.name,
        first.members.len(),
        how_to_grow(&few, &nodes, &place.broker)
    )))
}

#[cfg(test)]
mod tests {
    use hookline_common::broker::BrokerError;

    use super::*;

    #[test]
    fn nothing_that_the_broker_says_reaches_the_terminal() {
        let error = BrokerError::Call {
            what: "moving",
            source: "no\u{9b}2J\u{202e}".into(),
        };
        let told = in_words(MigrationStep::Again { error: &error });
        assert_eq!(told, "moving failed: no\\u{9b}2J\\u{202e}; trying again");
    }
}
