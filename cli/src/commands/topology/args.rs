//! What the commands of the topology are asked for, and where they work.

use std::time::Duration;

use clap::Args;
use hookline_common::broker::LinkSettings;
use hookline_common::settings::{BrokerSettings, parse, variables};
use hookline_common::topology::Topology;
use tokio::time::{Instant, sleep};

use crate::error::CliError;
use crate::settings::{Flags, help};
use hookline_common::management::{Management, QueueInfo};

/// The API learns of a queue within five seconds, and is busy sometimes.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(super) common: TopologyArgs,
    /// Replace queues that exist with other arguments; their messages are kept.
    #[arg(long)]
    pub(super) migrate: bool,
    /// Replicas of each queue that is created: waits until so many nodes run, where HOOKLINE_MANAGEMENT_URL is set.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=7))]
    pub(super) replicas: Option<u8>,
    /// How long --replicas waits for these nodes: 1s to 1h.
    #[arg(long, value_name = "DURATION", value_parser = wait, default_value = "2m", requires = "replicas")]
    pub(super) wait: Duration,
}

fn wait(text: &str) -> Result<Duration, String> {
    parse::duration_within(text, Duration::from_secs(1), Duration::from_secs(3600))
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(super) common: TopologyArgs,
    /// Replicas that each queue must have [default: one on each node, 3 at most].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=7))]
    pub(super) replicas: Option<u8>,
}

#[derive(Debug, Args)]
pub(super) struct TopologyArgs {
    #[arg(long, value_name = "DELAYS", help = help(&variables::RETRY_SCHEDULE), help_heading = "Settings")]
    retry_schedule: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    pub(super) json: bool,
}

/// What both commands work with.
pub(super) struct Place {
    pub(super) broker: BrokerSettings,
    pub(super) link: LinkSettings,
    pub(super) topology: Topology,
    pub(super) management: Option<Management>,
}

impl Place {
    pub(super) fn read(args: &TopologyArgs, flags: &Flags) -> Result<Self, CliError> {
        let (broker, schedule) = flags.broker_and_schedule(args.retry_schedule.as_deref())?;
        let management = Flags::management()?;
        let management = management.map(|url| Management::connect(url, &broker));
        Ok(Self {
            link: broker.link("hookline topology"),
            topology: Topology::whole(&broker.namespace, &schedule)
                .with_attempts_max_bytes(Flags::attempts_max_bytes()?),
            management: management.transpose()?,
            broker,
        })
    }

    /// What the names of our queues start with.
    fn prefix(&self) -> String {
        format!("{}.", self.broker.namespace)
    }

    /// Our queues as the management API shows them. Of queues that were declared a moment ago it knows nothing yet, and of those
    /// whose leader is away nothing ever; so they are waited for, and not for long.
    pub(super) async fn queues(&self, management: &Management) -> Result<Vec<QueueInfo>, CliError> {
        let since = Instant::now();
        loop {
            let queues = management.queues(&self.prefix()).await?;
            if queues.iter().all(QueueInfo::is_known) || since.elapsed() >= KNOWN_WITHIN {
                return Ok(queues);
            }
            sleep(ASK_EVERY).await;
        }
    }
}
