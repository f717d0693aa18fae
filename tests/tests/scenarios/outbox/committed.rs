//! What is published: all that was committed, as it was enqueued, and nothing else.

use hookline_common::topology::Queue;
use hookline_producer::outbox::{self, OutboxError, RelaySettings};
use hookline_producer::{Event, TraceContext};
use hookline_tests::database::Database;
use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, eventually, scenario, status};
use sqlx::{Acquire as _, PgPool};

use super::{Bookings, Running, event, ids, published_ids};
use crate::SOON;

#[tokio::test]
async fn a_committed_event_is_delivered_as_it_was_enqueued() {
    scenario(async |world| {
        let receiver = Receiver::answering(status(200)).await;
        world.endpoints([endpoint("ep_1", &receiver)]);
        world.dispatcher().start().await;
        let bookings = Bookings::new().await;
        let relay = Running::start(
            &bookings.pool,
            world.producer().await.clone(),
            RelaySettings::default(),
        );
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let event = Event {
            trace: TraceContext::from_headers(Some(trace), Some("rojo=1")),
            ..Event::new("acme", "booking.created", "{ \"a\":1.0, \"ü\":\"\\u0000\" }").unwrap()
        };
        bookings.commit(&event).await;
        let request = eventually(SOON, "it is delivered", async || receiver.requests().pop()).await;
        assert_eq!(request.id(), event.id.as_str());
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        assert!(body.contains(event.data.as_str()), "{body}");
        assert!(body.contains(&event.created_at.to_string()), "{body}");
        bookings.is_empty().await;
        relay.stop().await;
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_rolled_back_is_never_published() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let relay = Running::start(
            &bookings.pool,
            world.producer().await.clone(),
            RelaySettings::default(),
        );
        let mut committed = Vec::new();
        for number in 0..20 {
            let one = event("acme", number);
            let mut tx = bookings.pool.begin().await.unwrap();
            // A part of a transaction may be rolled back as well.
            let mut part = tx.begin().await.unwrap();
            outbox::enqueue(&mut part, &event("acme", number)).await.unwrap();
            part.rollback().await.unwrap();
            outbox::enqueue(&mut tx, &one).await.unwrap();
            if number % 2 == 0 {
                tx.rollback().await.unwrap();
            } else {
                tx.commit().await.unwrap();
                committed.push(one);
            }
        }
        world.expect_in(Queue::Events, committed.len(), SOON).await;
        bookings.is_empty().await;
        relay.stop().await;
        assert_eq!(published_ids(world).await, ids(&committed));
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn a_trace_goes_on_through_the_outbox() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let event = Event {
            trace: TraceContext::from_headers(Some(trace), Some("rojo=1")),
            ..event("acme", 1)
        };
        bookings.commit(&event).await;
        bookings
            .commit_all(&[event.clone(), super::event("acme", 2)])
            .await;
        let relay = Running::start(
            &bookings.pool,
            world.producer().await.clone(),
            RelaySettings::default(),
        );
        let stored = world.expect_in(Queue::Events, 3, SOON).await;
        for message in &stored[..2] {
            assert_eq!(message.text("traceparent"), trace);
            assert_eq!(message.text("tracestate"), "rojo=1");
            assert_eq!(message.text("created-at"), event.created_at.to_millis_text());
        }
        assert!(!stored[2].headers.iter().any(|(name, _)| name == "traceparent"));
        relay.stop().await;
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn the_tables_are_made_once_however_many_services_start() {
    let database = Database::create().await;
    let pool = PgPool::connect(database.url().as_str()).await.unwrap();
    let error = outbox::backlog(&pool).await.unwrap_err();
    assert!(matches!(error, OutboxError::NoTable(_)), "{error:?}");
    assert!(error.to_string().contains("hookline relay --migrate"), "{error}");
    let migrations = (0..4).map(|_| outbox::migrate(&pool));
    futures_util::future::try_join_all(migrations).await.unwrap();
    outbox::migrate(&pool).await.unwrap();
    assert_eq!(outbox::backlog(&pool).await.unwrap().waiting, 0);
    let newer = "COMMENT ON TABLE hookline_outbox IS 'Hookline outbox, step 99'";
    sqlx::query(newer).execute(&pool).await.unwrap();
    let error = outbox::migrate(&pool).await.unwrap_err();
    assert!(matches!(error, OutboxError::Newer { found: 99, .. }), "{error:?}");
    pool.close().await;
    database.remove().await;
}
