//! A publisher that goes on while faults happen, and keeps account of what the broker said to each event.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use hookline_producer::{Event, Producer};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

/// What became of events at their publishing.
#[derive(Debug, Default)]
pub struct Published {
    /// Confirmed.
    pub accepted: Vec<Event>,
    /// With an error that leaves open whether it is stored.
    pub in_doubt: Vec<Event>,
    /// With an error that says it is not.
    pub refused: Vec<Event>,
}

impl Published {
    fn take(&mut self, event: Event, stored: Result<(), bool>) {
        match stored {
            Ok(()) => self.accepted.push(event),
            Err(true) => self.in_doubt.push(event),
            Err(false) => self.refused.push(event),
        }
    }
}

/// How many events wait for the broker's answer at once, where as many as possible are published.
const AT_ONCE: usize = 100;

/// An event of a company, numbered.
///
/// # Panics
/// Never: it is an event.
#[must_use]
pub fn numbered(company: &str, number: usize) -> Event {
    Event::new(company, "booking.created", format!("{{\"number\":{number}}}")).expect("an event")
}

/// Publishes events as fast as the broker takes them, each once.
pub async fn publish_each(producer: &Producer, events: Vec<Event>) -> Published {
    let mut published = Published::default();
    let mut answers = futures_util::stream::iter(events)
        .map(|event| publish(producer, event))
        .buffer_unordered(AT_ONCE);
    while let Some((event, stored)) = answers.next().await {
        published.take(event, stored);
    }
    published
}

/// Publishes events as fast as the broker takes them, each under the same id until it is stored.
pub async fn publish_until_stored(producer: &Producer, events: &[Event]) {
    futures_util::stream::iter(events)
        .for_each_concurrent(
            AT_ONCE,
            async |event| while producer.publish(event).await.is_err() {},
        )
        .await;
}

async fn publish(producer: &Producer, event: Event) -> (Event, Result<(), bool>) {
    let stored = producer.publish(&event).await;
    (event, stored.map_err(|error| error.may_be_stored()).map(drop))
}

/// Publishes at a steady rate until it is stopped.
pub struct Load {
    publishing: JoinHandle<()>,
    is_over: Arc<AtomicBool>,
    confirmed: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
    published: Arc<Mutex<Published>>,
}

impl Load {
    /// Begins to publish events of a company, so many a second.
    ///
    /// # Panics
    /// When the rate is not above 0.
    #[must_use]
    pub fn start(producer: Producer, company: &str, per_second: f64) -> Self {
        let (is_over, published) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Published>>::default());
        let (begun, confirmed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
        // What a busy machine kept it from is published at once afterwards.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (ends, books) = (Arc::clone(&is_over), Arc::clone(&published));
        let (beginning, count) = (Arc::clone(&begun), Arc::clone(&confirmed));
        let company = company.to_owned();
        let publishing = tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            let mut number = 0;
            while !ends.load(Ordering::Relaxed) {
                ticks.tick().await;
                number += 1;
                beginning.fetch_add(1, Ordering::Relaxed);
                let (event, producer) = (numbered(&company, number), producer.clone());
                let (books, count) = (Arc::clone(&books), Arc::clone(&count));
                under_way.spawn(async move {
                    let (event, stored) = publish(&producer, event).await;
                    if stored.is_ok() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    books.lock().unwrap().take(event, stored);
                });
                while under_way.try_join_next().is_some() {}
            }
            while under_way.join_next().await.is_some() {}
        });
        Self {
            publishing,
            is_over,
            begun,
            confirmed,
            published,
        }
    }

    /// How many events have been confirmed.
    #[must_use]
    pub fn confirmed(&self) -> usize {
        self.confirmed.load(Ordering::Relaxed)
    }

    /// How many events have been published and are neither confirmed nor given up yet.
    ///
    /// # Panics
    /// When another thread panicked here.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        let books = self.published.lock().unwrap();
        let answered = books.accepted.len() + books.in_doubt.len() + books.refused.len();
        self.begun.load(Ordering::Relaxed).saturating_sub(answered)
    }

    /// Stops, and waits for the answers to what is under way.
    ///
    /// # Panics
    /// When publishing has.
    pub async fn stop(self) -> Published {
        self.is_over.store(true, Ordering::Relaxed);
        self.publishing.await.expect("no panic");
        std::mem::take(&mut *self.published.lock().unwrap())
    }
}
