//! Which connections are idle, and who waits for one. Pure: whoever calls makes the connections and closes them.
//!
//! A connection is begun only where more requests wait than connections are on their way, so that a host never has
//! more of them than it had requests in flight at once.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use hyper::http::uri::Authority;
use slab::Slab;
use tokio::time::Instant;

use super::target::Target;

/// A host for as long as it has a connection, or somebody who waits for one. Places are used again, with another
/// generation each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostId {
    place: usize,
    generation: u64,
}

/// All hosts. `C` is a connection, `W` a way to reach whoever waits.
pub(super) struct Hosts<C, W> {
    /// By authority: plain hosts, then those behind TLS.
    places: [HashMap<Authority, usize>; 2],
    hosts: Slab<Host<C, W>>,
    /// Whose idle connection was given back how long ago, over all hosts: the lowest number is the oldest.
    idle: BTreeMap<u64, HostId>,
    /// The same by when they have been idle for long enough.
    expiring: BTreeMap<(Instant, u64), HostId>,
    /// Connections that are there, by their ids.
    open: HashSet<u64>,
    /// Those of them that were let go: their places are free in a moment.
    let_go: HashSet<u64>,
    next_number: u64,
    idle_bytes: usize,
    max_idle: usize,
    max_idle_bytes: usize,
}

struct Host<C, W> {
    generation: u64,
    target: Target,
    /// Oldest first.
    idle: VecDeque<Idle<C>>,
    /// First come, first served.
    waiting: VecDeque<Waiter<W>>,
    connecting: usize,
    open: usize,
}

struct Idle<C> {
    number: u64,
    connection_id: u64,
    /// When it has been idle for long enough.
    until: Instant,
    connection: C,
}

struct Waiter<W> {
    id: u64,
    connects: bool,
    contact: W,
}

/// A request's place among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: HostId,
    pub(super) waiter_id: u64,
    /// Whether it has to make a connection, because no other is on its way for it. That is already counted.
    pub(super) must_connect: bool,
}

/// What became of a connection that was given back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GivenBack<C, W> {
    /// It goes to the request that has waited longest.
    Handed(W, C),
    /// It is idle. Those that were idle for long enough go, and where there are too many, those that were so for longest; it may
    /// be among them.
    Kept { evicted: Vec<C> },
    /// Its host is no longer known: it has been closed meanwhile.
    Closed(C),
}

impl<C, W> Host<C, W> {
    /// Whether the waiter was still in the line.
    fn leave(&mut self, waiter_id: u64) -> bool {
        let position = self.waiting.iter().position(|waiter| waiter.id == waiter_id);
        position
            .and_then(|position| self.waiting.remove(position))
            .is_some()
    }
}

impl<C, W> Hosts<C, W> {
    /// So many may be idle, and take so much memory.
    pub(super) fn new(max_idle: usize, max_idle_bytes: usize) -> Self {
        Self {
            places: Default::default(),
            hosts: Slab::new(),
            idle: BTreeMap::new(),
            expiring: BTreeMap::new(),
            open: HashSet::new(),
            let_go: HashSet::new(),
            next_number: 0,
            idle_bytes: 0,
            max_idle,
            max_idle_bytes,
        }
    }

    /// The connection that became idle last: it is the least likely to be closed by the other side, and those that
    /// are not needed grow old.
    pub(super) fn take_idle(&mut self, target: &Target) -> Option<C> {
        let place = *self.places[usize::from(target.is_https)].get(&target.authority)?;
        let idle = self.hosts[place].idle.pop_back()?;
        self.is_idle_no_more(&idle, target.idle_bytes());
        Some(idle.connection)
    }

    /// Lines up behind those that wait for a connection to `target`.
    pub(super) fn wait(&mut self, target: &Target, contact: W) -> Place {
        let waiter_id = self.number();
        let place = match self.places[usize::from(target.is_https)].get(&target.authority) {
            Some(place) => *place,
            None => self.insert(target),
        };
        let host = &mut self.hosts[place];
        let must_connect = host.connecting <= host.waiting.len();
        host.connecting += usize::from(must_connect);
        host.waiting.push_back(Waiter {
            id: waiter_id,
            connects: must_connect,
            contact,
        });
        Place {
            host: HostId {
                place,
                generation: host.generation,
            },
            waiter_id,
            must_connect,
        }
    }

    /// Leaves the line. False where a connection is already on its way to this waiter.
    pub(super) fn stop_waiting(&mut self, place: Place) -> bool {
        let Some(host) = self.host(place.host) else {
            return false;
        };
        let waited = host.leave(place.waiter_id);
        self.forget_if_unused(place.host);
        waited
    }

    /// The connection that `place` had to make is there. Its request, if it still waits, takes it and leaves the line.
    /// Returns the connection's id.
    pub(super) fn connected(&mut self, place: Place) -> u64 {
        if let Some(host) = self.host(place.host) {
            host.leave(place.waiter_id);
            host.connecting -= 1;
            host.open += 1;
        }
        let connection_id = self.number();
        self.open.insert(connection_id);
        connection_id
    }

    /// A connection is not wanted any more, and is about to be closed.
    pub(super) fn let_go(&mut self, connection_id: u64) {
        if self.open.contains(&connection_id) {
            self.let_go.insert(connection_id);
        }
    }

    /// How many connections were let go and are not closed yet.
    pub(super) fn closing(&self) -> usize {
        self.let_go.len()
    }

    /// The connection that `place` had to make did not come to be. Its request leaves the line, and so does one that
    /// relied on the connection, which has to ask anew.
    pub(super) fn not_connected(&mut self, place: Place) -> Option<W> {
        let host = self.host(place.host)?;
        host.leave(place.waiter_id);
        host.connecting -= 1;
        let relied = if host.waiting.len() > host.connecting {
            let position = host.waiting.iter().position(|waiter| !waiter.connects);
            position.and_then(|position| host.waiting.remove(position))
        } else {
            None
        };
        self.forget_if_unused(place.host);
        relied.map(|waiter| waiter.contact)
    }

    /// A connection whose last response is read can be used again, and be idle for `idle_time`.
    pub(super) fn give_back(
        &mut self,
        id: HostId,
        connection_id: u64,
        connection: C,
        idle_time: Duration,
        now: Instant,
    ) -> GivenBack<C, W> {
        let number = self.number();
        let Some(host) = self.host(id) else {
            return GivenBack::Closed(connection);
        };
        if let Some(waiter) = host.waiting.pop_front() {
            return GivenBack::Handed(waiter.contact, connection);
        }
        let until = now + idle_time;
        host.idle.push_back(Idle {
            number,
            connection_id,
            until,
            connection,
        });
        self.idle_bytes += host.target.idle_bytes();
        self.idle.insert(number, id);
        self.expiring.insert((until, number), id);
        let mut evicted: Vec<_> = std::iter::from_fn(|| self.evict_expired(now)).collect();
        while self.idle.len() > self.max_idle || self.idle_bytes > self.max_idle_bytes {
            let Some(oldest) = self.evict_oldest() else { break };
            evicted.push(oldest);
        }
        GivenBack::Kept { evicted }
    }

    /// A connection has been closed, by whichever side. Returns it where it was idle.
    pub(super) fn closed(&mut self, id: HostId, connection_id: u64) -> Option<C> {
        self.open.remove(&connection_id);
        self.let_go.remove(&connection_id);
        let host = self.host(id)?;
        host.open -= 1;
        let position = host
            .idle
            .iter()
            .position(|idle| idle.connection_id == connection_id);
        let idle = position.and_then(|position| host.idle.remove(position));
        let bytes = host.target.idle_bytes();
        if let Some(idle) = &idle {
            self.is_idle_no_more(idle, bytes);
        }
        self.forget_if_unused(id);
        idle.map(|idle| idle.connection)
    }

    /// Takes out the connection that has been idle for longest, of whichever host. It is about to be closed.
    pub(super) fn evict_oldest(&mut self) -> Option<C> {
        let (&number, &id) = self.idle.first_key_value()?;
        self.evict(id, number)
    }

    /// Takes out a connection that has been idle for long enough, of whichever host. It is about to be closed.
    pub(super) fn evict_expired(&mut self, now: Instant) -> Option<C> {
        let (&(until, number), &id) = self.expiring.first_key_value()?;
        if now < until {
            return None;
        }
        self.evict(id, number)
    }

    /// How many connections are idle.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// When the next connection has been idle for long enough.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let ((until, _), _) = self.expiring.first_key_value()?;
        Some(*until)
    }

    fn evict(&mut self, id: HostId, number: u64) -> Option<C> {
        let host = self.host(id)?;
        let position = host.idle.iter().position(|idle| idle.number == number)?;
        let idle = host.idle.remove(position)?;
        let bytes = host.target.idle_bytes();
        self.is_idle_no_more(&idle, bytes);
        self.let_go(idle.connection_id);
        Some(idle.connection)
    }

    fn is_idle_no_more(&mut self, idle: &Idle<C>, bytes: usize) {
        self.idle.remove(&idle.number);
        self.expiring.remove(&(idle.until, idle.number));
        self.idle_bytes -= bytes;
    }

    fn host(&mut self, id: HostId) -> Option<&mut Host<C, W>> {
        self.hosts
            .get_mut(id.place)
            .filter(|host| host.generation == id.generation)
    }

    fn insert(&mut self, target: &Target) -> usize {
        let generation = self.number();
        let place = self.hosts.insert(Host {
            generation,
            target: target.clone(),
            idle: VecDeque::new(),
            waiting: VecDeque::new(),
            connecting: 0,
            open: 0,
        });
        self.places[usize::from(target.is_https)].insert(target.authority.clone(), place);
        place
    }

    /// Hosts come and go with customers; only those that have something are remembered.
    fn forget_if_unused(&mut self, id: HostId) {
        let is_unused = self
            .host(id)
            .is_some_and(|host| host.open == 0 && host.connecting == 0 && host.waiting.is_empty());
        if is_unused {
            let host = self.hosts.remove(id.place);
            self.places[usize::from(host.target.is_https)].remove(&host.target.authority);
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

#[cfg(test)]
mod tests;
