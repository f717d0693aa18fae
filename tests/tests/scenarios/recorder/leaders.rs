//! Two consoles: one records, and the other takes over from one that is gone, stopped, or cut off from the database.

use std::sync::Arc;
use std::time::Instant;

use hookline_tests::console::{Console, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Dispatcher;
use hookline_tests::eventually;
use hookline_tests::wire::Wire;
use url::Url;

use super::{Stream, record, recorded_once};
use crate::SOON;

const LEADS: &str = "hookline_console_leads";

async fn leads(console: &Arc<Dispatcher>) {
    eventually(SOON, "it leads", async || {
        (console.metric(LEADS).await == Some(1.0)).then_some(())
    })
    .await;
}

/// Prints how long it took, for whoever wants the figure.
#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
async fn takes_over(from: &str, console: &Arc<Dispatcher>) {
    let since = Instant::now();
    leads(console).await;
    println!("the lead was taken over from {from} after {:?}", since.elapsed());
}

/// What a console that leads records, one that follows does not.
async fn records(stream: &Stream<'_>, database: &Database, count: usize) {
    stream.batch(&[record(&format!("evt_{count}"), &[])]).await;
    recorded_once(database.url(), count, SOON).await;
}

#[tokio::test]
async fn another_console_takes_over_from_one_that_was_stopped_or_killed() {
    database_scenario(async |world, database| {
        let stream = Stream::of(world, 1_000_000).await;
        let first = start(setup(world, database)).await;
        leads(first.process()).await;
        let second = start(setup(world, database)).await;
        records(&stream, database, 1).await;
        assert_eq!(second.process().metric(LEADS).await, Some(0.0));

        // Its connections stay, and nobody answers on them.
        first.process().signal("STOP").await;
        takes_over("one that was stopped with SIGSTOP", second.process()).await;
        records(&stream, database, 2).await;
        // It comes back and knows nothing of that.
        first.process().signal("CONT").await;
        first.process().says("does not lead any more", SOON).await;
        records(&stream, database, 3).await;

        second.process().kill().await;
        takes_over("one that was killed", first.process()).await;
        records(&stream, database, 4).await;
        // One that stops as it should gives the lead away at once.
        let third = start(setup(world, database)).await;
        first.process().stop().await;
        leads(third.process()).await;
        records(&stream, database, 5).await;
    })
    .await;
}

async fn through(wire: &Wire, world: &hookline_tests::World, database: &Database) -> Console {
    let url: Url = wire.url(database.url().as_str()).parse().unwrap();
    start(setup(world, database).set("HOOKLINE_DATABASE_URL", url.as_str())).await
}

#[tokio::test]
async fn another_console_takes_over_from_one_whose_connections_have_fallen_silent() {
    database_scenario(async |world, database| {
        let stream = Stream::of(world, 1_000_000).await;
        let wire = Wire::to(database.url().as_str()).await;
        let first = through(&wire, world, database).await;
        leads(first.process()).await;
        let second = start(setup(world, database)).await;
        records(&stream, database, 1).await;
        wire.fall_silent();
        // Either may lead then, and one of them does: new connections pass.
        first.process().says("does not lead any more", SOON).await;
        records(&stream, database, 2).await;
        second.process().stop().await;
        records(&stream, database, 3).await;
    })
    .await;
}
