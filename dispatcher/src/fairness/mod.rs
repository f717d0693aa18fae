//! Step 4: fairness between endpoints. Each has a queue of its own, with a few requests in flight and a few jobs that wait.
//!
//! An endpoint that answers is served at its slots ÷ its latency as long as anything for it is on the broker, and an
//! endpoint that hangs is nobody else's problem. In the order in which a job meets them:
//!
//! 1. *Slots* (`limit.rs`): requests in flight per endpoint, as many as it bears without taking longer for each.
//! 2. *Hold, pace and rate* (`pace.rs`): after a refusal nothing begins for a while, then no faster than was borne; and
//!    never faster than the endpoint's owner allows.
//! 3. *Connections* (`turns.rs`): requests in flight over all endpoints, handed out in turn, since open files are limited.
//! 4. *Shares* (`state.rs`): endpoints that nothing is known of, slow and silent ones hold at most half of a window and
//!    half of the connections, so that even more hung endpoints than the window is wide leave room for the others.
//! 5. *Room* (`window.rs`): half of a window may wait. What finds no room is held, so that the working queue is read at
//!    its endpoints' pace; or it is parked on the broker, where others are known to stand behind it.
//! 6. *Parking* (`endpoint_queue.rs`): for an endpoint that answers until shortly before the job's turn; for a silent one
//!    longer each time, and so long that a mountain costs little.
//!
//! Nothing is skipped: what is parked comes back, without an attempt spent. Pure but for the lock; what is decided here is
//! carried out by whoever asks.

mod terms; // what is asked, and what is answered
mod feedback; // what an attempt showed
mod state; // all endpoints together
mod endpoint_queue; // one of them
mod limit; // its slots
mod pace; // its holds, pace and rate
mod returns; // when what was parked comes back
mod turns; // whose turn it is for a connection
mod window; // how much of a working queue may wait
mod witnesses; // who else there is
mod holdings; // what all endpoints hold
mod memory; // what is kept of idle ones
mod asking; // one job of each working queue asks at a time
mod start_limiter; // how many attempts begin at once
#[cfg(test)]
mod faults; // mistakes that tests put back

use std::hash::Hash;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::asking::Asking;
pub use self::asking::Turn;
pub use self::feedback::Feedback;
pub use self::start_limiter::{Leave, Permit, StartLimiter};
use self::state::State;
pub use self::terms::{Admission, Bounds, Concurrency, Due, JobInfo, MAX_QUEUES, Overview};

/// One queue for each endpoint that has anything in hand. Of idle ones a few bytes are remembered, for so many at most.
pub struct Fairness<K, J> {
    state: Mutex<State<K, J>>,
    /// There may be an answer for what is held.
    room: Notify,
    /// Something falls due sooner than was said.
    sooner: Notify,
    asking: Asking,
    /// Questions that were asked.
    #[cfg(test)]
    asked: AtomicUsize,
}

impl<K: Eq + Hash + Clone, J> Fairness<K, J> {
    /// Nothing in hand yet, within these bounds.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            state: Mutex::new(State::new(bounds, Instant::now())),
            room: Notify::new(),
            sooner: Notify::new(),
            asking: Asking::new(),
            #[cfg(test)]
            asked: AtomicUsize::new(0),
        }
    }

    /// The turn to ask for a job of a working queue, unless another has it. Whoever has it keeps it until its job was answered
    /// otherwise than by [`Admission::Hold`].
    pub fn try_turn(&self, queue: usize) -> Option<Turn<'_>> {
        self.asking.try_turn(queue)
    }

    /// Waits for the turn to ask, behind all who wait already. None once nobody asks any more.
    pub async fn turn(&self, queue: usize) -> Option<Turn<'_>> {
        self.asking.turn(queue).await
    }

    /// Nobody asks any more: whoever waits for a turn is told so at once, and whoever holds a job lets go of it.
    pub fn close(&self) {
        self.asking.close();
    }

    /// Whether nobody asks any more.
    pub fn is_closed(&self) -> bool {
        self.asking.is_closed()
    }

    /// Asks whether a job for endpoint `key` may begin. After [`Admission::Hold`] the next job of the same working queue
    /// has to be the same one, which is what turns are for.
    pub fn admit(&self, key: &K, info: JobInfo, job: J, now: Instant) -> Admission<J> {
        #[cfg(test)]
        self.asked.fetch_add(1, Ordering::Relaxed);
        // What is held has changed nothing for others that are: two working queues would have each other ask for ever.
        let is_news = |admission: &Admission<J>| !matches!(admission, Admission::Hold(_));
        self.change_if(|state| state.admit(key, info, job, now), is_news)
    }

    /// Whether endpoint `key` is known to take a while for every answer.
    pub fn takes_its_time(&self, key: &K) -> bool {
        self.lock().takes_its_time(key)
    }

    /// Gives a slot back after an attempt that took `took`; the jobs to begin now, of any endpoint, since what one gives
    /// back may be another's turn.
    pub fn release(&self, key: &K, queue: usize, feedback: Feedback, took: Duration, now: Instant) -> Vec<J> {
        self.change(|state| state.release(key, queue, feedback, took, now))
    }

    /// What has fallen due: jobs whose hold is over or whose turn has come, and jobs that wait for what does not answer.
    pub fn tick(&self, now: Instant) -> Due<J> {
        self.change(|state| state.tick(now))
    }

    /// When to call [`Fairness::tick`] next.
    pub fn next_tick(&self) -> Instant {
        self.lock().next_tick()
    }

    /// Waits until it is time for [`Fairness::tick`], though it may have become sooner meanwhile.
    pub async fn due(&self) {
        loop {
            let sooner = self.sooner.notified();
            let at = self.next_tick();
            tokio::select! {
                biased;
                () = sleep_until(at) => return,
                () = sooner => {}
            }
        }
    }

    /// Takes note of what the broker says of a working queue, about once a second: messages that are ready there, and
    /// consumers, among whom an owner's rate is shared.
    pub fn observe(&self, queue: usize, ready: u64, consumers: u32, now: Instant) {
        self.change(|state| state.observe(queue, ready, consumers, now));
    }

    /// The broker gives out so many messages of a working queue from now on: what may wait, and what slow endpoints may hold, are
    /// parts of that. Beside them so many are in hand that came before, most of them for endpoints that hang.
    pub fn resized(&self, queue: usize, messages: usize, beside: usize) {
        self.change(|state| state.resized(queue, messages, beside));
    }

    /// How endpoints fare at this moment.
    pub fn overview(&self, now: Instant) -> Overview {
        self.lock().overview(now)
    }

    /// How many questions were asked.
    #[cfg(test)]
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Takes out everything that waits.
    pub fn take_waiting(&self) -> Vec<J> {
        self.change(State::take_waiting)
    }

    /// Ends when there may be another answer for what is held, from this call on.
    pub fn changed(&self) -> impl Future<Output = ()> {
        self.room.notified()
    }

    fn change<R>(&self, change: impl FnOnce(&mut State<K, J>) -> R) -> R {
        self.change_if(change, |_| true)
    }

    /// Changes the state, and wakes whoever it matters to, if `is_news` says of the result that it can.
    fn change_if<R>(
        &self,
        change: impl FnOnce(&mut State<K, J>) -> R,
        is_news: impl FnOnce(&R) -> bool,
    ) -> R {
        let (result, has_room, is_sooner) = {
            let mut state = self.lock();
            let before = state.next_tick();
            let result = change(&mut state);
            (result, state.is_worth_asking(), state.next_tick() < before)
        };
        if has_room && is_news(&result) {
            self.room.notify_waiters();
        }
        if is_sooner {
            self.sooner.notify_one();
        }
        result
    }

    /// A panic elsewhere leaves counts that are still sound: every change under the lock is whole.
    fn lock(&self) -> MutexGuard<'_, State<K, J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
