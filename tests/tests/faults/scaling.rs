//! As many dispatchers as the broker has work for, by the rule of the chart's ScaledObject: they come and go under load, and
//! nothing is lost, and nothing comes twice because of it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::endpoint::endpoint;
use hookline_tests::fault::{Allowed, Trial, are_recorded};
use hookline_tests::judge::Judge;
use hookline_tests::services::{name, services};
use hookline_tests::{Receiver, SOON, World, eventually, http, scenario, status};
use serde_json::Value;
use tokio::time::sleep;

/// What one dispatcher has in hand of a queue, and so the messages for each replica: small, so that few seconds of load need four.
const WINDOW: u64 = 50;
const MOST: usize = 4;
/// Events that two endpoints want, which go through `deliveries`, and as many that one wants, which stay in `events` until they are attempted.
const EVENTS: usize = 1500;
/// As long as the receivers take, so that a dispatcher's window and not its processor is what is short, and that one alone needs ten seconds
/// and more: the broker's numbers are up to five seconds old.
const ANSWERS_AFTER: Duration = Duration::from_millis(300);
/// Between two looks at the broker, whose numbers are some seconds old in any case.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks in a row that ask for fewer before one goes.
const LOOKS_BEFORE_DOWN: u32 = 4;

const WORKING: [Queue; 3] = [Queue::Events, Queue::Deliveries, Queue::Due];

/// Plays KEDA and the deployment.
struct Scaler<'a> {
    world: &'a World,
    running: Vec<Arc<Dispatcher>>,
    /// The most that ran at once.
    most: usize,
    /// Dispatchers that were stopped.
    stopped: usize,
    looks_with_less: u32,
    /// The most that was seen in each working queue.
    seen: [u64; 3],
}

impl<'a> Scaler<'a> {
    async fn new(world: &'a World) -> Self {
        let mut scaler = Self {
            world,
            running: Vec::new(),
            most: 0,
            stopped: 0,
            looks_with_less: 0,
            seen: [0; 3],
        };
        scaler.add().await;
        scaler
    }

    async fn add(&mut self) {
        let one = self
            .world
            .dispatcher()
            .set("HOOKLINE_PREFETCH", WINDOW.to_string());
        self.running.push(one.start().await);
        self.most = self.most.max(self.running.len());
    }

    /// Ready and in hand, of the working queues: the sum that KEDA makes of the management API's answer to this question.
    async fn messages(&mut self) -> u64 {
        let namespace = self.world.namespace().to_string().replace('.', "\\.");
        let mut url = services().management.clone();
        url.set_path("/api/queues/%2F");
        url.query_pairs_mut()
            .append_pair("use_regex", "true")
            .append_pair("name", &format!("^{namespace}\\.(events|deliveries|due)$"))
            .append_pair("pagination", "true")
            .append_pair("page", "1")
            .append_pair("page_size", "100");
        let page = eventually(SOON, "the management API answers", async || {
            let page = http::get(&url).await.ok();
            page.filter(|page| page.status == 200)
        })
        .await;
        let found: Value = serde_json::from_str(&page.body).unwrap();
        let found = found["items"].as_array().unwrap();
        let mut sum = 0;
        for (queue, most) in WORKING.iter().zip(&mut self.seen) {
            let wanted = self.world.queue(*queue);
            let told = found.iter().find(|queue| name(queue) == wanted);
            // A queue that was declared a moment ago has no numbers yet.
            let messages = told.unwrap()["messages"].as_u64().unwrap_or(0);
            *most = (*most).max(messages);
            sum += messages;
        }
        assert_eq!(found.len(), WORKING.len(), "and no others");
        sum
    }

    /// One look at the broker, and what follows: up at once and twice as many at most, down one by one and later.
    async fn look(&mut self) -> u64 {
        let messages = self.messages().await;
        let wanted = usize::try_from(messages.div_ceil(WINDOW)).unwrap().clamp(1, MOST);
        let now = self.running.len();
        if wanted < now {
            self.looks_with_less += 1;
            if self.looks_with_less >= LOOKS_BEFORE_DOWN {
                self.looks_with_less = 0;
                self.stopped += 1;
                // The oldest: it has the most in hand.
                self.running.remove(0).stop().await;
            }
        } else {
            self.looks_with_less = 0;
            for _ in now..wanted.min(2 * now) {
                self.add().await;
            }
        }
        messages
    }
}

#[tokio::test]
async fn d41_dispatchers_come_and_go_by_what_waits_and_nothing_is_lost_or_repeated() {
    scenario(async |world| {
        let trial = Trial::here();
        let crm = Receiver::answering(status(200).after(ANSWERS_AFTER)).await;
        // Every second one fails at first, so that later attempts are among what is counted.
        let mut count = 0;
        let books = Receiver::scripted(move |request| {
            count += usize::from(request.attempt() == 1);
            let fails = request.attempt() == 1 && count % 2 == 0;
            status(if fails { 500 } else { 200 }).after(ANSWERS_AFTER)
        })
        .await;
        world.endpoints([
            endpoint("ep_crm", &crm),
            endpoint("ep_books", &books).events(&["booking.created"]),
        ]);
        let mut scaler = Scaler::new(world).await;
        let is_published = Cell::new(false);
        let publishing = async {
            let both = tokio::join!(
                world.publish_many(EVENTS, "booking.created"),
                world.publish_many(EVENTS, "booking.cancelled"),
            );
            is_published.set(true);
            both
        };
        let scaling = eventually(10 * SOON, "four, and then one and nothing to do", async || {
            let messages = scaler.look().await;
            let is_calm = is_published.get() && messages == 0 && crm.count() >= 2 * EVENTS;
            if is_calm && scaler.running.len() == 1 {
                return Some(());
            }
            sleep(LOOK_EVERY).await;
            None
        });
        let ((for_both, for_one), ()) = tokio::join!(publishing, scaling);
        crm.expect(2 * EVENTS, SOON).await;
        books.expect(EVENTS + EVENTS / 2, SOON).await;
        world.is_settled_within(SOON).await;
        assert_eq!(scaler.most, MOST, "so many were needed at once");
        assert!(scaler.stopped >= MOST - 1, "and all but one had to go");
        // Of what was due the broker's numbers, some seconds apart, may have seen nothing; that it was there the receiver knows.
        assert!(
            scaler.seen[0] > WINDOW && scaler.seen[1] > WINDOW,
            "{:?}",
            scaler.seen
        );
        let retries = books
            .requests()
            .iter()
            .filter(|request| request.attempt() == 2)
            .count();
        assert_eq!(retries, EVENTS / 2);
        let mut judge = Judge::with_usual_schedule();
        judge.accepted(&for_both, &["ep_crm", "ep_books"]);
        judge.accepted(&for_one, &["ep_crm"]);
        judge.saw("ep_crm", &crm);
        judge.saw("ep_books", &books);
        assert_eq!(judge.delivered(), 3 * EVENTS);
        are_recorded(world, &mut judge).await;
        trial.closes(&judge, Allowed::nothing()).await;
    })
    .await;
}
