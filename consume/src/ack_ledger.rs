//! The end of step 8: the ledger in use. Handles for messages in hand, and the one place that acknowledges.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::broker::Incoming;
use hookline_common::failpoint;
use hookline_common::ids::EventId;
use hookline_common::message::Message;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;

use crate::acknowledges::Acknowledges;
use crate::ledger::{Entry, Ledger, Owed, Received};
use crate::window::{ACK_RUN_DELAY, Fingerprint};
use crate::work_queue::Supply;

/// How long acknowledgements are gathered before they are sent: at 10,000 messages a second ten of them are, which makes
/// one acknowledgement of ten, and nobody waits for one.
const GATHER: Duration = Duration::from_millis(1);

/// How many of those acknowledged last are remembered where each message is asked for: more than are in hand at once.
const ASKED_FOR: usize = 64;

/// All messages in hand of one working queue.
pub struct AckLedger {
    label: &'static str,
    state: Mutex<State>,
    /// Something is owed to the broker.
    wake: Notify,
    /// The broker was told something.
    told: Notify,
    is_closing: AtomicBool,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    acker: Option<Arc<dyn Acknowledges>>,
    /// How its messages come; none before the first subscription.
    supply: Option<Supply>,
    /// Messages of this subscription of which the broker was told nothing yet.
    untold: usize,
    /// What moves those of its messages that a stop must not give back, by their tags.
    moves: BTreeMap<u64, Move>,
}

/// Moves a message to where somebody else finds it, and settles it.
type Move = Box<dyn FnOnce(InHand) + Send>;

/// How much is in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Messages.
    pub messages: usize,
    /// Bytes of their bodies and headers.
    pub bytes: usize,
    /// For how long the oldest that is not settled has been in hand.
    pub oldest: Duration,
}

/// A message in hand. Whoever holds it must see to it that it is settled; dropped, it goes back to its queue when the
/// subscription ends.
#[must_use]
pub struct InHand {
    ledger: Arc<AckLedger>,
    /// None once it is settled.
    entry: Option<Entry>,
}

impl AckLedger {
    /// An empty ledger for the queue of this name in metrics and logs.
    #[must_use]
    pub fn new(label: &'static str) -> Arc<Self> {
        Arc::new(Self {
            label,
            state: Mutex::default(),
            wake: Notify::new(),
            told: Notify::new(),
            is_closing: AtomicBool::new(false),
        })
    }

    /// The queue's name in metrics and logs.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// A subscription begins.
    pub fn subscribed(&self, acker: Arc<dyn Acknowledges>, supply: Supply) {
        let window = match supply {
            Supply::Pushed { messages, .. } => usize::from(messages),
            Supply::OneByOne => ASKED_FOR,
        };
        let mut state = self.lock();
        state.ledger.subscribed(acker.generation(), window);
        state.acker = Some(acker);
        state.supply = Some(supply);
        state.untold = 0;
        state.moves.clear();
    }

    /// The subscription is lost: what it held will be redelivered.
    pub fn lost(&self) {
        let mut state = self.lock();
        state.ledger.lost(Instant::now());
        state.acker = None;
        state.untold = 0;
        state.moves.clear();
        drop(state);
        self.told.notify_waiters();
    }

    /// Takes a message in. `None` when it is settled already, or will be when work that goes on is.
    pub fn receive(self: &Arc<Self>, incoming: &Incoming) -> Option<InHand> {
        let message = &incoming.message;
        let fingerprint = fingerprint(message);
        let may_be_ours = incoming.redelivered && is_recognisable(message);
        let mut state = self.lock();
        let received = state.ledger.receive(
            incoming.tag,
            fingerprint,
            message.size(),
            may_be_ours,
            Instant::now(),
        );
        state.untold += 1;
        drop(state);
        match received {
            Received::Fresh(entry) => Some(InHand {
                ledger: Arc::clone(self),
                entry: Some(entry),
            }),
            Received::Nothing => {
                self.wake.notify_one();
                None
            }
        }
    }

    /// How much is in hand.
    #[must_use]
    pub fn load(&self) -> Load {
        let ((messages, bytes), oldest) = {
            let state = self.lock();
            (state.ledger.in_hand(), state.ledger.oldest())
        };
        Load {
            messages,
            bytes,
            oldest: oldest.map_or(Duration::ZERO, |since| since.elapsed()),
        }
    }

    /// How many bytes are in hand.
    pub(crate) fn bytes(&self) -> usize {
        let (_, bytes) = self.lock().ledger.in_hand();
        bytes
    }

    /// How many messages of those that came after tag `after` are in hand for so long that they are waited for no more, or that nobody
    /// will settle.
    pub(crate) fn stuck(&self, after: u64, longer_than: Duration) -> usize {
        let now = Instant::now();
        let before = now.checked_sub(longer_than);
        before.map_or(0, |before| self.lock().ledger.stuck(after, before))
    }

    /// For how many messages of those that came up to tag `last` somebody outside is waited for.
    pub(crate) fn asking_up_to(&self, last: u64) -> usize {
        self.lock().ledger.asking_up_to(last)
    }

    /// The queue was taken up again, for so many messages beside those in hand.
    pub(crate) fn taken_up_beside(&self, messages: u16) {
        let mut state = self.lock();
        let (in_hand, _) = state.ledger.in_hand();
        state.ledger.may_miss(in_hand + usize::from(messages));
    }

    /// Messages that the broker takes for unacknowledged, or of which it cannot know better yet.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.lock().untold
    }

    /// Waits until [`Self::untold`] is at most `max`. Whatever the broker is asked for on the same channel from then on, it
    /// hears of these acknowledgements first.
    pub async fn untold_at_most(&self, max: usize) {
        loop {
            let mut told = std::pin::pin!(self.told.notified());
            told.as_mut().enable();
            if self.untold() <= max {
                return;
            }
            told.await;
        }
    }

    /// Whether the queue is being consumed.
    #[must_use]
    pub fn is_consuming(&self) -> bool {
        self.lock().acker.as_ref().is_some_and(|acker| !acker.is_void())
    }

    /// No work begins any more: what has not begun goes back to its queue at once, or is moved where that was asked for.
    pub fn stop(self: &Arc<Self>) {
        let moving: Vec<_> = {
            let mut state = self.lock();
            state.ledger.stop();
            let moves = std::mem::take(&mut state.moves);
            // Where the subscription is lost, the broker gives its messages to somebody in any case.
            let stands = state.acker.as_ref().is_some_and(|acker| !acker.is_void());
            let moves = moves.into_iter().filter(|_| stands);
            let taken_over = |(tag, moves)| Some((state.ledger.take_over(tag)?, moves));
            moves.filter_map(taken_over).collect()
        };
        for (entry, moves) in moving {
            moves(InHand {
                ledger: Arc::clone(self),
                entry: Some(entry),
            });
        }
        self.wake.notify_one();
    }

    /// Acknowledges what is settled, until the ledger is closed. Then everything is acknowledged without gathering,
    /// and this returns when the queue has taken it.
    pub async fn acknowledge(&self) {
        while !self.is_closing.load(Ordering::Acquire) {
            let next = self.lock().ledger.next_overdue();
            tokio::select! {
                biased;
                () = self.wake.notified() => if !self.is_in_haste() {
                    sleep(GATHER).await;
                },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            self.acknowledge_now(Instant::now()).await;
        }
        self.acknowledge_now(Instant::now() + ACK_RUN_DELAY).await;
        let (acker, supply) = {
            let state = self.lock();
            (state.acker.clone(), state.supply)
        };
        let Some(acker) = acker else { return };
        let reached = match supply {
            // Each that is asked for is answered by the queue, after all that was acknowledged before: nothing of more than the few
            // in hand is held back. And what is got here counts a return against a suspect.
            Some(Supply::OneByOne) => acker.reach_channel().await,
            Some(Supply::Pushed { .. }) | None => acker.reach_queue().await,
        };
        if let Err(error) = reached {
            debug!(queue = self.label, %error, "the queue may not have taken the last acknowledgements");
        }
    }

    /// Nothing is settled any more: lets [`Self::acknowledge`] come to its end.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// A stop waits for what is given back, so nothing is gathered then.
    fn is_in_haste(&self) -> bool {
        self.is_closing.load(Ordering::Acquire) || self.lock().ledger.is_stopped()
    }

    /// Tells the broker what it is owed by now.
    async fn acknowledge_now(&self, now: Instant) {
        let (acker, owed, messages) = {
            let mut state = self.lock();
            let Some(acker) = state.acker.clone() else { return };
            let (before, _) = state.ledger.in_hand();
            let owed = state.ledger.take_owed(now);
            let (after, _) = state.ledger.in_hand();
            (acker, owed, before - after)
        };
        let Owed { through, each, back } = owed;
        let tell = async {
            if let Some(tag) = through {
                acker.ack_through(tag).await?;
            }
            acker.ack_each(each).await?;
            acker.give_back_each(back).await
        };
        if let Err(error) = tell.await {
            debug!(queue = self.label, %error, "an acknowledgement did not go out; the message comes again");
            return;
        }
        if messages > 0 {
            failpoint::reached("acked", self.label);
        }
        let mut state = self.lock();
        let is_same = |current: &Arc<dyn Acknowledges>| current.generation() == acker.generation();
        if messages > 0 && state.acker.as_ref().is_some_and(is_same) {
            state.untold = state.untold.saturating_sub(messages);
            drop(state);
            self.told.notify_waiters();
        }
    }

    /// A panic elsewhere leaves counts that are still sound: every change under the lock is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InHand {
    /// Has a stop that comes before work on the message begins hand it to `moves`, begun: to be given back is counted as a return by
    /// RabbitMQ up to 4.2, and would be held against it. Whoever does not settle it leaves it to be given back when the connection
    /// ends.
    pub fn on_stop(&self, moves: impl FnOnce(InHand) + Send + 'static) {
        let Some(entry) = self.entry else { return };
        let mut state = self.ledger.lock();
        let State {
            ledger, moves: all, ..
        } = &mut *state;
        if !ledger.is_stopped() {
            all.retain(|tag, _| ledger.holds(*tag));
            all.insert(entry.tag, Box::new(moves));
        }
    }

    /// Begins work on the message: from now on it is finished, whatever happens. `None` when it is not ours any more,
    /// because its subscription is lost or a stop gave it back: the broker gives it to somebody else.
    pub fn begin(self) -> Option<Self> {
        self.begin_as(false)
    }

    /// The same of work that asks somebody outside, who may never answer: where too many do not, others are taken beside them.
    /// [`Self::has_asked`] ends that.
    pub fn begin_asking(self) -> Option<Self> {
        self.begin_as(true)
    }

    fn begin_as(mut self, is_asking: bool) -> Option<Self> {
        let entry = self.entry.take()?;
        self.entry = Some(self.ledger.lock().ledger.begin(entry, is_asking)?);
        Some(self)
    }

    /// Nobody outside is waited for any more.
    pub fn has_asked(&self) {
        if let Some(entry) = self.entry {
            self.ledger.lock().ledger.has_asked(entry);
        }
    }

    /// The message is settled: everything that replaces it is stored. It is acknowledged in a moment.
    pub fn settle(mut self) {
        let Some(entry) = self.entry.take() else { return };
        if self.ledger.lock().ledger.settle(entry, Instant::now()) {
            self.ledger.wake.notify_one();
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.ledger.lock().ledger.give_up(entry);
            self.ledger.wake.notify_one();
        }
    }
}

/// Tells a message from others across subscriptions: all of it but what the broker adds, so that only a redelivery of the
/// very same message has the same. Whoever sends one id with two contents has sent two messages.
fn fingerprint(message: &Message) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    message.message_id.hash(&mut hasher);
    message.message_type.hash(&mut hasher);
    message.timestamp.hash(&mut hasher);
    message.body.hash(&mut hasher);
    message.headers.hash_of_others(&mut hasher);
    hasher.finish()
}

/// Whether a redelivery may be taken for something done before: only where an id says which event it is.
fn is_recognisable(message: &Message) -> bool {
    message
        .message_id
        .as_deref()
        .is_some_and(|id| EventId::parse(id).is_ok())
}
