//! The log's days: made when they are needed, and dropped whole when they are too old.

use hookline_tests::console::{MASTER_KEY, database_scenario, run, setup, start};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::Connection as _;

use super::{Stream, record, recorded_once, says};
use crate::SOON;

const DAYS: &str = "SELECT relname::text FROM pg_class JOIN pg_inherits ON oid = inhrelid \
                    WHERE inhparent::regclass::text IN ('attempts', 'deliveries', 'events') ORDER BY 1";

fn day(ago: i64) -> String {
    let at = Timestamp::now() - SignedDuration::from_hours(24 * ago);
    at.strftime("%Y%m%d").to_string()
}

#[tokio::test]
async fn days_are_dropped_whole_and_readers_from_before_are_told_by_the_last_position() {
    database_scenario(async |world, database| {
        assert!(run(database, MASTER_KEY, &["migrate"]).await.status.success());
        let old = day(40);
        let next = day(39);
        for table in ["attempts", "deliveries", "events"] {
            let made = format!("CREATE TABLE {table}_{old} PARTITION OF {table} FOR VALUES FROM ('{old}') TO ('{next}')");
            database.execute(&made).await.unwrap();
        }
        // Tables that are no days of ours stay.
        database.execute("CREATE TABLE events_archive (a int)").await.unwrap();
        let events = format!(
            "INSERT INTO events (recorded_at, company, id, type) \
             SELECT '{old}', CASE WHEN n > 3 THEN 'acme' ELSE 'other' END, 'evt_' || n, 'a.b' FROM generate_series(1, 5) n"
        );
        database.execute(&events).await.unwrap();
        // Somebody reads for long, and is not disturbed.
        let mut reader = database.connect().await;
        let mut reading = reader.begin().await.unwrap();
        sqlx::query("SELECT 1 FROM events LIMIT 1").execute(&mut *reading).await.unwrap();

        let stream = Stream::of(world, 1_000_000).await;
        let at = |ago: i64| json!((Timestamp::now() - SignedDuration::from_hours(24 * ago)).to_string());
        for ago in [0, 3, 20] {
            stream.batch(&[record(&format!("evt_{ago}"), &[("started_at", at(ago))])]).await;
        }
        let console = start(setup(world, database)).await;
        let kept = [
            format!("attempts_{}", day(20)),
            format!("attempts_{}", day(3)),
            format!("attempts_{}", day(0)),
            format!("deliveries_{}", day(20)),
            format!("deliveries_{}", day(3)),
            format!("deliveries_{}", day(0)),
        ];
        let with_events = |days: &[String], events: &[String]| -> Vec<String> {
            days.iter().chain(events).cloned().collect()
        };
        let today = format!("events_{}", day(0));
        let old_events = format!("events_{old}");
        let all = with_events(&kept, &[old_events, today.clone()]);
        says(database, DAYS, &all.iter().map(String::as_str).collect::<Vec<_>>(), SOON).await;
        reading.rollback().await.unwrap();
        let all = with_events(&kept, std::slice::from_ref(&today));
        says(database, DAYS, &all.iter().map(String::as_str).collect::<Vec<_>>(), SOON).await;
        let dropped = "SELECT company || ' ' || position FROM events_dropped ORDER BY 1";
        assert_eq!(database.texts(dropped).await, ["acme 5", "other 3"]);
        assert_eq!(database.texts("SELECT count(*)::text FROM events_archive").await, ["0"]);

        console.process().stop().await;
        start(setup(world, database).set("HOOKLINE_RETENTION", "5d")).await;
        let all = [kept[1].clone(), kept[2].clone(), kept[4].clone(), kept[5].clone(), today];
        says(database, DAYS, &all.iter().map(String::as_str).collect::<Vec<_>>(), SOON).await;
        // What comes for a day that was dropped is too old, and stops nothing.
        stream.batch(&[record("evt_late", &[("started_at", at(20))]), record("evt_now", &[])]).await;
        recorded_once(database.url(), 3, SOON).await;
    })
    .await;
}
