//! Streams that have lost messages before they were recorded, or were made anew.

use hookline_common::topology::Queue;
use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::eventually;

use super::{Stream, record, recorded_once};
use crate::SOON;

/// The size of the stream's files, in bytes, and of one message that fills half of one.
const SEGMENT: i64 = 500_000;
const LARGE: usize = 260_000;
const MISSED: &str = "hookline_log_messages_missed_total";

#[tokio::test]
async fn what_a_full_stream_has_dropped_is_told_and_the_rest_recorded() {
    database_scenario(async |world, database| {
        let stream = Stream::of(world, SEGMENT).await;
        stream.batch(&[record("evt_first", &[])]).await;
        let console = start(setup(world, database)).await;
        recorded_once(database.url(), 1, SOON).await;
        console.process().stop().await;
        // They do not fit into two files, so that the first of them go, with the one that nobody has read.
        stream.batch(&[record("evt_lost", &[])]).await;
        for _ in 0..20 {
            stream.publish(&vec![b'x'; LARGE]).await;
        }
        stream.batch(&[record("evt_last", &[])]).await;
        let console = start(setup(world, database)).await;
        recorded_once(database.url(), 2, SOON).await;
        let lost = database
            .texts("SELECT event FROM attempts ORDER BY started_at")
            .await;
        assert_eq!(lost, ["evt_first", "evt_last"]);
        console
            .process()
            .says("has lost about as many messages that were not recorded yet", SOON)
            .await;
        let missed = console.process().metric(MISSED).await.unwrap();
        let garbage = "SELECT count(*)::text FROM set_aside";
        let read: f64 = database.texts(garbage).await[0].parse().unwrap();
        // The one record and the large ones that nobody has read; and the stream's own notes, of which each file has some.
        assert!(
            (21.0..50.0).contains(&(missed + read)),
            "{missed} missed, {read} read"
        );
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_was_made_anew_is_read_from_its_beginning() {
    database_scenario(async |world, database| {
        let stream = Stream::of(world, SEGMENT).await;
        for number in 0..5 {
            stream.batch(&[record(&format!("evt_{number}"), &[])]).await;
        }
        let console = start(setup(world, database)).await;
        recorded_once(database.url(), 5, SOON).await;
        // Under a console that runs, with one message.
        stream.delete().await;
        let stream = Stream::of(world, SEGMENT).await;
        stream.batch(&[record("evt_anew", &[])]).await;
        recorded_once(database.url(), 6, SOON).await;
        console.process().says("was made anew", SOON).await;
        stream.batch(&[record("evt_anew_too", &[])]).await;
        recorded_once(database.url(), 7, SOON).await;
        // While none runs, and with nothing in it at first.
        console.process().stop().await;
        stream.delete().await;
        let stream = Stream::of(world, SEGMENT).await;
        let console = start(setup(world, database)).await;
        console.process().says("was made anew", SOON).await;
        stream.batch(&[record("evt_last", &[])]).await;
        recorded_once(database.url(), 8, SOON).await;
        assert_eq!(console.process().metric(MISSED).await.unwrap_or(0.0), 0.0);
    })
    .await;
}

/// It may be long until the first dispatcher comes, and another one makes the stream again that somebody has deleted.
#[tokio::test]
async fn a_stream_that_is_not_there_is_waited_for() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        console.process().says("this console leads", SOON).await;
        let stream = Stream::of(world, SEGMENT).await;
        stream.batch(&[record("evt_1", &[])]).await;
        recorded_once(database.url(), 1, SOON).await;
        stream.delete().await;
        let name = world.queue(Queue::Attempts);
        eventually(SOON, "it is gone", async || {
            world.broker().ready(&name).await.is_none().then_some(())
        })
        .await;
        let stream = Stream::of(world, SEGMENT).await;
        stream.batch(&[record("evt_2", &[])]).await;
        recorded_once(database.url(), 2, SOON).await;
    })
    .await;
}
