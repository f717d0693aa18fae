//! `hookline relay`: a process of its own, that may be killed at any moment.

use std::collections::BTreeMap;
use std::process::Stdio;

use hookline_common::topology::Queue;
use hookline_producer::outbox::{self, MIGRATIONS};
use hookline_tests::cli::{command, out, run, why};
use hookline_tests::database::Database;
use hookline_tests::{World, eventually, scenario};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Bookings, event, events, ids, published_ids};
use crate::SOON;

fn relay(world: &World, database: &Database, options: &[&str]) -> Command {
    let mut command = command(world, &[&["relay"], options].concat());
    command
        .env("HOOKLINE_OUTBOX_DATABASE_URL", database.url().as_str())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn ask_to_stop(child: &Child) {
    let pid = child.id().unwrap().to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.await.unwrap().success());
}

async fn terminate(child: Child) -> String {
    ask_to_stop(&child).await;
    let output = child.wait_with_output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    out(&output)
}

#[tokio::test]
async fn a_relay_that_is_killed_again_and_again_loses_nothing_and_repeats_a_batch_at_most() {
    const COMPANIES: usize = 25;
    const BATCH: usize = 100;
    const KILLS: usize = 4;
    /// What each of them does before it is killed, how much more than that is committed before each, and what there is at first: so
    /// much that none comes to the end of it before its test sees that it is at work.
    const WORK: usize = 500;
    const MORE: usize = 1000;
    const FIRST: usize = 4000;
    const EVENTS: usize = FIRST + KILLS * MORE;
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let mut all = Vec::new();
        for number in 0..EVENTS / COMPANIES {
            all.extend((0..COMPANIES).map(|company| event(&format!("c{company}"), number)));
        }
        let (first, later) = all.split_at(FIRST);
        bookings.commit_all(first).await;
        world.producer().await;
        let batch = BATCH.to_string();
        let start = || {
            relay(world, &bookings.database, &["--batch", &batch])
                .spawn()
                .unwrap()
        };
        for (kill, more) in (1_usize..).zip(later.chunks(MORE)) {
            bookings.commit_all(more).await;
            let mut running = start();
            let wanted = u32::try_from(kill * WORK).unwrap();
            eventually(SOON, "it is at work", async || {
                let ready = world.broker().ready(&world.queue(Queue::Events)).await;
                (ready.unwrap_or(0) >= wanted).then_some(())
            })
            .await;
            running.kill().await.unwrap();
            assert!(
                bookings.waiting().await > 0,
                "it was killed in the midst of its work"
            );
        }
        let last = start();
        bookings.is_empty().await;
        let told = terminate(last).await;
        assert!(
            told.contains("published ") && told.contains("set aside 0"),
            "{told}"
        );
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for id in published_ids(world).await {
            *times.entry(id).or_default() += 1;
        }
        let lost: Vec<String> = ids(&all)
            .into_iter()
            .filter(|id| !times.contains_key(id))
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert_eq!(times.len(), EVENTS, "nothing that was never enqueued");
        let repeated: usize = times.values().map(|times| times - 1).sum();
        assert!(repeated <= KILLS * BATCH, "{repeated} were published again");
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn it_makes_the_tables_and_stops_in_order() {
    scenario(async |world| {
        world.leaves(Queue::Events);
        let database = Database::create().await;
        let refused = relay(world, &database, &[]).output().await.unwrap();
        assert!(why(&refused, 1).contains("hookline relay --migrate"));
        let running = relay(world, &database, &["--migrate", "--poll", "1h"])
            .spawn()
            .unwrap();
        let pool = eventually(SOON, "the tables are there", async || {
            let pool = sqlx::PgPool::connect(database.url().as_str()).await.unwrap();
            outbox::backlog(&pool).await.ok().map(|_| pool)
        })
        .await;
        let bookings = Bookings { database, pool };
        bookings.commit_all(&events("acme", 3)).await;
        bookings.is_empty().await;
        assert_eq!(terminate(running).await, "published 3, set aside 0\n");
        world.expect_in(Queue::Events, 3, SOON).await;
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn output_that_nobody_reads_holds_up_neither_the_relay_nor_its_end() {
    /// A line of the log each, together several times what a pipe holds.
    const NONE: u64 = 2000;
    scenario(async |world| {
        world.leaves(Queue::Events);
        let bookings = Bookings::new().await;
        let insert = format!(
            "INSERT INTO hookline_outbox (company, event_id, type, data) \
             SELECT 'acme', 'evt_' || number, 'no type', '{{}}' FROM generate_series(1, {NONE}) AS number"
        );
        bookings.database.execute(&insert).await.unwrap();
        // Where stderr is full, so is stdout: a shell's `2>&1`.
        let (_unread, pipe) = std::io::pipe().unwrap();
        let mut command = relay(world, &bookings.database, &[]);
        command.stdout(pipe.try_clone().unwrap()).stderr(pipe);
        let mut running = command.spawn().unwrap();
        bookings.is_empty().await;
        bookings.commit_all(&events("acme", 3)).await;
        bookings.is_empty().await;
        world.expect_in(Queue::Events, 3, SOON).await;
        ask_to_stop(&running).await;
        let ended = timeout(SOON, running.wait()).await.expect("it ends").unwrap();
        assert!(ended.success(), "{ended}");
        assert_eq!(outbox::backlog(&bookings.pool).await.unwrap().aside, NONE);
        bookings.remove().await;
    })
    .await;
}

#[tokio::test]
async fn it_prints_the_sql_and_names_what_is_missing() {
    scenario(async |world| {
        let printed = run(world, &["relay", "--print-sql"]).await;
        assert_eq!(out(&printed).trim_end(), MIGRATIONS.concat().trim_end());
        let why_not = why(&run(world, &["relay"]).await, 2);
        assert!(why_not.contains("HOOKLINE_OUTBOX_DATABASE_URL"), "{why_not}");
        let mut nowhere = command(world, &["relay"]);
        nowhere.env(
            "HOOKLINE_OUTBOX_DATABASE_URL",
            "postgres://u:s3cret@127.0.0.1:1/none",
        );
        let nowhere = nowhere.output().await.unwrap();
        let told = why(&nowhere, 1);
        assert!(
            told.contains("HOOKLINE_OUTBOX_DATABASE_URL") && !told.contains("s3cret"),
            "{told}"
        );
    })
    .await;
}
