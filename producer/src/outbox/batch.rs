//! A batch is published: companies side by side, each company's events one after the other.

use std::future::ready;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;

use super::outcome::{Outcome, Place};
use super::row::Row;
use super::stop::Stop;
use super::table::Batch;
use super::verdict::never;
use crate::publish::Publish;

/// How long events that are on their way may take when the relay is asked to stop. What is not answered by then is published
/// again by the next one.
const GRACE: Duration = Duration::from_secs(5);

/// Publishes a batch, and tells what became of it. Once it is time to stop, no event is begun.
pub(super) async fn publish(publisher: &dyn Publish, batch: Batch, window: usize, stop: &Stop) -> Outcome {
    let outcome = Mutex::new(Outcome::default());
    {
        let all = stream::iter(batch)
            .for_each_concurrent(None, |rows| one_company(publisher, rows, window, stop, &outcome));
        let given_up = async {
            stop.requested().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            () = all => {}
            () = given_up => {}
        }
    }
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Why an event was not published.
enum Unpublished {
    /// It never will be.
    Never(String),
    /// Another try may succeed.
    ForNow(String),
}

async fn one_company(
    publisher: &dyn Publish,
    rows: Vec<Row>,
    window: usize,
    stop: &Stop,
    outcome: &Mutex<Outcome>,
) {
    let has_failed = AtomicBool::new(false);
    let begun = stream::iter(rows).take_while(|_| ready(!has_failed.load(Relaxed) && !stop.is_requested()));
    let publishing = begun.map(|row| async move {
        let published = one_event(publisher, &row).await;
        let Row {
            company, position, ..
        } = row;
        (Place { company, position }, published)
    });
    // The results come in the order of the rows, and the next one begins when there is room for it. Those that are under way
    // are waited for in any case: the broker may have them.
    let mut published = pin!(publishing.buffered(window));
    while let Some((place, published)) = published.next().await {
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match published {
            Ok(()) => outcome.done.push(place),
            Err(Unpublished::Never(reason)) => outcome.aside.push((place, reason)),
            // Those beside it failed for the same reason.
            Err(Unpublished::ForNow(_)) if has_failed.load(Relaxed) => {}
            Err(Unpublished::ForNow(reason)) => {
                outcome.failed.push((place, reason));
                has_failed.store(true, Relaxed);
            }
        }
    }
}

async fn one_event(publisher: &dyn Publish, row: &Row) -> Result<(), Unpublished> {
    let event = row.event().map_err(Unpublished::Never)?;
    match publisher.publish(&event).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match never(&error) {
            Some(reason) => Unpublished::Never(reason),
            None => Unpublished::ForNow(error.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookline_common::event::Event;
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    use super::*;
    use crate::memory::{MemoryFault, MemoryProducer};
    use crate::publish::PublishFuture;

    fn rows(company: &str, positions: &[i64]) -> Vec<Row> {
        let row = |position: &i64| Row {
            position: *position,
            company: company.to_owned(),
            event_id: format!("evt_{position}"),
            event_type: "booking.created".to_owned(),
            created_at: "2024-01-15T14:30:00.000Z".to_owned(),
            data: Some("{}".to_owned()),
            ..Row::default()
        };
        positions.iter().map(row).collect()
    }

    fn positions<'a>(places: impl Iterator<Item = &'a Place>) -> Vec<i64> {
        places.map(|place| place.position).collect()
    }

    #[tokio::test]
    async fn an_event_that_fails_for_now_holds_up_its_company_alone() {
        let producer = MemoryProducer::new();
        producer.fail_next(MemoryFault::NotStored);
        let (_trigger, stop) = Stop::new();
        let batch = vec![rows("a", &[1, 2]), rows("b", &[3, 4])];
        let outcome = publish(&producer, batch, 1, &stop).await;
        assert_eq!(positions(outcome.failed.iter().map(|(place, _)| place)), [1]);
        assert_eq!(positions(outcome.done.iter()), [3, 4]);
        let ids: Vec<String> = producer
            .published()
            .iter()
            .map(|event| event.id.to_string())
            .collect();
        assert_eq!(ids, ["evt_3", "evt_4"]);
    }

    #[tokio::test]
    async fn one_that_can_never_be_published_lets_those_behind_it_pass() {
        let producer = MemoryProducer::new();
        let refused = MemoryFault::Refused {
            code: 406,
            text: "larger than".to_owned(),
        };
        producer.fail_next(refused);
        let (_trigger, stop) = Stop::new();
        let mut batch = vec![rows("a", &[1, 2, 3])];
        batch[0][1].data = Some("no json".to_owned());
        let outcome = publish(&producer, batch, 1, &stop).await;
        assert_eq!(positions(outcome.aside.iter().map(|(place, _)| place)), [1, 2]);
        assert_eq!(positions(outcome.done.iter()), [3]);
    }

    /// Stores at once, and confirms when it is let.
    struct Slow {
        stores: MemoryProducer,
        confirms: Semaphore,
    }

    impl Slow {
        fn new() -> Self {
            Self {
                stores: MemoryProducer::new(),
                confirms: Semaphore::new(0),
            }
        }
    }

    impl Publish for Slow {
        fn publish<'a>(&'a self, event: &'a Event) -> PublishFuture<'a> {
            Box::pin(async move {
                let stored = self.stores.publish(event).await;
                self.confirms.acquire().await.unwrap().forget();
                stored
            })
        }
    }

    #[tokio::test]
    async fn no_event_is_begun_once_it_is_time_to_stop() {
        let producer = MemoryProducer::new();
        let (trigger, stop) = Stop::new();
        trigger.send_replace(true);
        let outcome = publish(&producer, vec![rows("a", &[1, 2, 3])], 1, &stop).await;
        assert!(outcome.done.is_empty() && producer.published().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_when_it_is_time_to_stop_is_waited_for() {
        let (slow, (trigger, stop)) = (Slow::new(), Stop::new());
        let publishing = publish(&slow, vec![rows("a", &[1, 2, 3, 4, 5])], 3, &stop);
        let stopping = async {
            while slow.stores.published().len() < 3 {
                yield_now().await;
            }
            trigger.send_replace(true);
            for _ in 0..5 {
                slow.confirms.add_permits(1);
                sleep(GRACE / 10).await;
            }
        };
        let (outcome, ()) = tokio::join!(publishing, stopping);
        assert_eq!(positions(outcome.done.iter()), [1, 2, 3]);
        assert_eq!(slow.stores.published().len(), 3, "and no other is begun");
    }

    #[tokio::test]
    async fn what_is_under_way_beside_one_that_fails_is_waited_for() {
        let (slow, (_trigger, stop)) = (Slow::new(), Stop::new());
        slow.stores.fail_next(MemoryFault::NotStored);
        let publishing = publish(&slow, vec![rows("a", &[1, 2, 3, 4, 5])], 3, &stop);
        let confirming = async {
            while slow.stores.published().len() < 2 {
                yield_now().await;
            }
            slow.confirms.add_permits(5);
        };
        let (outcome, ()) = tokio::join!(publishing, confirming);
        assert_eq!(positions(outcome.failed.iter().map(|(place, _)| place)), [1]);
        assert_eq!(positions(outcome.done.iter()), [2, 3]);
        assert_eq!(slow.stores.published().len(), 2, "and no other is begun");
    }
}
