//! From the queue into the database: each once, whatever dies, and nothing that is there is lost.

use std::time::Duration;

use hookline_common::topology::Queue;
use hookline_tests::console::database_scenario;
use hookline_tests::eventually;
use hookline_tests::eventually::always;
use hookline_tests::message::text;
use lapin::types::AMQPValue;

use super::{FAILED, FAILED_AT, are_filed, dead_letter, filed, filing_console, listed};
use crate::SOON;

#[tokio::test]
async fn a_dead_letter_is_filed_with_all_that_it_says_and_the_log_knows_of_it() {
    database_scenario(async |world, database| {
        let console = filing_console(world, database).await;
        let data = "{ \"z\":1.0,\t\"a\":\"\\u00eb\" }";
        let letter = dead_letter("ep_crm").body(data);
        letter.send(world, Queue::Failed).await;
        are_filed(world, database, 1).await;
        let rows = listed(&console, "").await;
        let row = &rows[0];
        assert_eq!(row["event"], letter.id(), "{row}");
        for (name, wanted) in [
            ("endpoint", "ep_crm"),
            ("type", "booking.created"),
            ("origin", "event"),
            ("reason", "retries_exhausted"),
            ("last_outcome", "http_status"),
            ("failed_at", FAILED_AT),
            ("created_at", "2024-01-15T14:30:00Z"),
        ] {
            assert_eq!(row[name], wanted, "{name} in {row}");
        }
        assert_eq!((&row["attempts"], &row["last_status"]), (&4.into(), &503.into()));
        assert!(row["retried_at"].is_null(), "{row}");
        let shown = console
            .admin()
            .get(&format!("{FAILED}/{}/ep_crm", letter.id()))
            .await;
        assert!(shown.expect(200).body.contains(&format!("\"data\":{data}")));
        let told = "SELECT concat_ws(' ', event, endpoint, status, attempts, last_outcome) FROM deliveries";
        assert_eq!(
            database.texts(told).await,
            [format!("{} ep_crm failed 0", letter.id())]
        );
        let told = "SELECT concat_ws(' ', company, id, type, convert_from(data, 'UTF8')) FROM events";
        let wanted = format!("acme {} booking.created {data}", letter.id());
        assert_eq!(database.texts(told).await, [wanted]);
        // The same again changes nothing, and of a delivery that failed again the newest is there, whichever comes last: two would
        // be sent as two.
        const LATER: &str = "2026-01-05T10:30:00.123Z";
        let later = letter.clone().header("failed-at", text(LATER));
        for letter in [&letter, &later, &letter, &dead_letter("ep_last")] {
            letter.send(world, Queue::Failed).await;
        }
        eventually(SOON, "the last one is filed", async || {
            let last = listed(&console, "?endpoint=ep_last").await;
            (last.len() == 1).then_some(())
        })
        .await;
        let filed = listed(&console, "?endpoint=ep_crm").await;
        assert_eq!(
            (filed.len(), &filed[0]["failed_at"]),
            (1, &LATER.into()),
            "{filed:?}"
        );
        let others = "SELECT event FROM deliveries WHERE endpoint = 'ep_crm'";
        assert_eq!(database.texts(others).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn dead_letters_that_come_while_the_console_is_killed_are_filed_each_once() {
    database_scenario(async |world, database| {
        let mut console = filing_console(world, database).await;
        let mut ids = Vec::new();
        let mut kills = 0;
        for number in 0..2_000 {
            let letter = dead_letter("ep_crm").body(format!("{{\"n\":{number}}}"));
            letter.send(world, Queue::Failed).await;
            ids.push(letter.id());
            if number % 400 == 399 {
                // In the middle of it: some are filed, others are not.
                eventually(SOON, "some are filed", async || {
                    (filed(database).await > 400 * kills).then_some(())
                })
                .await;
                console.process().kill().await;
                kills += 1;
                console = filing_console(world, database).await;
            }
        }
        are_filed(world, database, 2_000).await;
        let mut found = database.texts("SELECT event FROM dead_letters ORDER BY 1").await;
        ids.sort();
        found.dedup();
        assert_eq!(found, ids);
        assert_eq!(database.texts("SELECT event FROM deliveries").await.len(), 2_000);
        assert_eq!(database.texts("SELECT id FROM events").await.len(), 2_000);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_dead_letter_goes_to_the_rejected_ones_and_stops_none() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Rejected);
        let _console = filing_console(world, database).await;
        let whole = || dead_letter("ep_crm");
        let garbage = [
            (whole().body("no json"), "data_not_json"),
            (whole().without("company"), "bad_company"),
            (whole().without("endpoint"), "bad_endpoint"),
            (whole().without("failed-at"), "bad_dead_letter"),
            (
                whole().header("failed-at", AMQPValue::LongInt(1)),
                "bad_dead_letter",
            ),
            (whole().header("reason", text("bad luck")), "bad_dead_letter"),
            // A time that PostgreSQL has not.
            (
                whole().header("failed-at", text("-009000-01-01T00:00:00Z")),
                "not_filed",
            ),
        ];
        for (message, _) in &garbage {
            whole().send(world, Queue::Failed).await;
            message.send(world, Queue::Failed).await;
        }
        are_filed(world, database, garbage.len()).await;
        let rejected = world.expect_in(Queue::Rejected, garbage.len(), SOON).await;
        for (message, reason) in &garbage {
            let found = rejected.iter().find(|stored| stored.id() == message.id());
            assert_eq!(found.unwrap().text("rejected-reason"), *reason);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_dead_letter_is_set_aside_once_the_queue_for_it_is_there_again() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Rejected);
        let _console = filing_console(world, database).await;
        let rejected = world.queue(Queue::Rejected);
        world.broker().delete(&[rejected], &[]).await;
        let garbage = dead_letter("ep_crm").body("no json");
        garbage.send(world, Queue::Failed).await;
        let set_aside = world.expect_in(Queue::Rejected, 1, SOON).await;
        assert_eq!(set_aside[0].id(), garbage.id());
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_that_was_delivered_since_is_not_filed_again() {
    database_scenario(async |world, database| {
        let console = filing_console(world, database).await;
        let (letter, other) = (dead_letter("ep_crm"), dead_letter("ep_crm"));
        letter.send(world, Queue::Failed).await;
        are_filed(world, database, 1).await;
        // As the recorder would have left it, before the acknowledgement was lost.
        let delivered =
            "UPDATE deliveries SET status = 'delivered', last_attempt_at = now(); DELETE FROM dead_letters";
        database.execute(delivered).await.unwrap();
        letter.send(world, Queue::Failed).await;
        other.send(world, Queue::Failed).await;
        are_filed(world, database, 1).await;
        assert_eq!(listed(&console, "").await[0]["event"], other.id());
    })
    .await;
}

#[tokio::test]
async fn without_the_database_dead_letters_wait_and_none_is_lost() {
    database_scenario(async |world, database| {
        let console = filing_console(world, database).await;
        eventually(SOON, "it files", async || {
            let log = console.process().log();
            log.contains("this console leads").then_some(())
        })
        .await;
        // What the database is to a console whose account may not write.
        let refuse = "ALTER TABLE dead_letters RENAME TO put_away";
        database.execute(refuse).await.unwrap();
        for _ in 0..20 {
            dead_letter("ep_crm").send(world, Queue::Failed).await;
        }
        console
            .process()
            .says("dead letters wait in their queue", SOON)
            .await;
        always(Duration::from_secs(1), "nothing is rejected", async || {
            world.broker().ready(&world.queue(Queue::Rejected)).await == Some(0)
        })
        .await;
        database
            .execute("ALTER TABLE put_away RENAME TO dead_letters")
            .await
            .unwrap();
        are_filed(world, database, 20).await;
    })
    .await;
}
