//! Room for file descriptors: places, given out in the order in which they were asked for. What is waited for is known
//! exactly, so that whoever makes room makes neither too little nor too much.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All the places there are. Clones are the same room.
#[derive(Clone)]
pub(super) struct Room(Arc<Mutex<Line>>);

struct Line {
    free: usize,
    /// First come, first served.
    waiting: VecDeque<Asked>,
    /// Places that those who wait have asked for, together.
    asked: usize,
    next_id: u64,
}

struct Asked {
    id: u64,
    count: usize,
    contact: oneshot::Sender<Places>,
}

/// What is granted and to be sent, which is not done under the lock: places that nobody takes any more come back.
type Grants = Vec<(oneshot::Sender<Places>, Places)>;

/// Places that are held. Dropped, they are free again.
pub(super) struct Places {
    room: Room,
    count: usize,
}

/// Somebody who waits for places. Dropped, it leaves the line, and what it was just granted is free again.
pub(super) struct InLine {
    room: Room,
    id: u64,
    granted: oneshot::Receiver<Places>,
}

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(Line {
            free: places,
            waiting: VecDeque::new(),
            asked: 0,
            next_id: 0,
        })))
    }

    /// So many places more than there were.
    pub(super) fn add(&self, count: usize) {
        self.give_back(count);
    }

    /// So many places, or a place in the line for them.
    pub(super) fn ask(&self, count: usize) -> Result<Places, InLine> {
        let mut line = self.line();
        if line.waiting.is_empty() && line.free >= count {
            line.free -= count;
            return Ok(self.places(count));
        }
        let (contact, granted) = oneshot::channel();
        let id = line.next_id;
        line.next_id += 1;
        line.asked += count;
        line.waiting.push_back(Asked { id, count, contact });
        Err(InLine {
            room: self.clone(),
            id,
            granted,
        })
    }

    /// How many more places must become free until everyone who waits has some.
    pub(super) fn missing(&self) -> usize {
        let line = self.line();
        line.asked.saturating_sub(line.free)
    }

    /// How many places are free.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.line().free
    }

    fn give_back(&self, count: usize) {
        let grants = {
            let mut line = self.line();
            line.free += count;
            self.grant(&mut line)
        };
        send(grants);
    }

    fn leave(&self, id: u64) {
        let grants = {
            let mut line = self.line();
            let Some(position) = line.waiting.iter().position(|asked| asked.id == id) else {
                return;
            };
            if let Some(asked) = line.waiting.remove(position) {
                line.asked -= asked.count;
            }
            // It may have stood before somebody who wants less.
            self.grant(&mut line)
        };
        send(grants);
    }

    fn grant(&self, line: &mut Line) -> Grants {
        let mut grants = Grants::new();
        while line.waiting.front().is_some_and(|asked| asked.count <= line.free)
            && let Some(asked) = line.waiting.pop_front()
        {
            line.free -= asked.count;
            line.asked -= asked.count;
            grants.push((asked.contact, self.places(asked.count)));
        }
        grants
    }

    fn places(&self, count: usize) -> Places {
        Places {
            room: self.clone(),
            count,
        }
    }

    /// Every change under the lock is whole.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(grants: Grants) {
    for (contact, places) in grants {
        // Whoever waited may have just given up.
        drop(contact.send(places));
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.room.give_back(self.count);
    }
}

impl InLine {
    /// The places, when they are granted. Cancelled, the line goes on without this.
    pub(super) async fn granted(mut self) -> Option<Places> {
        (&mut self.granted).await.ok()
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.room.leave(self.id);
    }
}

#[cfg(test)]
mod tests;
