//! A few clusters for all tests of a process, which take turns: three nodes on one machine take long to start, and mostly wait.

use std::fs::File;
use std::ops::Deref;
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::nodes::Cluster;

/// How many tests play at once, each on a cluster of its own. With two of them the nodes of one use the machine while those of the
/// other wait for an election or a deadline.
const AT_ONCE: u32 = 2;

/// Lives as long as a test has its turn or waits for one: the last one ends the nodes.
static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

struct Shared {
    turns: Arc<Semaphore>,
    /// No other process of this machine has clusters meanwhile: they would only slow each other down.
    alone: OnceCell<File>,
    /// Clusters that run, and whom nobody plays on.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    cluster: Cluster,
    /// The test before failed, and may have left it in any state.
    is_suspect: bool,
}

impl Shared {
    fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE as usize)),
            alone: OnceCell::new(),
            idle: Mutex::default(),
        }
    }
}

/// A cluster, for one test alone.
pub struct Turn {
    cluster: Option<Cluster>,
    // Before the rest, so that whoever waits does not wait for the end of the nodes, which end with their last owner.
    _turn: OwnedSemaphorePermit,
    shared: Arc<Shared>,
}

impl Turn {
    /// Waits for the turn, and for three nodes that run. A test that failed may have left them in any state: then all of them
    /// start anew.
    ///
    /// # Panics
    /// When they do not come up, or a test before this one has not left three.
    pub async fn take() -> Self {
        Self::take_of(1).await
    }

    /// The same, with no other test that plays meanwhile: for what is measured and takes most of the machine.
    ///
    /// # Panics
    /// As [`Turn::take`].
    pub async fn take_alone() -> Self {
        Self::take_of(AT_ONCE).await
    }

    async fn take_of(turns: u32) -> Self {
        let shared = {
            let mut shared = SHARED.lock().unwrap();
            shared.upgrade().unwrap_or_else(|| {
                let new = Arc::new(Shared::new());
                *shared = Arc::downgrade(&new);
                new
            })
        };
        let turn = Arc::clone(&shared.turns).acquire_many_owned(turns).await;
        shared.alone.get_or_init(alone).await;
        let idle = shared.idle.lock().unwrap().pop();
        let cluster = match idle {
            None => Cluster::start().await,
            Some(idle) => {
                if idle.is_suspect {
                    idle.cluster.begin_anew().await;
                }
                idle.cluster
            }
        };
        let turn = Self {
            cluster: Some(cluster),
            _turn: turn.expect("nobody closes it"),
            shared,
        };
        turn.is_whole().await;
        turn
    }
}

/// Waits until no other process has clusters.
async fn alone() -> File {
    let lock = tokio::task::spawn_blocking(|| {
        let path = std::env::temp_dir().join("hookline-tests-cluster.lock");
        let file = File::options().create(true).append(true).open(path)?;
        file.lock().map(|()| file)
    });
    lock.await.expect("no panic").expect("a lock")
}

impl Deref for Turn {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster.as_ref().expect("it is there until the end")
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let cluster = self.cluster.take().expect("a turn ends once");
        self.shared.idle.lock().unwrap().push(Idle {
            cluster,
            is_suspect: thread::panicking(),
        });
    }
}
