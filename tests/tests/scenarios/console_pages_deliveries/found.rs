//! How deliveries are found again, and what a page of them may weigh.

use hookline_tests::browser::{Browser, between};
use hookline_tests::console::console_scenario;
use hookline_tests::log_rows::{Row, insert_event, make_days};
use serde_json::json;

use super::{LIST, is_harmless, member, operator, unescaped};

/// What a page may weigh with all that it loads.
const PAGE_BYTES: usize = 150 << 10;

#[tokio::test]
async fn a_filter_stands_in_the_address_as_chips_and_what_is_wrong_in_it_is_kept_and_told() {
    console_scenario(async |console, database| {
        make_days(database, 3).await;
        for number in 0..45_u32 {
            let row = Row::of(&format!("evt_{number:02}"), "ep_a", 60 + number);
            row.insert(database).await;
        }
        for row in [
            Row::of("evt_timeout", "ep_b", 20).status("failed", "timeout", 0),
            Row::of("evt_busy", "ep_b", 30).status("retrying", "http_status", 503),
            Row::of("evt_old", "ep_b", 90_000).status("failed", "http_status", 404),
        ] {
            row.insert(database).await;
        }
        let mut theirs = Row::of("evt_theirs", "ep_a", 5);
        theirs.company = "globex".to_owned();
        theirs.insert(database).await;
        let acme = member(console, "acme").await;
        let rows = async |query: &str| {
            let page = acme.get(&format!("{LIST}?{query}")).await.expect(200).body;
            assert!(!page.contains("evt_theirs"), "{page}");
            let rows = page.split("data-row>").skip(1);
            rows.map(|row| between(row, "data-copy=\"", "\"").unwrap())
                .collect::<Vec<_>>()
        };
        for (query, expected) in [
            ("status=failed", &["evt_timeout", "evt_old"][..]),
            ("outcome=timeout", &["evt_timeout"]),
            ("outcome=http_status", &["evt_busy", "evt_old"]),
            ("status=failed&outcome=http_status", &["evt_old"]),
            ("endpoint=ep_b&status=retrying", &["evt_busy"]),
            ("outcome=delivered&status=failed", &[]),
            ("outcome=timeout&status=delivered", &[]),
            ("event=evt_busy", &["evt_busy"]),
            ("event=evt_none", &[]),
            (
                "type=booking_created&endpoint=ep_b&status=failed",
                &["evt_timeout", "evt_old"],
            ),
            ("until=2020-01-01T00:00:00Z", &[]),
        ] {
            assert_eq!(rows(query).await, expected, "{query}");
        }

        // Page after page, and back to the first.
        let first = acme.get(LIST).await.expect(200).body;
        let older =
            unescaped(&between(&first, "<p class=\"below\"><a class=\"button\" href=\"", "\"").unwrap());
        let second = acme.get(&older).await.expect(200).body;
        assert_eq!(
            (
                first.matches("data-row>").count(),
                second.matches("data-row>").count()
            ),
            (40, 8)
        );
        assert!(
            second.contains("To the newest") && !second.contains("data-renew=\""),
            "{second}"
        );

        // Set filters are links that take them off; a form's empty fields are not kept in the address.
        let tidied = acme
            .get(&format!(
                "{LIST}?event=&type=booking_created&status=failed&since=2020-01-01+10%3A00&until="
            ))
            .await
            .expect(303);
        let address = Browser::location(&tidied).unwrap();
        assert_eq!(
            address,
            format!("{LIST}?type=booking_created&status=failed&since=2020-01-01T10%3A00%3A00Z")
        );
        let page = acme.get(address).await.expect(200).body;
        for without in [
            "status=failed&amp;since=2020-01-01T10%3A00%3A00Z",
            "type=booking_created&amp;since=2020-01-01T10%3A00%3A00Z",
            "type=booking_created&amp;status=failed",
        ] {
            assert!(
                page.contains(&format!("<a class=\"chip\" href=\"{LIST}?{without}\"")),
                "{without} in {page}"
            );
        }
        assert!(page.contains("2020-01-01 10:00:00 UTC"), "{page}");

        let wrong = acme
            .get(&format!(
                "{LIST}?event=a.b%3Cscript%3E&since=yesterday&status=lost"
            ))
            .await
            .expect(400)
            .body;
        is_harmless(&wrong);
        for part in [
            "value=\"a.b&lt;script&gt;\"",
            "value=\"yesterday\"",
            "like 2030-01-15 14:30",
            "Must be delivered, retrying, failed or discarded.",
        ] {
            assert!(wrong.contains(part), "{part} in {wrong}");
        }
        acme.get(&format!("{LIST}?cursor=c1")).await.expect(400);

        // A company without any is told what to do.
        let none = operator(console)
            .await
            .get("/companies/nobody/deliveries")
            .await
            .expect(200)
            .body;
        assert!(
            none.contains("Nothing has been sent yet") && none.contains("/companies/nobody/endpoints/new"),
            "{none}"
        );
        assert!(rows("event=evt_none").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_page_is_light_whatever_is_on_it() {
    console_scenario(async |console, database| {
        make_days(database, 2).await;
        let wanted = json!({"id": "ep_a", "url": "https://example.com/", "description": "\"".repeat(200)});
        console.register("acme", &wanted).await;
        let data = |count| format!("{{\"quotes\":\"{}\"}}", "\\\"&<\u{202e}".repeat(count));
        // As large as an event may be, and as large as none of ours is.
        insert_event(database, "acme", "evt_1", Some(&data(14_000))).await;
        insert_event(database, "acme", "evt_2", Some(&data(150_000))).await;
        Row::of("evt_2", "ep_a", 95).insert(database).await;
        Row::of("evt_1", "ep_a", 90).status("failed", "http_status", 500).insert(database).await;
        database
            .execute(
                "INSERT INTO attempts (id, started_at, company, event, endpoint, type, url, origin, attempt, duration_ms, \
                 outcome, status, error, response, is_final, request_headers, response_headers) SELECT \
                 gen_random_uuid(), now() - i * interval '1 s', 'acme', 'evt_1', 'ep_a', 'booking.created', \
                 'https://example.com/' || repeat('''', 2000), 'event', 1, 12, 'http_status', 500, repeat('\"', 2000), \
                 repeat('<', 1024), true, '{}', jsonb_build_object('x-long', repeat('\"', 8000), 'x-more', repeat('&', 8000))::text \
                 FROM generate_series(1, 250) i",
            )
            .await
            .unwrap();
        for number in 0..40 {
            let event = format!("evt_{}{number:04}", "x".repeat(50));
            Row::of(&event, "ep_a", 100 + number).status("retrying", "timeout", 0).insert(database).await;
        }
        let acme = member(console, "acme").await;
        let first = acme.get(LIST).await.expect(200).body;
        let mut assets = 0;
        for part in first.split("\"/assets/").skip(1) {
            let (name, _) = part.split_once('"').unwrap();
            assets += acme.get(&format!("/assets/{name}")).await.expect(200).body.len();
        }
        assert!(assets > 20_000, "{assets}");
        let one = acme.get(&format!("{LIST}/evt_1/ep_a")).await.expect(200).body;
        let larger = acme.get(&format!("{LIST}/evt_2/ep_a")).await.expect(200).body;
        assert!(larger.contains("1,050,013 bytes"), "{larger}");
        for page in [&first, &one, &larger] {
            is_harmless(page);
            assert!(page.len() + assets <= PAGE_BYTES, "{} and {assets} bytes", page.len());
        }
        for part in ["Download all of it", "earlier attempts", "--data-binary &#39;", "Attempt 1"] {
            let part = part.replace("&#39;", "'");
            assert!(one.contains(&part), "{part}");
        }
        let whole = acme.get(&format!("{LIST}/evt_1/ep_a/body")).await.expect(200);
        assert!(whole.body.contains(&data(14_000)), "every byte of it");
        assert_eq!(whole.header("content-type"), Some("application/json"));
    })
    .await;
}
