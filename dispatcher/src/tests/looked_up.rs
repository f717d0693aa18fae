//! A window full of messages whose companies have to be looked up first, as when a process starts or the database is back: each waits
//! in a task of its own, and all are done in the same moment.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hookline_common::endpoint::{Endpoint, EventFilter, Format};
use hookline_common::event::Event;
use hookline_common::guard::Policy;
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_common::message::write_event;
use hookline_common::schedule::RetrySchedule;
use hookline_common::secret::Secret;
use hookline_common::shutdown::{Shutdown, Trigger};
use hookline_common::signature::SigningKeys;
use hookline_common::topology::Namespace;
use hookline_consume::{AckLedger, Handler as _};
use hookline_outbound::client::{Answer, SendError};
use http_body_util::Full;
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::in_hand::{self, Willing};
use crate::attempts::{Attempts, Terms};
use crate::endpoints::{CompanyEndpoints, Endpoints, Lookup, PreparedEndpoint};
use crate::fairness::{Bounds, Concurrency, Fairness, StartLimiter};
use crate::meters::Meters;
use crate::outside::Sends;
use crate::pipeline::{Pipeline, Reception};
use crate::queues::Working;
use crate::settings::KeepPayloads;
use crate::settle::Settler;

const WINDOW: usize = 400;
/// Endpoints that nothing is known of hold so much of it.
const SHARE: usize = WINDOW / 2;
/// More than begin in any of this.
const MANY: usize = 10_000;
/// What stands in `attempts.rs` and in `start_limiter.rs`.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);
const MOMENT: Duration = Duration::from_millis(5);

/// Companies of one endpoint each, unknown until they are loaded.
#[derive(Clone)]
struct Companies {
    /// Closed as soon as they are.
    loaded: Arc<Semaphore>,
}

impl Endpoints for Companies {
    fn lookup(&self, company: &CompanyId) -> Lookup {
        if !self.loaded.is_closed() {
            return Lookup::NotYet;
        }
        let endpoint = Endpoint {
            id: EndpointId::parse("ep_1").expect("an endpoint"),
            company: company.clone(),
            url: format!("https://{company}.example.com/"),
            format: Format::Meeva,
            events: EventFilter::default(),
            headers: Vec::new(),
            rate: None,
            disabled: false,
            keys: SigningKeys::new(&Secret::parse("a-secret-of-sixteen").expect("a secret"), None),
        };
        let prepared = Arc::new(PreparedEndpoint::new(endpoint, &Policy::default()));
        Lookup::Known(Arc::new(CompanyEndpoints::new(vec![prepared])))
    }

    fn look_again(&self, _: &CompanyId) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        if self.loaded.is_closed() {
            return None;
        }
        let loaded = Arc::clone(&self.loaded);
        Some(Box::pin(async move { drop(loaded.acquire().await) }))
    }
}

/// Receivers that answer when they are told to, in the order in which they were asked.
#[derive(Clone)]
struct Receivers {
    begun: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
}

impl Sends for Receivers {
    fn send(&self, _: Request<Full<Bytes>>) -> BoxFuture<'_, Result<Answer, SendError>> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            if let Ok(told) = self.answers.acquire().await {
                told.forget();
            }
            Ok(Answer {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Vec::new(),
                body_incomplete: false,
            })
        })
    }
}

/// A dispatcher of one working queue.
struct Rig {
    companies: Companies,
    receivers: Receivers,
    ledger: Arc<AckLedger>,
    attempts: Arc<Attempts>,
    reception: Reception,
    tasks: TaskTracker,
    /// Dropped, it would ask for a stop.
    _trigger: Trigger,
}

impl Rig {
    /// With so many attempts that begin at once.
    fn new(at_once: usize) -> Self {
        let companies = Companies {
            loaded: Arc::new(Semaphore::new(0)),
        };
        let receivers = Receivers {
            begun: Arc::default(),
            answers: Arc::new(Semaphore::new(0)),
        };
        let (meters, tasks) = (Meters::unobserved(), TaskTracker::new());
        let (trigger, shutdown) = Shutdown::new();
        let settler = Settler::new(Willing, Namespace::default(), None, shutdown);
        let fairness = Fairness::new(Bounds {
            concurrency: Concurrency::up_to(32),
            windows: vec![WINDOW; 4],
            due: Working::Due.index(),
            connections: MANY,
        });
        let endpoints: Arc<dyn Endpoints> = Arc::new(companies.clone());
        let attempts = Attempts::new(
            Arc::clone(&endpoints),
            fairness,
            receivers.clone(),
            settler.clone(),
            Terms {
                schedule: RetrySchedule::default(),
                keep_payloads: KeepPayloads::None,
                trace_receivers: false,
            },
            meters.clone(),
            tasks.clone(),
        );
        let pipeline = Pipeline::new(
            endpoints,
            Duration::ZERO,
            Arc::clone(&attempts),
            settler,
            meters,
            tasks.clone(),
        );
        let reception = Reception {
            queue: Working::Events,
            limiter: StartLimiter::new(at_once),
            pipeline,
            publisher: Arc::new(Willing),
        };
        Self {
            companies,
            receivers,
            ledger: in_hand::ledger(),
            attempts,
            reception,
            tasks,
            _trigger: trigger,
        }
    }

    /// Takes in an event for each of so many companies, and has all of them loaded at once.
    async fn look_up(&self, companies: usize) {
        for (company, tag) in (0..companies).zip(1..) {
            let event = Event::new(&format!("company-{company}"), "booking.created", "{}").expect("an event");
            let taken = in_hand::take_in(&self.ledger, tag, write_event(&event));
            self.reception.take(taken).await;
        }
        assert_eq!((self.begun(), self.tasks.len()), (0, companies));
        self.companies.loaded.close();
        turns().await;
    }

    fn begun(&self) -> usize {
        self.receivers.begun.load(Ordering::Relaxed)
    }

    fn asked(&self) -> usize {
        self.attempts.fairness().asked()
    }
}

/// Lets everybody do what needs no time.
async fn turns() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_job_of_a_working_queue_is_held_and_the_others_wait_behind_it() {
    let rig = Rig::new(MANY);
    rig.look_up(WINDOW).await;
    assert_eq!((rig.begun(), rig.asked()), (SHARE, SHARE + 1));
    sleep(ASK_AGAIN_AFTER * 3 + Duration::from_millis(1)).await;
    assert!(rig.asked() <= SHARE + 1 + 3, "{} questions", rig.asked());
    for answered in 1..=SHARE {
        rig.receivers.answers.add_permits(1);
        turns().await;
        assert_eq!(rig.begun(), SHARE + answered);
    }
    // Each job asks when it is its turn, is told to wait, and asks again when there is room.
    assert!(rig.asked() <= 2 * WINDOW, "{} questions", rig.asked());
}

#[tokio::test(start_paused = true)]
async fn at_a_stop_nothing_of_that_waits_any_longer() {
    let rig = Rig::new(MANY);
    rig.look_up(WINDOW).await;
    assert_eq!(rig.tasks.len(), WINDOW);
    rig.ledger.stop();
    rig.attempts.give_back_waiting();
    turns().await;
    // What is in flight is all that is left.
    assert_eq!((rig.tasks.len(), rig.asked()), (SHARE, SHARE + 1));
}

#[tokio::test(start_paused = true)]
async fn no_more_begin_at_once_than_the_processors_are_kept_busy_by() {
    const AT_ONCE: usize = 5;
    let rig = Rig::new(AT_ONCE);
    rig.look_up(SHARE).await;
    assert_eq!(rig.begun(), AT_ONCE);
    sleep(MOMENT).await;
    turns().await;
    assert_eq!(rig.begun(), 2 * AT_ONCE);
    // Nobody answers, and all begin in the end.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(rig.begun(), SHARE);
}
