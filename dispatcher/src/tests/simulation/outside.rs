//! How one process reaches the outside: what it publishes, acknowledges, records and sends takes a while, and may be lost on the way.
//! A process that was killed does nothing any more, whatever it was about to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hookline_cases::broker::Published;
use hookline_common::broker::{Address, BrokerError, PublishFault, Stored};
use hookline_common::ids::EventId;
use hookline_common::message::Message;
use hookline_common::outcome::Outcome;
use hookline_common::record::{AttemptRecord, Batch};
use hookline_common::schedule::RetrySchedule;
use hookline_common::signature::SigningKeys;
use hookline_common::topology::Queue;
use hookline_consume::Acknowledges;
use hookline_outbound::client::{Answer, RequestError, SendError};
use http_body_util::{BodyExt as _, Full};
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use jiff::SignedDuration;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::clock;
use super::mistakes::{Mistake, is_back};
use super::plan::Manner;
use super::reasons::Key;
use super::world::{Post, Recorded, World, number_of};
use crate::outside::{Keeps, Logs, Sends};

/// Between two tries to publish, as with the real one.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Within so long after a stop was asked for no attempt begins any more, and what has not begun is back on its queue.
const HEARS_OF_A_STOP: u64 = 5;
const GIVEN_BACK_WITHIN: u64 = 200;
/// How long an attempt may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// One process's way out. Clones are the same.
#[derive(Clone)]
pub(super) struct WayOut {
    pub(super) world: World,
    pub(super) number: u64,
    pub(super) schedule: RetrySchedule,
    is_dead: Arc<AtomicBool>,
    pub(super) death: Arc<Notify>,
}

impl WayOut {
    pub(super) fn new(world: World, number: u64, schedule: RetrySchedule) -> Self {
        Self {
            world,
            number,
            schedule,
            is_dead: Arc::default(),
            death: Arc::new(Notify::new()),
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Something takes a while. Whoever is dead by then never comes back from it.
    pub(super) async fn pause(&self, most: usize) {
        self.world.pause(most).await;
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// Does something outside, unless the process is killed right before; it may be killed right after.
    async fn effect<T>(&self, what: impl FnOnce() -> T) -> T {
        let kill = {
            let mut state = self.world.lock();
            state.effects += 1;
            let effects = state.effects;
            let place = state.kills.iter().position(|kill| kill.at <= effects);
            place.map(|place| state.kills.swap_remove(place))
        };
        if kill.is_some_and(|kill| !kill.is_after) {
            self.die().await;
        }
        let done = what();
        if kill.is_some() {
            self.die().await;
        }
        done
    }

    /// The end of the process, as of this very moment.
    async fn die(&self) {
        self.world.lock().killed += 1;
        let number = self.number;
        self.world.tell(|| format!("process {number} is killed"));
        self.is_dead.store(true, Ordering::Release);
        self.death.notify_one();
        std::future::pending::<()>().await;
    }

    async fn publish(self, mut queue: String, message: Message) {
        if is_back(Mistake::RetriesTooSoon) {
            let delays = self.schedule.delays();
            let names = delays
                .iter()
                .map(|delay| self.world.namespace.queue(Queue::Retry(*delay)));
            if names.into_iter().any(|name| name == queue) {
                queue = self.world.namespace.queue(Queue::Retry(delays[0]));
            }
        }
        if is_back(Mistake::DropsDeadLetters) && queue == self.world.namespace.queue(Queue::Failed) {
            return;
        }
        let key = self.world.key(&message);
        loop {
            self.pause(6).await;
            let (is_lost, is_unheard) = {
                let chances = self.world.chances();
                let mut state = self.world.lock();
                let is_lost = state.random.below(1000) < chances.loses_publish;
                (
                    is_lost,
                    !is_lost && state.random.below(1000) < chances.loses_confirm,
                )
            };
            let stored = if is_lost {
                None
            } else {
                let (world, name, number) = (&self.world, &queue, self.number);
                let publish = || {
                    world.tell(|| format!("process {number} publishes {} to {name}", said(&message)));
                    if let Some(endpoint) = key.endpoint {
                        world.lock().deliveries.insert((key.event, endpoint));
                    }
                    world.store(name, message.clone())
                };
                Some(self.effect(publish).await)
            };
            if is_unheard {
                let mut state = self.world.lock();
                state.lost_confirms += 1;
                state.reasons.add(key);
            }
            self.pause(6).await;
            if stored == Some(Published::Stored) && !is_unheard {
                return;
            }
            sleep(AGAIN_AFTER).await;
        }
    }
}

/// A message in a few words.
pub(super) fn said(message: &Message) -> String {
    let attempt = message.headers.integer("attempt").ok().flatten().unwrap_or(0);
    let endpoint = message.headers.text("endpoint").ok().flatten().unwrap_or("-");
    let id = message.message_id.as_deref().unwrap_or("-");
    format!("{id} for {endpoint}, attempt {attempt}")
}

impl Keeps for WayOut {
    fn is_up(&self) -> bool {
        let chance = self.world.chances().loses_publish;
        self.world.lock().random.below(1000) >= chance
    }

    fn connected(&self) -> BoxFuture<'_, Result<(), PublishFault>> {
        Box::pin(async {
            self.pause(1_500).await;
            Ok(())
        })
    }

    fn publish_until_stored<'a>(
        &'a self,
        to: &'a Address,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<Stored, PublishFault>> {
        let key = self.world.key(message);
        self.world.lock().reasons.begins(self.number, key);
        let publishing = self.clone().publish(to.destination().to_owned(), message.clone());
        Box::pin(async move {
            if is_back(Mistake::TrustsUnconfirmed) {
                tokio::spawn(publishing);
            } else {
                publishing.await;
            }
            Ok(Stored)
        })
    }

    fn look_for_missing(&self) {}
}

impl Logs for WayOut {
    fn write<'a>(&'a self, batch: &'a Message, records: usize) -> BoxFuture<'a, Result<bool, String>> {
        let (this, lines) = (self.clone(), Batch::read(batch));
        let writing = async move {
            // Now and then it takes long.
            let most = if this.world.lock().random.one_in(8) {
                400
            } else {
                8
            };
            this.pause(most).await;
            let number = this.number;
            this.effect(|| {
                this.world.tell(|| format!("process {number} records {records}"));
                match lines {
                    Ok(lines) => lines.into_iter().for_each(|line| this.keep(line.ok().as_ref())),
                    Err(_) => this.keep(None),
                }
            })
            .await;
            this.pause(8).await;
        };
        Box::pin(async move {
            if is_back(Mistake::SettlesUnrecorded) {
                tokio::spawn(writing);
            } else {
                writing.await;
            }
            Ok(true)
        })
    }
}

impl WayOut {
    fn keep(&self, line: Option<&AttemptRecord>) {
        let Some(line) = line else {
            return self.world.accuse(|| "a record that nobody can read".to_owned());
        };
        let at = self.world.now();
        let mut state = self.world.lock();
        let endpoint = state.places.get(line.endpoint.as_str()).copied();
        state.recorded.push(Recorded {
            event: number_of(line.event.as_str()),
            endpoint: endpoint.unwrap_or(u16::MAX),
            outcome: line.outcome,
            at,
        });
    }
}

impl Sends for WayOut {
    fn send(&self, request: Request<Full<Bytes>>) -> BoxFuture<'_, Result<Answer, SendError>> {
        Box::pin(self.post(request))
    }
}

impl WayOut {
    #[expect(clippy::disallowed_methods, reason = "the body is one that was made here")]
    async fn post(&self, request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let (head, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes().to_vec())
            .unwrap_or_default();
        let mut post = self.read(&head, body);
        let key = post.key;
        self.begins(key);
        self.pause(20).await;
        let arrive = || {
            let began = self.world.now();
            let number = self.number;
            self.world.tell(|| format!("process {number} posts {key:?}"));
            let mut state = self.world.lock();
            let (third, other) = (state.random.one_in(3), state.random.one_in(2));
            let place = key.endpoint.map_or(usize::MAX, usize::from);
            let manner = state.manners.get(place).copied().unwrap_or(Manner::Good);
            let answer = match manner {
                Manner::Flaky if third => Some(500),
                Manner::Broken => Some(500),
                Manner::Busy | Manner::BusyUntil if other => Some(503),
                Manner::Cutting if other => None,
                Manner::Silent => None,
                Manner::Good | Manner::Flaky | Manner::Busy | Manner::BusyUntil | Manner::Cutting => {
                    Some(200)
                }
            };
            (post.began, post.is_success) = (began, answer == Some(200));
            state.posts.push(post);
            (manner, answer, state.posts.len() - 1)
        };
        let (manner, answer, place) = self.effect(arrive).await;
        if manner == Manner::Silent {
            sleep(TIMEOUT).await;
        }
        self.pause(40).await;
        let now = self.world.now();
        if let Some(post) = self.world.lock().posts.get_mut(place) {
            post.ended = Some(now);
        }
        match answer {
            Some(status) => Ok(answered(status, manner)),
            None => Err(unanswered(manner)),
        }
    }

    /// What its receiver reads of a request, and how it is signed.
    fn read(&self, head: &Parts, body: Vec<u8>) -> Post {
        let header = |name: &str| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        let (id, attempt) = (header("webhook-id"), header("webhook-attempt"));
        let timestamp: i64 = header("webhook-timestamp").parse().unwrap_or_default();
        let now = clock::time_of_day().map(|now| now.as_second());
        if now != Some(timestamp) {
            let says =
                || format!("an attempt says that it is made at {timestamp}, while the clock shows {now:?}");
            self.world.accuse(says);
        }
        let is_signed = EventId::parse(id).map(|id| {
            let with = |keys: &SigningKeys| {
                keys.standard(&id, timestamp, &body).as_deref() == Some(header("webhook-signature"))
            };
            let (old, new) = &*self.world.keys;
            let is_old = with(old);
            (is_old, !is_old && with(new))
        });
        let host = head.uri.host().unwrap_or_default();
        let endpoint = host.split('.').next().unwrap_or_default();
        Post {
            key: Key {
                event: number_of(id),
                endpoint: self.world.lock().places.get(endpoint).copied(),
                attempt: attempt.parse().unwrap_or(0),
            },
            body,
            made: self.world.now(),
            began: 0,
            ended: None,
            is_success: false,
            is_signed: is_signed.unwrap_or_default(),
        }
    }

    /// An attempt begins.
    fn begins(&self, key: Key) {
        let now = self.world.now();
        let mut state = self.world.lock();
        state.reasons.begins(self.number, key);
        if let Some(endpoint) = key.endpoint {
            state.deliveries.insert((key.event, endpoint));
        }
        let stop = state.stopping.get(&self.number).copied();
        drop(state);
        if stop.is_some_and(|stop| now > stop + HEARS_OF_A_STOP) {
            self.world
                .accuse(|| format!("{key:?} begins after a stop was asked for"));
        }
    }
}

fn answered(status: u16, manner: Manner) -> Answer {
    let mut headers = HeaderMap::new();
    if status == 503 {
        let until = clock::true_time_of_day().map(|now| now + SignedDuration::from_secs(2));
        let value = match (manner, until) {
            (Manner::BusyUntil, Some(until)) => {
                DateTimePrinter::new().timestamp_to_rfc9110_string(&until).ok()
            }
            _ => Some("2".to_owned()),
        };
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(RETRY_AFTER, value);
        }
    }
    Answer {
        status: StatusCode::from_u16(status).unwrap_or_default(),
        headers,
        body: Vec::new(),
        body_incomplete: false,
    }
}

fn unanswered(manner: Manner) -> SendError {
    let outcome = if manner == Manner::Silent {
        Outcome::Timeout
    } else {
        Outcome::ProtocolError
    };
    SendError::Failed(RequestError {
        outcome,
        text: "no answer".to_owned(),
        refusal: None,
    })
}

/// A subscription of one process. Once it is lost, nothing that goes through it arrives.
pub(super) struct Channel {
    pub(super) out: WayOut,
    pub(super) channel: u64,
    pub(super) generation: u64,
    /// Whether the process is the only one, and will recognise whatever it had in hand.
    pub(super) is_recognised: bool,
    /// Whether its queue is the quarantine.
    pub(super) is_of_suspects: bool,
    pub(super) is_lost: AtomicBool,
    pub(super) loss: Notify,
}

impl Channel {
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// The connection breaks: the broker gives out again what was in hand.
    pub(super) fn lose(&self) {
        if !self.is_lost.swap(true, Ordering::AcqRel) {
            self.out.world.lock().losses += 1;
            self.out
                .world
                .taken_away(self.out.number, self.channel, self.is_recognised);
            let number = self.out.number;
            self.out
                .world
                .tell(|| format!("process {number} loses a channel"));
            self.loss.notify_waiters();
            self.loss.notify_one();
            self.out.world.news.notify_waiters();
        }
    }

    async fn tell(&self, what: impl FnOnce() -> Result<(), String>) -> Result<(), BrokerError> {
        let lost = BrokerError::NoAnswer {
            what: "acknowledging",
            seconds: 0,
        };
        self.out.pause(3).await;
        let breaks = {
            let chance = self.out.world.chances().loses_channel;
            let mut state = self.out.world.lock();
            state.random.below(1000) < chance
        };
        if breaks {
            self.lose();
        }
        if self.is_lost() {
            return Err(lost);
        }
        if let Err(fault) = self.out.effect(what).await {
            self.out.world.lock().faults.push(fault);
            self.lose();
            return Err(lost);
        }
        self.out.world.news.notify_waiters();
        Ok(())
    }

    fn ack(&self, tag: u64, is_multiple: bool) -> Result<(), String> {
        let number = self.out.number;
        self.out
            .world
            .tell(|| format!("process {number} acknowledges {tag}, all before it: {is_multiple}"));
        let mut state = self.out.world.lock();
        if is_back(Mistake::CutsAcknowledgements) && state.stopping.contains_key(&number) {
            return Ok(());
        }
        let acked = state.broker.ack(
            self.channel,
            tag,
            is_multiple || is_back(Mistake::AcknowledgesTooMuch),
        );
        acked.map_err(|unknown| format!("{unknown:?} was acknowledged"))
    }
}

impl Acknowledges for Channel {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn is_void(&self) -> bool {
        self.is_lost()
    }

    fn ack_through(&self, tag: u64) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(self.tell(move || self.ack(tag, true)))
    }

    fn ack_each(&self, tags: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(async move {
            for tag in tags {
                self.tell(|| self.ack(tag, false)).await?;
            }
            Ok(())
        })
    }

    fn give_back_each(&self, tags: Vec<u64>) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(async move {
            for tag in tags {
                if is_back(Mistake::KeepsWhatWaits) {
                    continue;
                }
                let give_back = || {
                    let now = self.out.world.now();
                    let stop = self.out.world.lock().stopping.get(&self.out.number).copied();
                    if stop.is_some_and(|stop| now > stop + GIVEN_BACK_WITHIN) {
                        self.out
                            .world
                            .accuse(|| format!("{tag} is given back long after a stop was asked for"));
                    }
                    if stop.is_some() && self.is_of_suspects {
                        self.out
                            .world
                            .accuse(|| format!("a stop gives the suspect {tag} back, which counts"));
                    }
                    let given = self.out.world.lock().broker.give_back(self.channel, tag, now);
                    given.map_err(|unknown| format!("{unknown:?} was given back"))
                };
                self.tell(give_back).await?;
            }
            Ok(())
        })
    }

    fn reach_channel(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(async { Ok(()) })
    }

    fn reach_queue(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(async { Ok(()) })
    }
}
