//! Three nodes, of which some are killed, frozen, parted, drained, late or missing. All programs know several of them.
//!
//! A cluster takes long to start, so these share a few and take turns: each finds three nodes that run, and leaves three.

mod stage; // who publishes, who delivers, who receives, and what must hold of it
mod told; // what the tools say when one is away
mod killed; // one node that dies
mod majority; // two of three that die, and all
mod parted; // a node that does not see the others, and the others that do not see it
mod frozen; // a node that stands and answers nothing
mod upkeep; // nodes that are restarted and drained, as an operator does
mod waiting; // retries that wait while their leaders die
mod streams; // the log while the stream's leader dies, or its only node

use std::time::Duration;

use hookline_tests::World;
use hookline_tests::cli::command;
use hookline_tests::cluster::Cluster;
use tokio::process::Command;

/// Nodes start and elect within seconds, on a machine that builds beside it within a minute.
const LONG: Duration = Duration::from_secs(120);
/// All of them.
const ALL: &[usize] = &[1, 2, 3];

/// A command that knows these nodes and the management API.
fn hookline(world: &World, cluster: &Cluster, nodes: &[usize], arguments: &[&str]) -> Command {
    let mut command = command(world, arguments);
    command
        .env("HOOKLINE_AMQP_URL", cluster.urls_of(nodes))
        .env("HOOKLINE_MANAGEMENT_URL", cluster.management().as_str());
    command
}
