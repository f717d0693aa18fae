//! What nobody should have sent: answers of receivers, and messages in the stream.

use hookline_tests::console::{database_scenario, setup, start};
use hookline_tests::endpoint::endpoint;
use hookline_tests::{Receiver, eventually, status};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Stream, record, recorded_once, says};
use crate::SOON;

#[tokio::test]
async fn whatever_receivers_answer_is_stored_and_capped_and_stops_nothing() {
    database_scenario(async |world, database| {
        let answers: [(&str, Vec<u8>); 4] = [
            ("ep_ansi", b"\x1b[2J\x1b]0;owned\x07".to_vec()),
            ("ep_bytes", vec![b'a', 0xff, 0xc0, 0x80, b'b']),
            (
                "ep_markup",
                "<script>alert('é')</script>".repeat(40_000).into_bytes(),
            ),
            ("ep_nul", b"a\0b\0".to_vec()),
        ];
        let mut receivers = Vec::new();
        for (id, body) in answers {
            let receiver = Receiver::answering(
                status(200)
                    .header("note", "\u{7f}".escape_default().to_string())
                    .body(body),
            )
            .await;
            receivers.push((id, receiver));
        }
        world.endpoints(
            receivers
                .iter()
                .map(|(id, receiver)| endpoint(id, receiver))
                .collect::<Vec<_>>(),
        );
        world.dispatcher().start().await;
        let console = start(setup(world, database)).await;
        world.publish("booking.created", "{\"text\":\"\\u0000\"}").await;
        recorded_once(database.url(), 4, SOON).await;
        let stored = database
            .texts("SELECT response FROM attempts ORDER BY endpoint")
            .await;
        assert_eq!(
            stored[0], "\u{1b}[2J\u{1b}]0;owned\u{7}",
            "it is for whoever shows it to make it harmless"
        );
        assert_eq!(stored[1], "a\u{fffd}\u{fffd}\u{fffd}b");
        assert!(
            stored[2].starts_with("<script>") && stored[2].len() <= 1024 + 2,
            "{}",
            stored[2].len()
        );
        assert_eq!(stored[3], "a\u{fffd}b\u{fffd}");
        assert_eq!(
            database.texts("SELECT reason FROM set_aside").await,
            Vec::<String>::new()
        );
        // And the next one is recorded as well.
        world.publish("booking.created", "{}").await;
        recorded_once(database.url(), 8, SOON).await;
        console
            .process()
            .shows("hookline_log_records_written_total", 8.0)
            .await;
    })
    .await;
}

/// A flood of garbage takes no more of the disk than so much, and the newest of it is there to be looked at.
#[tokio::test]
async fn of_what_is_set_aside_the_newest_is_kept_and_only_so_much_and_so_long() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let stream = Stream::of(world, 1_000_000).await;
        for number in 0..1_300 {
            stream.publish(format!("garbage {number}").as_bytes()).await;
        }
        let process = console.process();
        eventually(SOON, "all of it was set aside", async || {
            (process.metric("hookline_log_records_set_aside_total").await == Some(1_300.0)).then_some(())
        })
        .await;
        process.shows("hookline_log_records_given_up_total", 300.0).await;
        let kept = database
            .texts("SELECT convert_from(content, 'UTF8') FROM set_aside ORDER BY id")
            .await;
        assert_eq!((kept.len(), &kept[0][..]), (1_000, "garbage 300"));
        assert_eq!(kept.last().map(String::as_str), Some("garbage 1299"));

        // Large ones give way sooner.
        database
            .execute("UPDATE set_aside SET content = convert_to(repeat(md5(id::text), 8192), 'UTF8') WHERE id % 2 = 0")
            .await
            .unwrap();
        stream.publish(b"one more").await;
        eventually(SOON, "there is room again", async || {
            let bytes = database.texts("SELECT sum(length(content))::text FROM set_aside").await;
            let bytes: u64 = bytes[0].parse().unwrap();
            (bytes <= 64 << 20 && bytes > 60 << 20).then_some(())
        })
        .await;
        let newest = database
            .texts("SELECT convert_from(content, 'UTF8') FROM set_aside ORDER BY id DESC LIMIT 1")
            .await;
        assert_eq!(newest, ["one more"]);

        // What is older than the log is forgotten with it.
        database
            .execute("UPDATE set_aside SET at = now() - interval '31 days' WHERE convert_from(content, 'UTF8') <> 'one more'")
            .await
            .unwrap();
        process.stop().await;
        let again = start(setup(world, database)).await;
        says(database, "SELECT convert_from(content, 'UTF8') FROM set_aside", &["one more"], SOON).await;
        again.process().stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_set_aside_and_all_around_it_is_recorded() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let stream = Stream::of(world, 1_000_000).await;
        let ago = |days: i64| json!((Timestamp::now() - SignedDuration::from_hours(24 * days)).to_string());
        stream.publish(b"garbage").await;
        // Nothing, which is nothing to keep.
        stream.publish(b"").await;
        let mut good: Vec<_> = (0..40).map(|number| record(&format!("evt_{number}"), &[])).collect();
        // PostgreSQL knows no such time, and says so of the statement in which it stands.
        good.insert(7, record("evt_refused", &[("next_attempt_at", json!("-009000-01-01T00:00:00Z"))]));
        good.insert(30, record("evt_refused_too", &[("next_attempt_at", json!("-009000-01-01T00:00:00Z"))]));
        stream.batch(&good).await;
        stream
            .batch(&[
                json!({"id": 1}),
                record("evt_no_id", &[("id", json!("no id"))]),
                record("evt_ahead", &[("started_at", ago(-3))]),
                record("evt_old", &[("started_at", ago(31))]),
                record("evt_not_that_old", &[("started_at", ago(29))]),
                record("evt_nul", &[("error", json!("\0")), ("url", json!("\0")), ("trace_id", json!("\0")), ("origin", json!("\0"))]),
            ])
            .await;
        recorded_once(database.url(), 42, SOON).await;
        let reasons = "SELECT concat_ws(' ', stream_offset, left(reason, 20)) FROM set_aside ORDER BY 1";
        let told = database.texts(reasons).await;
        let wanted = [
            "0 it is no batch of re",
            "2 the database refused",
            "2 the database refused",
            "3 it began more than t",
            "3 it is no record: inv",
            "3 its id is no UUID",
        ];
        assert_eq!(told, wanted);
        let process = console.process();
        process.shows("hookline_log_records_set_aside_total", 6.0).await;
        process.shows("hookline_log_records_expired_total", 1.0).await;
        let kept = "SELECT (convert_from(content, 'UTF8')::jsonb)->>'event' FROM set_aside WHERE reason LIKE 'the database%' ORDER BY 1";
        says(database, kept, &["evt_refused", "evt_refused_too"], SOON).await;
        process.says("was set aside", SOON).await;
    })
    .await;
}
