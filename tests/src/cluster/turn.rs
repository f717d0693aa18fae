//! One cluster for all tests of a process, which take turns: three nodes on one machine take long to start.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{OnceCell, OwnedMutexGuard};

use super::nodes::Cluster;

/// Lives as long as a test has its turn or waits for one: the last one ends the nodes.
static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

#[derive(Default)]
struct Shared {
    cluster: OnceCell<Cluster>,
    turns: Arc<tokio::sync::Mutex<()>>,
    is_suspect: AtomicBool,
}

/// The cluster, for one test alone.
pub struct Turn {
    // Before the nodes, which end with their last owner, so that whoever waits does not wait for that.
    _turn: OwnedMutexGuard<()>,
    shared: Arc<Shared>,
}

impl Turn {
    /// Waits for the turn, and for three nodes that run. A test that failed may have left them in any state: then all of them
    /// start anew.
    ///
    /// # Panics
    /// When they do not come up, or a test before this one has not left three.
    pub async fn take() -> Self {
        let shared = {
            let mut shared = SHARED.lock().unwrap();
            shared.upgrade().unwrap_or_else(|| {
                let new = Arc::<Shared>::default();
                *shared = Arc::downgrade(&new);
                new
            })
        };
        let turn = Self {
            _turn: Arc::clone(&shared.turns).lock_owned().await,
            shared,
        };
        turn.shared.cluster.get_or_init(Cluster::start).await;
        if turn.shared.is_suspect.swap(false, Ordering::Relaxed) {
            turn.begin_anew().await;
        }
        turn.is_whole().await;
        turn
    }
}

impl Deref for Turn {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.shared.cluster.get().expect("it was started for the turn")
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.is_suspect.store(true, Ordering::Relaxed);
        }
    }
}
