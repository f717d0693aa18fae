//! The connections to all receivers: each goes back when its response is read, and there are never more than fit.
//!
//! hyper-util's own pool takes a connection back a moment after the next request has begun, and keeps idle ones by host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::Shortage;
use super::connection::Connection;
use super::hosts::{GivenBack, HostId, Hosts, Place};
use super::room::{Places, Room};
use super::target::Target;

/// How often idle connections are looked at, at least: those that are given back meanwhile may go sooner than others.
const SWEPT_EVERY: Duration = Duration::from_secs(1);
/// How long a response that is read waits for its connection at least: hyper says that it is ready a few microseconds later, and
/// handed back before its next request begins, no other has to be made.
const READY_TIME: Duration = Duration::from_millis(5);
/// How long a request waits for the place of an idle connection that had to go: it only has to be closed.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// The pool of one client.
pub(super) struct Pool {
    hosts: Mutex<Hosts<Connection, oneshot::Sender<Handover>>>,
    /// A place for each file descriptor that connections may use.
    room: Room,
    is_swept: AtomicBool,
    this: WeakPool,
}

/// What does not keep the pool alive.
pub(super) type WeakPool = Weak<Pool>;

/// What a waiting request is given.
pub(super) enum Handover {
    /// A connection that is ready.
    Connection(Connection),
    /// Nothing: the connection that it relied on did not come to be.
    AskAgain,
}

/// What the pool has for a request.
pub(super) enum Checkout {
    Idle(Connection),
    Wait(Waiting),
}

impl Pool {
    /// A pool of at most `max_open` connections, of which `max_idle` may be idle and take `max_idle_bytes`.
    pub(super) fn new(max_open: usize, max_idle: usize, max_idle_bytes: usize) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            hosts: Mutex::new(Hosts::new(max_idle, max_idle_bytes)),
            room: Room::new(max_open),
            is_swept: AtomicBool::new(false),
            this: Weak::clone(this),
        })
    }

    /// An idle connection, or a place in the line for one.
    pub(super) fn checkout(self: &Arc<Self>, target: &Target) -> Checkout {
        let now = Instant::now();
        let mut hosts = self.hosts();
        // Not one that its receiver may be closing.
        while hosts.evict_expired(now).is_some() {}
        while let Some(connection) = hosts.take_idle(target) {
            if connection.is_too_old(now) {
                hosts.let_go(connection.id);
            } else if !connection.sender.is_closed() {
                return Checkout::Idle(connection);
            }
        }
        let (contact, handover) = oneshot::channel();
        let place = hosts.wait(target, contact);
        Checkout::Wait(Waiting {
            pool: Arc::clone(self),
            place,
            handover,
        })
    }

    /// Room for `count` file descriptors; idle connections go for it, the oldest first.
    pub(super) async fn reserve(&self, count: usize) -> Result<Places, Shortage> {
        let in_line = match self.room.ask(count) {
            Ok(places) => return Ok(places),
            Err(in_line) => in_line,
        };
        let evicted: Vec<_> = {
            let mut hosts = self.hosts();
            // What is about to be closed is for those who have waited for longer.
            let missing = self.room.missing().saturating_sub(hosts.closing());
            if missing > hosts.idle() {
                return Err(Shortage::Connections);
            }
            (0..missing).map_while(|_| hosts.evict_oldest()).collect()
        };
        drop(evicted);
        match timeout(CLOSE_TIME, in_line.granted()).await {
            Ok(Some(places)) => Ok(places),
            Ok(None) | Err(_) => Err(Shortage::Connections),
        }
    }

    /// Closes the connection that has been idle for longest: something else needs its file descriptor, which this pool counted
    /// as free.
    pub(super) fn give_way(&self) {
        let evicted = self.hosts().evict_oldest();
        drop(evicted);
    }

    /// Takes back a connection whose response was read, to its end or not. It stays with its request until it can be used
    /// again: as a rule for microseconds, and until `closed_at` where it still sends a request that was answered before it was
    /// read. So a receiver that answers and reads nothing keeps its endpoint's slots, and has no more of our memory than they do.
    pub(super) async fn take_back(&self, mut connection: Connection, closed_at: Instant) {
        if connection.sender.is_ready() {
            return self.put(connection);
        }
        match timeout_at(
            closed_at.max(Instant::now() + READY_TIME),
            connection.sender.ready(),
        )
        .await
        {
            Ok(Ok(())) => self.put(connection),
            Ok(Err(_)) => {}
            Err(_) => {
                self.hosts().let_go(connection.id);
                connection.abort();
            }
        }
    }

    /// A connection that is ready goes to the request that has waited longest, or becomes idle. One that is too old is closed:
    /// whoever waits for one has another on its way, made to where the name leads now.
    pub(super) fn put(&self, mut connection: Connection) {
        loop {
            let now = Instant::now();
            let (host, id, idle_time) = (connection.host, connection.id, connection.idle_time);
            if connection.is_too_old(now) {
                self.hosts().let_go(id);
                return drop(connection);
            }
            let given_back = self.hosts().give_back(host, id, connection, idle_time, now);
            match given_back {
                GivenBack::Handed(contact, handed) => match contact.send(Handover::Connection(handed)) {
                    // Whoever waited has just given up.
                    Err(Handover::Connection(unwanted)) => connection = unwanted,
                    _ => return,
                },
                GivenBack::Kept { evicted } => {
                    drop(evicted);
                    return self.keep_swept();
                }
                GivenBack::Closed(closed) => return drop(closed),
            }
        }
    }

    /// A connection has ended. Under the same lock its place is free again, so that nobody sees one without the other.
    fn closed(&self, host: HostId, id: u64, place: Option<Places>) {
        let mut hosts = self.hosts();
        let was_idle = hosts.closed(host, id);
        drop(place);
        drop(hosts);
        drop(was_idle);
    }

    /// Idle connections are closed when their time is over, by a task that lives while there are any.
    fn keep_swept(&self) {
        if !self.is_swept.load(Ordering::Acquire) && !self.is_swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(sweep(Weak::clone(&self.this)));
        }
    }

    /// Closes what has been idle for too long. Returns when to look again, unless nothing is idle.
    fn expire(&self, now: Instant) -> Option<Instant> {
        let mut hosts = self.hosts();
        while hosts.evict_expired(now).is_some() {}
        if let Some(next) = hosts.next_expiry() {
            return Some(next.min(now + SWEPT_EVERY));
        }
        // Under the lock: whatever becomes idle from now on sees it.
        self.is_swept.store(false, Ordering::Release);
        None
    }

    /// The maps are whole whenever the lock is free, also after a panic elsewhere.
    fn hosts(&self) -> MutexGuard<'_, Hosts<Connection, oneshot::Sender<Handover>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: WeakPool) {
    loop {
        let next = pool.upgrade().and_then(|pool| pool.expire(Instant::now()));
        match next {
            Some(next) => sleep_until(next).await,
            None => return,
        }
    }
}

/// A request that waits for a connection. Dropped, it leaves the line, and gives back what it was just handed.
pub(super) struct Waiting {
    pool: Arc<Pool>,
    place: Place,
    pub(super) handover: oneshot::Receiver<Handover>,
}

impl Waiting {
    /// The connection that this request has to make, where it has to.
    pub(super) fn connecting(&self) -> Option<Connecting> {
        self.place.must_connect.then(|| Connecting {
            pool: Arc::clone(&self.pool),
            place: self.place,
            is_over: false,
        })
    }

    /// What has been handed over by now.
    pub(super) fn handed(&mut self) -> Option<Connection> {
        match self.handover.try_recv() {
            Ok(Handover::Connection(connection)) => Some(connection),
            Ok(Handover::AskAgain) | Err(_) => None,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.pool.hosts().stop_waiting(self.place) {
            return;
        }
        // Nothing can be sent from now on; what was sent before is still there.
        self.handover.close();
        if let Some(connection) = self.handed() {
            self.pool.put(connection);
        }
    }
}

/// A connection that is being made. Dropped without success, whoever relied on it is told.
pub(super) struct Connecting {
    pool: Arc<Pool>,
    place: Place,
    is_over: bool,
}

impl Connecting {
    /// It is there: `place` goes with it.
    pub(super) fn succeeded(mut self, place: Places) -> Open {
        self.is_over = true;
        let id = self.pool.hosts().connected(self.place);
        Open {
            pool: Arc::downgrade(&self.pool),
            host: self.place.host,
            id,
            place: Some(place),
        }
    }

    /// The pool that it is made for.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let relied = self.pool.hosts().not_connected(self.place);
        if let Some(contact) = relied {
            // Whoever waited may have just given up.
            drop(contact.send(Handover::AskAgain));
        }
    }
}

/// Goes with the task of a connection, and tells the pool when it ends, however that comes.
pub(super) struct Open {
    pool: WeakPool,
    pub(super) host: HostId,
    pub(super) id: u64,
    /// The place among all connections.
    place: Option<Places>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.closed(self.host, self.id, self.place.take());
        }
    }
}

#[cfg(test)]
mod tests;
