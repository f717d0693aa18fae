//! How deep the broker's queues are, and how its nodes fare where its management API is known, for the operator's overview: asked
//! over a connection of its own when somebody looks, and kept for some seconds. Nobody waits for a broker that does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookline_common::broker::{LinkSettings, QueueDepth, SurveyedQueue, survey};
use hookline_common::management::{Management, ManagementUrl, NodeInfo};
use hookline_common::schedule::RetrySchedule;
use hookline_common::settings::BrokerSettings;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::queues::{label, queues};

/// What is younger is not asked anew. Pages that renew themselves do so as often.
const FRESH: Duration = Duration::from_secs(4);
/// What is younger is shown without a wait: the look before, on a page that renews itself.
const RECENT: Duration = Duration::from_secs(10);
/// What is older is not shown any more.
const STALE: Duration = Duration::from_secs(60);
/// How long a page waits where nothing recent is known. The next look finds what came later.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long the broker may take for all of its queues.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// How long its management API may take: queues are not waited for so long, and are wanted whatever it says.
const NODES_WITHIN: Duration = Duration::from_secs(5);

/// What one queue said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Its name without the namespace: `events`, `retry.60s`.
    pub(crate) name: String,
    /// How deep it is, or why that is not known. A queue that is not there is left out.
    pub(crate) depth: Result<QueueDepth, String>,
}

/// What was learned, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) at: Timestamp,
    /// The queues in the order in which an event meets them, or why the broker did not say.
    pub(crate) queues: Result<Vec<Queue>, String>,
    /// The broker's nodes, or why they are not known; none where nobody said who could tell.
    pub(crate) nodes: Option<Result<Vec<NodeInfo>, String>>,
}

/// Asks, and keeps what was answered.
pub(crate) struct QueueDepths(Arc<Shared>);

struct Shared {
    link: LinkSettings,
    /// Who tells of its nodes.
    management: Option<Result<Management, String>>,
    queues: Vec<SurveyedQueue>,
    /// Their names without the namespace.
    names: Vec<String>,
    known: watch::Sender<Option<(Instant, Known)>>,
    is_asking: AtomicBool,
}

impl QueueDepths {
    pub(crate) fn new(
        broker: &BrokerSettings,
        management: Option<ManagementUrl>,
        schedule: &RetrySchedule,
    ) -> Self {
        let management =
            management.map(|url| Management::connect(url, broker).map_err(|error| error.to_string()));
        let queues = queues(schedule);
        let surveyed = queues.iter().map(|queue| SurveyedQueue {
            name: broker.namespace.queue(*queue),
            is_stream: false,
        });
        Self(Arc::new(Shared {
            link: broker.link("hookline-console overview"),
            management,
            queues: surveyed.collect(),
            names: queues.iter().map(|queue| label(*queue)).collect(),
            known: watch::Sender::new(None),
            is_asking: AtomicBool::new(false),
        }))
    }

    /// What is known, and asks anew where that is not fresh; none where the broker has not answered yet.
    pub(crate) async fn known(&self) -> Option<Known> {
        let age = |known: &Option<(Instant, Known)>| known.as_ref().map(|(at, _)| at.elapsed());
        if age(&self.0.known.borrow()).is_none_or(|age| age > FRESH) {
            self.ask();
        }
        let is_recent = |known: &Option<(Instant, Known)>| age(known).is_some_and(|age| age < RECENT);
        let mut answered = self.0.known.subscribe();
        // Where the wait was in vain, what is older serves.
        drop(timeout(PATIENCE, answered.wait_for(is_recent)).await);
        let known = self.0.known.borrow();
        let (at, known) = known.as_ref()?;
        (at.elapsed() < STALE).then(|| known.clone())
    }

    /// Asks, unless somebody does already.
    fn ask(&self) {
        if self.0.is_asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let (asked, nodes) = tokio::join!(
                timeout(ANSWERED_WITHIN, survey(&shared.link, &shared.queues)),
                shared.nodes(),
            );
            let queues = match asked {
                Ok(Ok(depths)) => Ok(shared.named(
                    depths
                        .into_iter()
                        .map(|depth| depth.map_err(|error| error.to_string())),
                )),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the broker does not say how deep its queues are");
                    Err("the broker cannot be reached".to_owned())
                }
                Err(_) => Err("the broker does not answer".to_owned()),
            };
            let at = Timestamp::now();
            shared
                .known
                .send_replace(Some((Instant::now(), Known { at, queues, nodes })));
            shared.is_asking.store(false, Ordering::Release);
        });
    }
}

impl Shared {
    async fn nodes(&self) -> Option<Result<Vec<NodeInfo>, String>> {
        let management = match self.management.as_ref()? {
            Ok(management) => management,
            Err(why) => return Some(Err(why.clone())),
        };
        let asked = timeout(NODES_WITHIN, management.nodes()).await;
        Some(match asked {
            Ok(answered) => answered.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "the management API did not answer within {} s",
                NODES_WITHIN.as_secs()
            )),
        })
    }

    fn named(&self, depths: impl Iterator<Item = Result<Option<QueueDepth>, String>>) -> Vec<Queue> {
        let queues = self.names.iter().zip(depths);
        queues
            .filter_map(|(name, depth)| {
                let (name, depth) = (name.clone(), depth.transpose()?);
                Some(Queue { name, depth })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use hookline_common::broker::BrokerUrl;
    use hookline_common::topology::Namespace;

    use super::*;

    fn nowhere() -> QueueDepths {
        let broker = BrokerSettings {
            url: BrokerUrl::parse("amqp://127.0.0.1:1").unwrap(),
            namespace: Namespace::default(),
            ca_pem: None,
        };
        QueueDepths::new(&broker, None, &"7s,1m".parse().unwrap())
    }

    #[test]
    fn queues_stand_in_the_order_of_the_flow_and_a_missing_one_is_left_out() {
        let depths = nowhere();
        let depth = |ready| QueueDepth { ready, consumers: 1 };
        let answers = (0..).map(|number| match number {
            0 => Ok(None),
            1 => Err("its leader is down".to_owned()),
            ready => Ok(Some(depth(ready))),
        });
        let named = depths.0.named(answers);
        let names: Vec<&str> = named.iter().map(|queue| queue.name.as_str()).collect();
        assert_eq!(names[..4], ["deliveries", "due", "quarantine", "retry.7s"]);
        assert_eq!(names[names.len() - 3..], ["failed", "rejected", "attempts.spill"]);
        assert_eq!(named[0].depth, Err("its leader is down".to_owned()));
        assert_eq!(named[1].depth, Ok(depth(2)));
    }

    #[tokio::test]
    async fn a_broker_that_is_away_is_told_of_and_not_waited_for() {
        let depths = nowhere();
        // It may be told at once, or with the next look.
        let known = match depths.known().await {
            Some(known) => known,
            None => {
                let mut known = depths.0.known.subscribe();
                let known = known.wait_for(Option::is_some).await.unwrap().clone();
                known.unwrap().1
            }
        };
        assert!(known.queues.is_err(), "{known:?}");
    }
}
