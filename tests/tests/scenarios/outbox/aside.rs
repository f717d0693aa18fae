//! What can never be published is set aside with its reason, and nobody waits for it.

use hookline_common::topology::Queue;
use hookline_producer::outbox::{self, RelaySettings};
use hookline_producer::{MemoryFault, MemoryProducer};
use hookline_tests::cli::{command, out, why};
use hookline_tests::{World, eventually, scenario};
use serde_json::Value;

use super::{Bookings, Running, events, ids, published};
use crate::SOON;

/// Runs `hookline relay` with options that make it end.
async fn relay(world: &World, bookings: &Bookings, options: &[&str]) -> std::process::Output {
    let mut command = command(world, &[&["relay"], options].concat());
    command.env("HOOKLINE_OUTBOX_DATABASE_URL", bookings.database.url().as_str());
    command.output().await.unwrap()
}

/// Another program's row.
async fn insert(bookings: &Bookings, company: &str, id: &str, event_type: &str, data: &str) {
    let row =
        sqlx::query("INSERT INTO hookline_outbox (company, event_id, type, data) VALUES ($1, $2, $3, $4)")
            .bind(company)
            .bind(id)
            .bind(event_type)
            .bind(data);
    row.execute(&bookings.pool).await.unwrap();
}

#[tokio::test]
async fn rows_that_are_no_events_let_the_others_pass_and_can_be_mended() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let good = events("acme", 4);
        bookings.commit(&good[0]).await;
        insert(&bookings, "acme", "evt_1", "booking.created", "no json").await;
        bookings.commit(&good[1]).await;
        insert(&bookings, "acme", "evt_2", "Booking Created", "{}").await;
        insert(&bookings, "a b", "evt_3", "booking.created", "{}").await;
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(200_000));
        insert(&bookings, "acme", "evt_4", "booking.created", &long).await;
        bookings.commit_all(&good[2..]).await;
        // One that another program wrote well.
        insert(&bookings, "acme", "by-hand", "booking.created", "{\"number\":4}").await;
        let relaying = Running::start(
            &bookings.pool,
            world.producer().await.clone(),
            RelaySettings::default(),
        );
        world.expect_in(Queue::Events, 5, SOON).await;
        bookings.is_empty().await;
        let published = published(world).await;
        let numbers: Vec<_> = published
            .iter()
            .map(|(_, _, data)| data["number"].as_u64())
            .collect();
        assert_eq!(numbers, (0..5).map(Some).collect::<Vec<_>>());

        let aside = outbox::list_aside(&bookings.pool).await.unwrap();
        let reasons: Vec<String> = aside
            .iter()
            .map(|one| format!("{} {}", one.event_id, one.reason))
            .collect();
        for (reason, of) in reasons
            .iter()
            .zip(["evt_1 data", "evt_2 type", "evt_3 company", "evt_4 data"])
        {
            assert!(reason.starts_with(&format!("{of}: ")), "{reasons:?}");
        }
        assert_eq!(reasons.len(), 4);
        assert_eq!(relaying.stats.set_aside(), 4);

        let listed = relay(world, &bookings, &["--list-aside", "--json"]).await;
        let listed: Vec<Value> = out(&listed)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(listed.len(), 4);
        assert_eq!(listed[1]["event"], "evt_2");
        assert_eq!(listed[1]["number"], aside[1].number);
        let table = out(&relay(world, &bookings, &["--list-aside"]).await);
        assert!(table.contains("evt_3") && table.contains("REASON"), "{table}");

        // Mended, they are events like others.
        let mend = "UPDATE hookline_outbox_aside SET type = 'booking.created', data = '{\"number\":5}'";
        bookings.database.execute(mend).await.unwrap();
        let number = aside[0].number.to_string();
        let put = relay(world, &bookings, &["--put-back", &number]).await;
        assert_eq!(out(&put), "1 put back\n");
        assert!(why(&relay(world, &bookings, &["--put-back", &number]).await, 1).contains("only 0"));
        let put = relay(world, &bookings, &["--put-back", "all"]).await;
        assert_eq!(out(&put), "3 put back\n");
        world.expect_in(Queue::Events, 5 + 3, SOON).await;
        // Its company is none still.
        let again = eventually(SOON, "one is set aside again", async || {
            let aside = outbox::list_aside(&bookings.pool).await.unwrap();
            aside.into_iter().find(|one| one.event_id == "evt_3")
        })
        .await;
        assert_eq!(
            outbox::discard_aside(&bookings.pool, &[again.number])
                .await
                .unwrap(),
            1
        );
        assert_eq!(outbox::backlog(&bookings.pool).await.unwrap().aside, 0);
        relaying.stop().await;
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn a_row_without_a_company_is_set_aside_like_others() {
    let bookings = Bookings::new().await;
    insert(&bookings, "", "evt_1", "booking.created", "{}").await;
    let good = events("acme", 2);
    bookings.commit_all(&good).await;
    let producer = MemoryProducer::default();
    let relaying = Running::start(&bookings.pool, producer.clone(), RelaySettings::default());
    bookings.is_empty().await;
    relaying.stop().await;
    assert_eq!(ids(&producer.published()), ids(&good));
    let aside = outbox::list_aside(&bookings.pool).await.unwrap();
    assert_eq!(aside.len(), 1);
    assert!(aside[0].reason.starts_with("company: "), "{}", aside[0].reason);
    bookings.remove().await;
}

/// A table that anybody's program writes to may hold texts of any length; a relay has in memory what an event may be.
#[tokio::test]
async fn what_is_far_too_long_is_set_aside_unread() {
    const ROWS: u64 = 60;
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let long = "repeat('x', 2000000)";
        for row in [
            format!("({long}, 'booking.created', NULL)"),
            format!("('evt_1', {long}, NULL)"),
            // A trace is no part of the event, and this one is left out.
            format!("('evt_long', 'booking.created', {long})"),
        ] {
            let insert = format!(
                "INSERT INTO hookline_outbox (company, event_id, type, data, traceparent, tracestate) \
                 SELECT 'acme', id, type, '{{}}', trace, trace FROM (VALUES {row}) AS row(id, type, trace), \
                 generate_series(1, {})",
                ROWS / 3
            );
            bookings.database.execute(&insert).await.unwrap();
        }
        let mut command = command(world, &["relay"]);
        command
            .env("HOOKLINE_OUTBOX_DATABASE_URL", bookings.database.url().as_str())
            .kill_on_drop(true);
        let mut relay = command.spawn().unwrap();
        bookings.is_empty().await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", relay.id().unwrap())).unwrap();
        relay.kill().await.unwrap();
        let (_, peak) = status.split_once("VmHWM:").unwrap();
        let peak_kb: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
        assert!(peak_kb < 70_000, "{peak_kb} kB for texts of 2 MB");
        assert_eq!(outbox::backlog(&bookings.pool).await.unwrap().aside, 2 * ROWS / 3);
        world.expect_in(Queue::Events, 20, SOON).await;
        let query = "SELECT DISTINCT reason FROM hookline_outbox_aside ORDER BY reason";
        let reasons: Vec<String> = sqlx::query_scalar(query).fetch_all(&bookings.pool).await.unwrap();
        assert!(
            matches!(&reasons[..], [id, kind] if id.starts_with("event_id: ") && kind.starts_with("type: ")),
            "{reasons:?}"
        );
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn what_the_broker_refuses_for_good_is_set_aside_and_what_it_refuses_for_now_stays() {
    let bookings = Bookings::new().await;
    let all = events("acme", 3);
    let producer = MemoryProducer::new();
    let refused = |code: u16, text: &str| MemoryFault::Refused {
        code,
        text: text.to_owned(),
    };
    producer.fail_next(refused(
        406,
        "PRECONDITION_FAILED - message size 3 is larger than configured max size 1",
    ));
    producer.fail_next(refused(
        403,
        "ACCESS_REFUSED - access to exchange 'hookline.events' refused",
    ));
    producer.fail_next(MemoryFault::Unconfirmed);
    bookings.commit_all(&all).await;
    let relaying = Running::start(&bookings.pool, producer.clone(), RelaySettings::default());
    bookings.is_empty().await;
    relaying.stop().await;
    // The second came through at its third try, and as the broker had it after the second, too.
    let published: Vec<_> = producer.published();
    assert_eq!(
        ids(&published),
        [&all[1..2], &all[1..3]]
            .concat()
            .iter()
            .map(|event| event.id.to_string())
            .collect::<Vec<_>>()
    );
    let aside = outbox::list_aside(&bookings.pool).await.unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].event_id, all[0].id.as_str());
    assert!(aside[0].reason.contains("larger than"), "{}", aside[0].reason);
    bookings.remove().await;
}
