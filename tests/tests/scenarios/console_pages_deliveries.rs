//! Deliveries on the dashboard: what became of events, why, and what happens next; found again by a filter, and sent again.

use hookline_common::schedule::Delay;
use hookline_common::topology::Queue;
use hookline_tests::answer::status;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{
    ADMIN_TOKEN, Console, MASTER_KEY, console_scenario, database_scenario, setup, start,
};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::log_rows::{Row, insert_event, make_days};
use hookline_tests::receiver::{Received, Receiver};
use hookline_tests::{SOON, World, eventually};
use serde_json::{Value, json};

const LIST: &str = "/companies/acme/deliveries";
/// What a page may weigh with all that it loads.
const PAGE_BYTES: usize = 150 << 10;
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`$(id)";

/// Signed in as the operator.
async fn operator(console: &Console) -> Browser {
    let mut browser = Browser::new(console.process().port());
    let entered = browser.bare_post("/sign-in", &[("token", ADMIN_TOKEN)]).await;
    browser.keep_cookie(&entered.expect(303));
    browser
}

/// Signed in as one of a company's people.
async fn member(console: &Console, company: &str) -> Browser {
    let path = format!("/v1/companies/{company}/portal-links");
    let made = console.admin().post(&path, &json!({})).await.expect(201).json();
    let (_, key) = made["url"].as_str().unwrap().split_once("/enter/").unwrap();
    let mut browser = Browser::new(console.process().port());
    let entered = browser.bare_post(&format!("/enter/{key}"), &[]).await;
    browser.keep_cookie(&entered.expect(303));
    browser
}

/// A dispatcher that reads endpoints where the console keeps them.
fn dispatcher<'a>(world: &'a World, database: &Database, schedule: &str) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", schedule)
}

/// Publishes an event of `acme` over the API, and returns its id.
async fn publish(console: &Console, data: &Value) -> String {
    let body = json!({"type": "booking.created", "data": data});
    let accepted = console.admin().post("/v1/companies/acme/events", &body).await;
    accepted.expect(202).json()["id"].as_str().unwrap().to_owned()
}

/// The page of a delivery, once it says this.
async fn says(browser: &Browser, event: &str, endpoint: &str, part: &str) -> String {
    let path = format!("{LIST}/{event}/{endpoint}");
    eventually(SOON, &format!("the delivery says {part}"), async || {
        let page = browser.get(&path).await;
        (page.status == 200 && page.body.contains(part)).then_some(page.body)
    })
    .await
}

/// What a browser shows of an escaped text.
fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// Nothing that others wrote is markup, or turns or hides text.
fn is_harmless(page: &str) {
    for bad in ["<script>", "<img", "\u{202e}", "\u{1b}", "href=\"javascript:"] {
        assert!(!page.contains(bad), "{bad:?} in {page}");
    }
}

/// The words that a shell makes of a command of curl, which is not run.
fn words(command: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
    let output = std::process::Command::new("bash").args(["-c", &script]).output();
    let output = output.unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}\n{command}"
    );
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_terminator('\0').map(str::to_owned).collect()
}

#[tokio::test]
async fn what_became_of_an_event_is_told_with_what_was_sent_what_came_back_and_what_comes_next() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Retry(Delay::from_seconds(60)));
        let console = start(setup(world, database)).await;
        dispatcher(world, database, "1m,5m,30m").start().await;
        let good = Receiver::answering(status(204)).await;
        // Not one that holds back what comes after it.
        let bad = Receiver::scripted(|_| {
            status(500)
                .header("x-why", HOSTILE)
                .body(format!("{{\"error\":{},\"bidi\":\"\u{202e}\"}}", json!(HOSTILE)))
        })
        .await;
        for (id, receiver, description) in [("ep_good", &good, "Calendar"), ("ep_bad", &bad, HOSTILE)] {
            let url = format!("{}?token=s3cret", receiver.url());
            let headers = json!({"x-key": "k3y"});
            let wanted = json!({"id": id, "url": url, "description": description, "headers": headers});
            console.register("acme", &wanted).await;
        }
        let acme = member(&console, "acme").await;
        let data = json!({"note": HOSTILE, "turned": "\u{202e}exe.txt", "control": "\u{1b}[31m"});
        let event = publish(&console, &data).await;

        let retrying = says(&acme, &event, "ep_bad", "answered 500").await;
        is_harmless(&retrying);
        for part in [
            "class=\"badge warn\">retrying",
            "Next attempt <time",
            "(2 of 4).",
            "data-countdown",
            "failed while it handled the event (500)",
            "Attempt 1",
            "&lt;script&gt;alert(1)",
            "&lt;U+202E&gt;exe.txt",
            "Content-Type: application/json",
            "POST http://127.0.0.1:",
        ] {
            assert!(
                retrying.to_lowercase().contains(&part.to_lowercase()),
                "{part} in {retrying}"
            );
        }
        let title = between(&retrying, "data-countdown>in ", "<").unwrap();
        assert!(title.ends_with(" s") || title == "1 min", "{title}");
        assert_eq!(retrying.matches("<details id=\"attempt-").count(), 1);
        assert!(
            between(&retrying, "<details id=\"attempt-", ">")
                .unwrap()
                .ends_with(" open")
        );
        for secret in ["s3cret", "k3y", "v1,", "sha256=", "whsec_"] {
            assert!(!retrying.contains(secret), "{secret} in {retrying}");
        }

        // The command makes the same request again, but for signatures.
        let command = between(&retrying, "<div id=\"curl\">", "</div>").unwrap();
        let command = unescaped(&between(&command, "<code>", "</code>").unwrap());
        let words = words(&command);
        let sent: Vec<Received> = bad.requests();
        let body = &words[words.iter().position(|word| word == "--data-raw").unwrap() + 1];
        assert_eq!(body.as_bytes(), &sent[0].body[..]);
        assert!(words.contains(&format!("webhook-id: {event}")), "{words:?}");
        assert!(
            !words
                .iter()
                .any(|word| word.contains("***") && !word.contains("?***")),
            "{words:?}"
        );

        let delivered = says(&acme, &event, "ep_good", "answered 204").await;
        is_harmless(&delivered);
        assert!(delivered.contains("badge good\">delivered") && delivered.contains("Send again"));
        assert!(!delivered.contains("Next attempt"), "{delivered}");
        // The whole of what was sent can be taken along.
        let whole = acme
            .get(&format!("{LIST}/{event}/ep_good/body"))
            .await
            .expect(200);
        assert_eq!(whole.body.as_bytes(), &good.requests()[0].body[..]);
        assert_eq!(
            whole.header("content-disposition"),
            Some(format!("attachment; filename=\"{event}.json\"").as_str())
        );

        let list = acme.get(LIST).await.expect(200).body;
        is_harmless(&list);
        assert!(list.contains("data-fresh") && list.contains("As of "), "{list}");
        assert!(
            list.contains("failed while it handled the event (500)") && list.contains("Answered 204"),
            "{list}"
        );
        assert_eq!(list.matches("data-row>").count(), 2, "{list}");
        // It stands as it stood, and a script has nothing to show anew.
        let version = between(&list, "data-version=\"", "\"").unwrap();
        let again = acme.get(LIST).await.expect(200).body;
        assert_eq!(between(&again, "data-version=\"", "\""), Some(version.clone()));
        publish(&console, &json!({})).await;
        eventually(SOON, "the list has something new", async || {
            let list = acme.get(LIST).await.body;
            (between(&list, "data-version=\"", "\"").as_ref() != Some(&version)).then_some(())
        })
        .await;
        good.expect(2, SOON).await;
        bad.expect(2, SOON).await;
    })
    .await;
}

#[tokio::test]
async fn what_failed_for_good_is_retried_and_what_was_delivered_sent_again() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        dispatcher(world, database, "1s").start().await;
        let receiver = Receiver::answering(status(500).body("no luck")).await;
        console
            .register("acme", &json!({"id": "ep_crm", "url": receiver.url()}))
            .await;
        let acme = member(&console, "acme").await;
        let event = publish(&console, &json!({"n": 1})).await;
        let failed = says(&acme, &event, "ep_crm", "Failed for good after 2 attempts.").await;
        assert!(
            failed.contains(">Retry</button>") && failed.contains("no luck"),
            "{failed}"
        );
        // Filed, so that it is the dead letter that is sent again.
        eventually(SOON, "it is filed", async || {
            let count = database.texts("SELECT count(*)::text FROM dead_letters").await;
            (count == ["1"]).then_some(())
        })
        .await;

        receiver.answer_now(status(200));
        let replay = format!("{LIST}/{event}/ep_crm/replay");
        let sent = acme.post(&replay, &[]).await.expect(303);
        let to = Browser::location(&sent).unwrap();
        assert_eq!(to, format!("{LIST}/{event}/ep_crm?done=again"));
        assert!(acme.get(to).await.expect(200).body.contains("on its way again"));
        let delivered = says(&acme, &event, "ep_crm", "after 3 attempts").await;
        assert!(delivered.contains("sent again by hand"), "{delivered}");
        assert!(database.texts("SELECT event FROM dead_letters").await.is_empty());

        acme.post(&replay, &[]).await.expect(303);
        says(&acme, &event, "ep_crm", "after 4 attempts").await;
        let requests = receiver.expect(4, SOON).await;
        assert!(requests.iter().all(|request| request.id() == event));
        assert_eq!(requests[0].body, requests[3].body);
        let audit = console
            .admin()
            .get("/v1/companies/acme/audit")
            .await
            .expect(200)
            .json();
        let deeds: Vec<&Value> = audit["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["action"])
            .collect();
        assert_eq!(
            deeds[..2],
            [&json!("event.replayed"), &json!("failed.retried")],
            "{audit}"
        );
        assert!(
            audit["data"][0]["actor"].as_str().unwrap().starts_with("portal:"),
            "{audit}"
        );
    })
    .await;
}

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
            second.contains("To the newest") && !second.contains("data-fresh "),
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
            none.contains("Nothing was sent yet") && none.contains("/companies/nobody/endpoints/new"),
            "{none}"
        );
        assert!(rows("event=evt_none").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn another_companys_deliveries_are_not_there() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        let mut theirs = Row::of("evt_1", "ep_a", 5);
        theirs.company = "globex".to_owned();
        theirs.insert(database).await;
        insert_event(database, "globex", "evt_1", Some("{\"secret\":\"of globex\"}")).await;
        let acme = member(console, "acme").await;
        for company in ["acme", "globex"] {
            let one = format!("/companies/{company}/deliveries/evt_1/ep_a");
            for path in [one.clone(), format!("{one}/body")] {
                let page = acme.get(&path).await.expect(404);
                assert!(!page.body.contains("of globex"), "{path}");
            }
            acme.post(&format!("{one}/replay"), &[]).await.expect(404);
        }
        acme.get("/companies/globex/deliveries").await.expect(404);
        let theirs = member(console, "globex").await;
        let page = theirs
            .get("/companies/globex/deliveries/evt_1/ep_a")
            .await
            .expect(200);
        assert!(page.body.contains("of globex"), "{page:?}");
        let body = theirs
            .get("/companies/globex/deliveries/evt_1/ep_a/body")
            .await
            .expect(200);
        assert_eq!(
            body.body, "{\"secret\":\"of globex\"}",
            "of an endpoint that is not there, the data alone"
        );
        // Every id of a path may be anything.
        for odd in ["evt_1/%00", "%2e%2e/ep_a", "evt_1/..%2fep_a"] {
            acme.get(&format!("{LIST}/{odd}")).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn where_a_payload_was_not_kept_it_is_said_why_and_nothing_can_be_sent_again() {
    console_scenario(async |console, database| {
        make_days(database, 1).await;
        for (id, disabled) in [("ep_a", false), ("ep_off", true)] {
            let wanted = json!({"id": id, "url": "https://example.com/", "disabled": disabled});
            console.register("acme", &wanted).await;
        }
        let mut test = Row::of("evt_test", "ep_a", 5).status("failed", "timeout", 0);
        test.origin = "test".to_owned();
        for row in [
            &Row::of("evt_none", "ep_a", 5),
            &test,
            &Row::of("evt_kept", "ep_off", 5),
            &Row::of("evt_kept", "ep_gone", 5),
        ] {
            row.insert(database).await;
        }
        insert_event(database, "acme", "evt_none", None).await;
        insert_event(database, "acme", "evt_kept", Some("{}")).await;
        let acme = member(console, "acme").await;
        for (delivery, told, status) in [
            ("evt_none/ep_a", "HOOKLINE_KEEP_PAYLOADS", 409),
            ("evt_test/ep_a", "It was a test event", 409),
            ("evt_kept/ep_off", "Its endpoint is paused", 409),
            ("evt_kept/ep_gone", "not registered here", 404),
        ] {
            let page = acme.get(&format!("{LIST}/{delivery}")).await.expect(200).body;
            assert!(
                page.contains("It cannot be sent again.") && page.contains(told),
                "{told} in {page}"
            );
            assert!(!page.contains("/replay\""), "{page}");
            let refused = acme
                .post(&format!("{LIST}/{delivery}/replay"), &[])
                .await
                .expect(status);
            assert!(refused.body.contains("role=\"alert\""), "{refused:?}");
        }
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

#[tokio::test]
async fn an_event_that_is_sent_again_days_later_is_still_one_delivery_and_one_event() {
    database_scenario(async |world, database| {
        let console = start(setup(world, database)).await;
        make_days(database, 6).await;
        dispatcher(world, database, "1s").start().await;
        let receivers = [
            Receiver::answering(status(204)).await,
            Receiver::answering(status(204)).await,
        ];
        let days = 5 * 86_400;
        for (id, receiver) in ["ep_a", "ep_b"].into_iter().zip(&receivers) {
            console
                .register("acme", &json!({"id": id, "url": receiver.url()}))
                .await;
            Row::of("evt_1", id, days).insert(database).await;
        }
        insert_event(database, "acme", "evt_1", Some("{}")).await;
        database
            .execute("UPDATE events SET recorded_at = recorded_at - interval '5 days'")
            .await
            .unwrap();
        // To all that want it, and to one of them alone.
        let replay = "/v1/companies/acme/events/evt_1/replay";
        console.admin().post(replay, &json!({})).await.expect(202);
        console
            .admin()
            .post(replay, &json!({"endpoint": "ep_b"}))
            .await
            .expect(202);
        receivers[0].expect(1, SOON).await;
        receivers[1].expect(2, SOON).await;
        let rows = "SELECT endpoint || ' ' || attempts FROM deliveries ORDER BY 1";
        eventually(SOON, "all three attempts are counted", async || {
            (database.texts(rows).await == ["ep_a 2", "ep_b 3"]).then_some(())
        })
        .await;
        assert_eq!(database.texts("SELECT count(*)::text FROM events").await, ["1"]);
        let origins = "SELECT DISTINCT origin FROM attempts";
        assert_eq!(database.texts(origins).await, ["manual"]);
    })
    .await;
}
