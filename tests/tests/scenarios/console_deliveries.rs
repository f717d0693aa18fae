//! The log of deliveries over HTTP: which ones a list holds, in which order, page after page while others are added; and one
//! in full.

use std::collections::BTreeSet;

use hookline_tests::api::Api;
use hookline_tests::console::{console_scenario, database_scenario, setup, start};
use hookline_tests::endpoint::{SECRET, endpoint};
use hookline_tests::log_rows::{Row, insert_event, make_days};
use hookline_tests::{Receiver, eventually, status};
use hyper::Method;
use serde_json::{Value, json};

use crate::SOON;

const LIST: &str = "/v1/companies/acme/deliveries";

/// The events of a list, in its order.
async fn events(api: &Api, query: &str) -> Vec<String> {
    let listed = api.get(&format!("{LIST}?{query}")).await.expect(200).json();
    let rows = listed["data"].as_array().unwrap().iter();
    rows.map(|row| row["event"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_list_holds_what_its_filter_says_the_newest_first() {
    console_scenario(async |console, database| {
        make_days(database, 3).await;
        let day = 86_400;
        let mut cancelled = Row::of("evt_2", "ep_b", 20).status("retrying", "http_status", 503);
        cancelled.event_type = "booking.cancelled".to_owned();
        let mut test = Row::of("evt_5", "ep_b", day + 5).status("failed", "timeout", 0);
        test.origin = "test".to_owned();
        let mut others = Row::of("evt_0", "ep_a", 1);
        others.company = "globex".to_owned();
        let mut unsent = Row::of("evt_6", "ep_c", 2 * day);
        (unsent.status, unsent.last) = ("failed".to_owned(), None);
        for row in [
            Row::of("evt_1", "ep_a", 10),
            Row::of("evt_1", "ep_b", 11),
            cancelled,
            Row::of("evt_3", "ep_a", 30).status("failed", "http_status", 404),
            Row::of("evt_4", "ep_a", 40).status("discarded", "discarded", 0),
            test,
            unsent,
            others,
        ] {
            row.insert(database).await;
        }
        let acme = console.company("acme").await;
        let yesterday = (jiff::Timestamp::now() - jiff::Span::new().hours(12)).to_string();
        for (query, expected) in [
            (
                String::new(),
                &["evt_1", "evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_6"][..],
            ),
            ("endpoint=ep_a".to_owned(), &["evt_1", "evt_3", "evt_4"]),
            ("type=booking.cancelled".to_owned(), &["evt_2"]),
            ("type=booking_cancelled".to_owned(), &["evt_2"]),
            ("type=room.cleaned".to_owned(), &[]),
            ("status=failed".to_owned(), &["evt_3", "evt_5", "evt_6"]),
            ("status=failed&endpoint=ep_b".to_owned(), &["evt_5"]),
            (
                "status=delivered&type=booking_created".to_owned(),
                &["evt_1", "evt_1"],
            ),
            ("status=discarded".to_owned(), &["evt_4"]),
            ("event=evt_1".to_owned(), &["evt_1", "evt_1"]),
            ("event=evt_1&endpoint=ep_b".to_owned(), &["evt_1"]),
            ("event=evt_0".to_owned(), &[]),
            (format!("until={yesterday}"), &["evt_5", "evt_6"]),
            (format!("since={yesterday}&status=retrying"), &["evt_2"]),
        ] {
            assert_eq!(events(&acme, &query).await, expected, "{query}");
        }

        let listed = acme.get(&format!("{LIST}?event=evt_2")).await.expect(200).json();
        let row = &listed["data"][0];
        for (member, value) in [
            ("endpoint", json!("ep_b")),
            ("type", json!("booking.cancelled")),
            ("origin", json!("event")),
            ("status", json!("retrying")),
            ("attempts", json!(1)),
            ("last_outcome", json!("http_status")),
            ("last_status", json!(503)),
            ("last_error", Value::Null),
        ] {
            assert_eq!(row[member], value, "{member}");
        }
        assert!(row["next_attempt_at"].as_str().unwrap().ends_with('Z') && row["created_at"].is_string());
        assert!(
            row["explanation"]["next_step"].as_str().unwrap().len() > 10,
            "{row}"
        );
        // Nothing was sent there, and the list says why.
        let listed = acme.get(&format!("{LIST}?event=evt_6")).await.expect(200).json();
        let told = listed["data"][0]["explanation"]["sentence"].as_str().unwrap();
        assert!(told.contains("disabled"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn pages_skip_nothing_and_tell_nothing_twice_while_others_are_added() {
    console_scenario(async |console, database| {
        make_days(database, 2).await;
        let mut expected = Vec::new();
        // Many of the same moment, and over midnight.
        for number in 0..30_u32 {
            let row = Row::of(&format!("evt_{number:02}"), "ep_a", 40 + number / 10 * 43_200);
            row.insert(database).await;
            expected.push(row.event);
        }
        let acme = console.company("acme").await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for page in 0.. {
            assert!(page < 20, "the list has an end");
            let listed = acme
                .get(&format!("{LIST}?limit=4{cursor}"))
                .await
                .expect(200)
                .json();
            for row in listed["data"].as_array().unwrap() {
                seen.push(row["event"].as_str().unwrap().to_owned());
            }
            // One that is newer than all, and one between those that were told.
            Row::of(&format!("new_{page}"), "ep_a", 0).insert(database).await;
            Row::of(&format!("evt_zz{page}"), "ep_a", 40)
                .insert(database)
                .await;
            match listed["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let told: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(told.len(), seen.len(), "nothing twice: {seen:?}");
        for event in &expected {
            assert!(told.contains(event), "{event} was skipped: {seen:?}");
        }
        // A page that ends with the last row says that it is the last.
        let listed = acme
            .get(&format!("{LIST}?limit=1&event=evt_00"))
            .await
            .expect(200)
            .json();
        assert_eq!(listed["next"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_is_not_of_this_list_is_refused_and_so_is_what_no_filter_means() {
    console_scenario(async |console, _| {
        let acme = console.company("acme").await;
        for query in [
            "cursor=c1",
            "cursor=e1",
            "cursor=d",
            "cursor=dAAAA",
            "cursor=%00",
            "limit=0",
            "status=lost",
            "x=1",
        ] {
            let refused = acme.get(&format!("{LIST}?{query}")).await;
            assert_eq!(refused.problem(400), "invalid_request", "{query}");
        }
        // Without any log there is an empty one.
        let none = acme.get(LIST).await.expect(200).json();
        assert_eq!(none, json!({"data": [], "next": null}));
    })
    .await;
}

#[tokio::test]
async fn a_delivery_in_full_has_its_attempts_and_the_payload_byte_for_byte() {
    console_scenario(async |console, database| {
        make_days(database, 2).await;
        let data = "{ \"b\": 1.0,\t\"a\":1.50, \"b\" : \"\\u00eb <script>\" }";
        Row::of("evt_1", "ep_a", 90_000)
            .status("retrying", "http_status", 500)
            .insert(database)
            .await;
        insert_event(database, "acme", "evt_1", Some(data)).await;
        // Somebody else has an event of the same id.
        insert_event(database, "globex", "evt_1", Some("{\"secret\":\"of globex\"}")).await;
        let attempt = |number: u32, ago_s: u32, outcome: &str, response: &str| {
            format!(
                "INSERT INTO attempts (id, started_at, company, event, endpoint, type, url, origin, attempt, duration_ms, \
                 outcome, status, error, response, is_final, request_headers, response_headers) VALUES \
                 (gen_random_uuid(), now() - interval '{ago_s} s', 'acme', 'evt_1', 'ep_a', 'booking.created', \
                 'https://crm.example.com/hooks?token=***', 'event', {number}, 12, '{outcome}', 500, NULL, '{response}', \
                 false, '{{\"webhook-attempt\":\"{number}\"}}', '{{\"x-odd\":\"\\u001b[2J\"}}')"
            )
        };
        database.execute(&attempt(2, 40, "http_status", "<h1>\u{1b}[31mno</h1>")).await.unwrap();
        database.execute(&attempt(1, 90_000, "timeout", "")).await.unwrap();
        let acme = console.company("acme").await;
        let reply = acme.get(&format!("{LIST}/evt_1/ep_a")).await.expect(200);
        assert!(reply.body.contains(&format!("\"data\":{data},")), "{}", reply.body);
        assert!(!reply.body.contains("globex"));
        let whole = reply.json();
        assert_eq!((&whole["status"], &whole["data_missing"]), (&json!("retrying"), &Value::Null));
        let attempts = whole["attempts"].as_array().unwrap();
        let told: Vec<_> = attempts.iter().map(|one| (&one["attempt"], &one["outcome"])).collect();
        assert_eq!(told, [(&json!(1), &json!("timeout")), (&json!(2), &json!("http_status"))]);
        assert_eq!(attempts[1]["request_headers"], json!({"webhook-attempt": "2"}));
        assert_eq!(attempts[1]["response_headers"], json!({"x-odd": "\u{1b}[2J"}));
        assert_eq!(attempts[1]["response"], json!("<h1>\u{1b}[31mno</h1>"));
        assert!(attempts[0]["explanation"]["sentence"].as_str().unwrap().contains("in time"));

        for path in ["evt_1/ep_b", "evt_2/ep_a", "%20/ep_a", "evt_1/%20"] {
            assert_eq!(acme.get(&format!("{LIST}/{path}")).await.problem(404), "not_found", "{path}");
        }
        let globex = console.company("globex").await;
        let other = globex.get("/v1/companies/globex/deliveries/evt_1/ep_a").await;
        assert_eq!(other.problem(404), "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_payload_that_was_not_kept_is_said_not_to_be_there_and_a_dead_letter_has_one() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        let mut test = Row::of("evt_test", "ep_a", 5);
        test.origin = "test".to_owned();
        let dead = Row::of("evt_dead", "ep_a", 5).status("failed", "dns_error", 0);
        for row in [&Row::of("evt_none", "ep_a", 5), &test, &dead] {
            row.insert(database).await;
        }
        insert_event(database, "acme", "evt_none", None).await;
        insert_event(database, "acme", "evt_dead", None).await;
        dead.insert_dead(database, "{\"kept\": 1}").await;
        let acme = console.company("acme").await;
        for (event, told) in [
            ("evt_none", "the platform does not keep"),
            ("evt_test", "test event"),
        ] {
            let whole = acme.get(&format!("{LIST}/{event}/ep_a")).await.expect(200).json();
            assert_eq!(whole["data"], Value::Null);
            assert!(whole["data_missing"].as_str().unwrap().contains(told), "{whole}");
        }
        let whole = acme
            .get(&format!("{LIST}/evt_dead/ep_a"))
            .await
            .expect(200)
            .json();
        assert_eq!(
            (&whole["data"], &whole["attempts"]),
            (&json!({"kept": 1}), &json!([]))
        );
    })
    .await;
}

#[tokio::test]
async fn what_became_of_an_event_is_in_the_log_from_its_publishing_to_its_last_attempt() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        let acme = console.company("acme").await;
        let receiver = Receiver::scripted(|request| match request.attempt() {
            1 => status(503)
                .header("retry-note", "later")
                .body(b"no\0 \x1b[31mluck \xff".to_vec()),
            _ => status(204),
        })
        .await;
        world.endpoints([endpoint("ep_crm", &receiver).with("headers", r#"{ "x-token" = "t0p-s3cret" }"#)]);
        world.dispatcher().start().await;
        let data = "{ \"b\": 1.50,\t\"b\" : \"\\u00eb\" }";
        let body = format!(
            "{{\"type\":\"booking.created\",\"createdAt\":\"2030-01-15T14:30:00.250Z\",\"data\":{data}}}"
        );
        let accepted = acme
            .send_bytes(
                Method::POST,
                "/v1/companies/acme/events",
                Some("application/json"),
                &body,
            )
            .await;
        let event = accepted.expect(202).json()["id"].as_str().unwrap().to_owned();
        receiver.expect(2, SOON).await;
        let row = eventually(SOON, "the log has both attempts", async || {
            let listed = acme
                .get(&format!("{LIST}?event={event}"))
                .await
                .expect(200)
                .json();
            let row = listed["data"][0].clone();
            (row["attempts"] == json!(2)).then_some(row)
        })
        .await;
        for (member, value) in [
            ("endpoint", json!("ep_crm")),
            ("type", json!("booking.created")),
            ("origin", json!("event")),
            ("status", json!("delivered")),
            ("last_status", json!(204)),
            ("next_attempt_at", Value::Null),
        ] {
            assert_eq!(row[member], value, "{member}: {row}");
        }

        let reply = acme.get(&format!("{LIST}/{event}/ep_crm")).await.expect(200);
        assert!(
            reply.body.contains(&format!("\"data\":{data},")),
            "{}",
            reply.body
        );
        for secret in ["t0p-s3cret", SECRET, "v1,", "sha256="] {
            assert!(!reply.body.contains(secret), "{secret} in {}", reply.body);
        }
        let whole = reply.json();
        let [first, second] = whole["attempts"].as_array().unwrap().as_slice() else {
            panic!("{whole}")
        };
        assert_eq!((&first["attempt"], &first["status"]), (&json!(1), &json!(503)));
        assert_eq!((&second["attempt"], &second["final"]), (&json!(2), &json!(true)));
        assert_eq!(first["response"], json!("no\u{fffd} \u{1b}[31mluck \u{fffd}"));
        assert_eq!(first["response_headers"]["retry-note"], json!("later"));
        assert_eq!(first["request_headers"]["webhook-id"], json!(event));
        assert!(first["next_attempt_at"].is_string(), "{first}");

        // Whoever was away reads it, and has it sent again as it was.
        let feed = acme.get("/v1/companies/acme/events").await.expect(200);
        assert!(feed.body.contains(&format!("\"data\":{data}")), "{}", feed.body);
        let recorded = &feed.json()["data"][0];
        assert_eq!(
            (&recorded["id"], &recorded["createdAt"]),
            (&json!(event), &json!("2030-01-15T14:30:00.250Z"))
        );
        let replay = format!("/v1/companies/acme/events/{event}/replay");
        acme.post(&replay, &json!({})).await.expect(202);
        // Its round begins anew, and so does the receiver's script.
        let requests = receiver.expect(4, SOON).await;
        assert!(requests.iter().all(|request| request.id() == event));
        assert_eq!(
            requests[0].body, requests[2].body,
            "the same bytes, and the same time in them"
        );
    })
    .await;
}
