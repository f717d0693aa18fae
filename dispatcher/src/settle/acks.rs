//! The books of every message in hand, and the only acknowledgements in the dispatcher.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookline_common::broker::Acker;
use hookline_common::ids::EventId;
use hookline_common::message::Message;
use hookline_common::topology::Queue;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;

use super::aftermath::{Aftermath, Recognised};
use super::window::{Fingerprint, PATIENCE, Window};

/// How long acknowledgements are gathered: one for fifty messages costs the broker a third of fifty single ones.
const GATHER: Duration = Duration::from_millis(1);

/// Which working queue a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Events not yet routed.
    Events,
    /// First attempts.
    Deliveries,
    /// Later attempts, and what was parked.
    Due,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Events, Self::Deliveries, Self::Due];

    /// The queue.
    #[must_use]
    pub fn queue(self) -> Queue {
        match self {
            Self::Events => Queue::Events,
            Self::Deliveries => Queue::Deliveries,
            Self::Due => Queue::Due,
        }
    }

    /// The name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Deliveries => "deliveries",
            Self::Due => "due",
        }
    }
}

/// A message in hand. Whoever holds it must see to it that it is settled; dropped, it goes back to its queue when
/// the subscription ends.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    source: Source,
    generation: u64,
    tag: u64,
    fingerprint: Fingerprint,
}

/// All messages in hand, by queue.
#[derive(Default)]
pub struct Acks {
    books: [Books; 3],
}

#[derive(Default)]
struct Books {
    state: Mutex<State>,
    /// Something can be acknowledged.
    wake: Notify,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    aftermath: Aftermath,
}

struct Current {
    window: Window,
    acker: Acker,
}

impl Acks {
    /// A subscription of `source` begins, with at most `prefetch` messages unacknowledged.
    pub fn begin(&self, source: Source, acker: Acker, prefetch: u16) {
        let mut state = self.books(source).lock();
        state.current = Some(Current {
            window: Window::new(prefetch),
            acker,
        });
    }

    /// The subscription of `source` is lost: what it held will be redelivered.
    pub fn lost(&self, source: Source) {
        let mut state = self.books(source).lock();
        if let Some(current) = state.current.take() {
            state.aftermath.remember(current.window.close(), Instant::now());
        }
    }

    /// Takes a message in. `None` when it is settled already, or will be when work that goes on is.
    pub fn receive(&self, source: Source, tag: u64, redelivered: bool, message: &Message) -> Option<Ticket> {
        let fingerprint = fingerprint(source, message);
        let books = self.books(source);
        let mut state = books.lock();
        let State {
            current: Some(current),
            aftermath,
        } = &mut *state
        else {
            return None;
        };
        current.window.received(tag, fingerprint);
        let recognised = if redelivered && is_recognisable(message) {
            aftermath.recognise(fingerprint, tag)
        } else {
            Recognised::New
        };
        match recognised {
            Recognised::New => Some(Ticket {
                source,
                generation: current.acker.generation(),
                tag,
                fingerprint,
            }),
            Recognised::Settled => {
                debug!(
                    source = source.as_str(),
                    "a redelivery of what was settled is acknowledged unsent"
                );
                if current.window.settled(tag, Instant::now()) {
                    books.wake.notify_one();
                }
                None
            }
            Recognised::Running => {
                current.window.attach(tag);
                None
            }
        }
    }

    /// Whether work on a message may begin: not when its subscription is lost, since the broker gives it to
    /// somebody again. If it came back to us meanwhile, the ticket of that redelivery is returned.
    #[must_use]
    pub fn still_ours(&self, ticket: Ticket) -> Option<Ticket> {
        let mut state = self.books(ticket.source).lock();
        let State { current, aftermath } = &mut *state;
        if let Some(current) = current.as_ref()
            && current.acker.generation() == ticket.generation
        {
            return Some(ticket);
        }
        let tag = aftermath.abandoned(ticket.fingerprint)?;
        let current = current.as_mut()?;
        current.window.detach(tag);
        Some(Ticket {
            tag,
            generation: current.acker.generation(),
            ..ticket
        })
    }

    /// A message is settled: everything that replaces it is confirmed.
    pub(super) fn settled(&self, ticket: Ticket) {
        let books = self.books(ticket.source);
        let mut state = books.lock();
        let now = Instant::now();
        let State { current, aftermath } = &mut *state;
        let is_current = current
            .as_ref()
            .is_some_and(|current| current.acker.generation() == ticket.generation);
        let tag = if is_current {
            Some(ticket.tag)
        } else {
            aftermath.settled(ticket.fingerprint, now)
        };
        if let (Some(tag), Some(current)) = (tag, current) {
            let is_first_behind = current.window.next_overdue().is_none();
            if current.window.settled(tag, now) || is_first_behind {
                books.wake.notify_one();
            }
        }
    }

    /// Acknowledges what is settled of `source`, for ever.
    pub async fn acknowledge(&self, source: Source) {
        loop {
            let next = self
                .books(source)
                .lock()
                .current
                .as_ref()
                .and_then(|current| current.window.next_overdue());
            tokio::select! {
                () = self.books(source).wake.notified() => sleep(GATHER).await,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            self.acknowledge_now(source, Instant::now()).await;
        }
    }

    /// Acknowledges everything that is settled, without gathering, and waits until the broker has seen it.
    pub async fn flush(&self) {
        for source in Source::ALL {
            self.acknowledge_now(source, Instant::now() + PATIENCE).await;
            let acker = self
                .books(source)
                .lock()
                .current
                .as_ref()
                .map(|current| current.acker.clone());
            if let Some(acker) = acker
                && let Err(error) = acker.seen().await
            {
                debug!(source = source.as_str(), %error, "the broker may not have seen the last acknowledgements");
            }
        }
    }

    /// How many messages of `source` are in hand.
    #[must_use]
    pub fn in_hand(&self, source: Source) -> usize {
        self.books(source)
            .lock()
            .current
            .as_ref()
            .map_or(0, |current| current.window.len())
    }

    /// Whether every queue is being consumed.
    #[must_use]
    pub fn is_consuming(&self) -> bool {
        Source::ALL.into_iter().all(|source| {
            self.books(source)
                .lock()
                .current
                .as_ref()
                .is_some_and(|current| !current.acker.is_void())
        })
    }

    async fn acknowledge_now(&self, source: Source, now: Instant) {
        let (acker, run, overdue) = {
            let mut state = self.books(source).lock();
            let Some(current) = state.current.as_mut() else {
                return;
            };
            (
                current.acker.clone(),
                current.window.take_run(),
                current.window.take_overdue(now),
            )
        };
        let acknowledge = async {
            if let Some(tag) = run {
                acker.ack_through(tag).await?;
            }
            acker.ack_each(overdue).await
        };
        if let Err(error) = acknowledge.await {
            debug!(source = source.as_str(), %error, "an acknowledgement did not go out; the message comes again");
        }
    }

    fn books(&self, source: Source) -> &Books {
        match source {
            Source::Events => &self.books[0],
            Source::Deliveries => &self.books[1],
            Source::Due => &self.books[2],
        }
    }
}

impl Books {
    /// A panic elsewhere leaves books that are still sound: every change under the lock is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a message from others across subscriptions: all of it but what the broker adds, so that only a redelivery of the
/// very same message has the same. Whoever sends one id with two contents has sent two messages.
fn fingerprint(source: Source, message: &Message) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
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
