//! What stands in the queues, looked at by each console, for the metrics: whether a database answers or not. Messages are never taken out to be looked at:
//! that would count against them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookline_common::broker::QueueDepth;
use hookline_common::metrics::console as declared;
use hookline_common::topology::Queue;
use tokio::time::sleep;

use crate::app::App;
use crate::queue_age::QueueAge;
use crate::queues::{label, queues};

/// Little work for the broker, and sooner than anybody scrapes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A queue that is not there closes the channel on which it is asked for, and is told of in the broker's log: seldom enough.
const MISSING_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What was seen, by the queue's name in metrics. Nothing of queues that do not answer.
static SEEN: Mutex<BTreeMap<String, QueueAge>> = Mutex::new(BTreeMap::new());

fn seen() -> MutexGuard<'static, BTreeMap<String, QueueAge>> {
    // Nothing in there can be left half done.
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows what was seen from now on.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
pub(crate) fn observe() {
    declared::QUEUE_MESSAGES.gauges_from(|tell| {
        for (queue, age) in seen().iter() {
            tell(queue, age.depth() as f64);
        }
    });
    declared::QUEUE_OLDEST.gauges_from(|tell| {
        let now = Instant::now();
        for (queue, age) in seen().iter() {
            tell(queue, age.oldest(now).as_secs_f64());
        }
    });
}

/// Looks again and again.
pub(crate) async fn run(app: App) {
    let queues = queues(&app.settings().retry_schedule);
    let mut asked = queues.clone();
    let mut all_asked = Instant::now();
    loop {
        if all_asked.elapsed() >= MISSING_AGAIN_AFTER {
            asked.clone_from(&queues);
            all_asked = Instant::now();
        }
        let depths = app.publishing().depths(&asked).await;
        saw(&asked, &depths);
        // Where none answers it is the broker that does not.
        if depths.iter().any(Option::is_some) {
            let mut depths = depths.iter();
            asked.retain(|_| depths.next().is_some_and(Option::is_some));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn saw(queues: &[Queue], depths: &[Option<QueueDepth>]) {
    let (mut seen, now) = (seen(), Instant::now());
    for (queue, depth) in queues.iter().zip(depths) {
        let name = label(*queue);
        let Some(depth) = depth else {
            seen.remove(&name);
            continue;
        };
        let ready = u64::from(depth.ready);
        let known = seen.entry(name).and_modify(|age| age.look(ready, now));
        known.or_insert_with(|| QueueAge::new(ready, now));
    }
}
