//! The catch-up feed: all events in the order in which they were recorded, with a cursor that skips nothing, and says so where
//! something is gone.

use hookline_tests::api::Api;
use hookline_tests::console::console_scenario;
use hookline_tests::log_rows::{insert_event, insert_large_events, make_days};
use serde_json::{Value, json};

const FEED: &str = "/v1/companies/acme/events";

/// One page, and where it goes on.
async fn page(api: &Api, query: &str) -> (Vec<Value>, String) {
    let read = api.get(&format!("{FEED}?{query}")).await.expect(200).json();
    let next = read["next"].as_str().expect("always given").to_owned();
    (read["data"].as_array().unwrap().clone(), next)
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_feed_goes_on_where_it_ended_and_skips_nothing() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        let acme = console.company("acme").await;
        // Before anything has happened there is a place to come back to.
        let (none, start) = page(&acme, "").await;
        assert!(none.is_empty());
        let data = "{ \"b\": 1.0,\t\"b\" : \"\\u00eb\" }";
        for number in 0..7 {
            insert_event(database, "acme", &format!("evt_{number}"), Some(data)).await;
            insert_event(database, "globex", &format!("evt_g{number}"), Some("{}")).await;
        }
        insert_event(database, "acme", "evt_7", None).await;
        let (mut after, mut seen) = (start, Vec::new());
        loop {
            let (events, next) = page(&acme, &format!("limit=3&after={after}")).await;
            after.clone_from(&next);
            if events.is_empty() {
                break;
            }
            seen.extend(events);
        }
        let expected: Vec<String> = (0..8).map(|number| format!("evt_{number}")).collect();
        assert_eq!(ids(&seen), expected);
        assert_eq!(seen[0]["createdAt"], json!("2030-01-15T14:30:00.250Z"));
        assert_eq!(
            (&seen[0]["type"], &seen[7]["data"]),
            (&json!("booking.created"), &Value::Null)
        );
        assert!(seen[0]["recorded_at"].as_str().unwrap().ends_with('Z'));
        let raw = acme.get(&format!("{FEED}?limit=1")).await.expect(200).body;
        assert!(raw.contains(&format!("\"data\":{data}")), "{raw}");

        // An empty page gives the same place again, and what comes later is behind it.
        assert_eq!(
            page(&acme, &format!("after={after}")).await,
            (Vec::new(), after.clone())
        );
        // What was sent to try an endpoint has not happened.
        insert_event(database, "acme", "evt_test", Some("{}")).await;
        let is_test = "UPDATE events SET is_test = true WHERE id = 'evt_test'";
        database.execute(is_test).await.unwrap();
        insert_event(database, "acme", "evt_8", Some("{}")).await;
        let (events, _) = page(&acme, &format!("after={after}")).await;
        assert_eq!(ids(&events), ["evt_8"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_dropped_is_said_to_be_gone_and_who_begins_anew_gets_what_is_kept() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        let acme = console.company("acme").await;
        let (_, empty) = page(&acme, "").await;
        for number in 0..4 {
            insert_event(database, "acme", &format!("evt_{number}"), Some("{}")).await;
        }
        let (_, first) = page(&acme, "limit=1").await;
        let (_, second) = page(&acme, "limit=2").await;
        // As the retention does it: noted and gone in one.
        database
            .execute(
                "INSERT INTO events_dropped SELECT 'acme', position FROM events WHERE company = 'acme' AND id = 'evt_1'; \
                 DELETE FROM events WHERE company = 'acme' AND id IN ('evt_0', 'evt_1')",
            )
            .await
            .unwrap();
        for cursor in [&empty, &first] {
            let gone = acme.get(&format!("{FEED}?after={cursor}")).await;
            assert!(gone.body.contains("leave `after` out"), "{}", gone.body);
            assert_eq!(gone.problem(410), "cursor_gone");
        }
        // Who had read all that was dropped has missed nothing.
        let (events, _) = page(&acme, &format!("after={second}")).await;
        assert_eq!(ids(&events), ["evt_2", "evt_3"]);
        assert_eq!(ids(&page(&acme, "").await.0), ["evt_2", "evt_3"]);
        // Nobody else is told of it; and where all is gone, the place to come back to is behind it.
        let globex = console.company("globex").await;
        globex.get(&format!("/v1/companies/globex/events?after={empty}")).await.expect(200);
        database.execute("DELETE FROM events").await.unwrap();
        let (none, next) = page(&acme, "").await;
        assert_eq!((none.len(), page(&acme, &format!("after={next}")).await.1), (0, next));
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_another_list_or_of_another_time_is_refused() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        let acme = console.company("acme").await;
        insert_event(database, "acme", "evt_1", Some("{}")).await;
        for query in [
            "after=c1",
            "after=dMS5hLmI",
            "after=1",
            "after=e-1",
            "after=e7fffffffffffffff",
            "limit=0",
            "limit=201",
            "cursor=e1",
        ] {
            assert_eq!(
                acme.get(&format!("{FEED}?{query}")).await.problem(400),
                "invalid_request",
                "{query}"
            );
        }
        // What a template left empty is not given.
        assert_eq!(ids(&page(&acme, "after=&limit=10").await.0), ["evt_1"]);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_large_events_is_shorter_and_the_rest_follows() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        let acme = console.company("acme").await;
        insert_large_events(database, "evt_", 150, 100_000).await;
        let (mut after, mut seen) = (String::new(), 0);
        loop {
            let (events, next) = page(&acme, &format!("limit=200&after={after}")).await;
            after = next;
            if events.is_empty() {
                break;
            }
            // Some 1 MiB, and the last page what is left.
            assert!(
                events.len() == 11 || seen + events.len() == 150,
                "{} behind {seen}",
                events.len()
            );
            let expected: Vec<String> = (1..=events.len())
                .map(|number| format!("evt_{}", seen + number))
                .collect();
            assert_eq!(ids(&events), expected);
            seen += events.len();
        }
        assert_eq!(seen, 150);
        // One that is larger than a page may be comes all the same.
        insert_large_events(database, "evt_large_", 2, 2_000_000).await;
        for id in ["evt_large_1", "evt_large_2"] {
            let (events, next) = page(&acme, &format!("limit=200&after={after}")).await;
            assert_eq!(ids(&events), [id]);
            after = next;
        }
    })
    .await;
}
