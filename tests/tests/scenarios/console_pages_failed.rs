//! The page of what failed: problems, rows, retries with their progress, discards; and who may do so, and how often.
//!
//! E10 to E12 of hostile content: `whatever_failed_and_whatever_is_asked_for_is_shown_as_text`; all pages together are in
//! `console_pages.rs`.

use hookline_common::topology::Queue;
use hookline_tests::api::Reply;
use hookline_tests::browser::{Browser, between};
use hookline_tests::console::{Console, MASTER_KEY, console_scenario, database_scenario, setup, start};
use hookline_tests::database::Database;
use hookline_tests::dispatcher::Setup;
use hookline_tests::log_rows::Row;
use hookline_tests::{Receiver, World, eventually, status};
use serde_json::json;

use crate::SOON;

const FAILED: &str = "/companies/acme/failed";
const RETRY: &str = "/companies/acme/failed/retry";
const DISCARD: &str = "/companies/acme/failed/discard";

async fn operator(console: &Console) -> Browser {
    Browser::of_operator(console).await
}

async fn member(console: &Console, company: &str) -> Browser {
    Browser::of_company(console, company).await
}

/// A dispatcher that reads endpoints from this database, and tries twice.
fn dispatcher<'a>(world: &'a World, database: &Database) -> Setup<'a> {
    world
        .dispatcher()
        .unset("HOOKLINE_ENDPOINTS_FILE")
        .set("HOOKLINE_DATABASE_URL", database.url().as_str())
        .set("HOOKLINE_MASTER_KEY", MASTER_KEY)
        .set("HOOKLINE_RETRY_SCHEDULE", "1s")
}

/// Dead letters that the database holds.
async fn filed(database: &Database) -> usize {
    database.texts("SELECT event FROM dead_letters").await.len()
}

async fn are_filed(database: &Database, count: usize) {
    eventually(SOON, "all of it has failed", async || {
        (filed(database).await == count).then_some(())
    })
    .await;
}

/// The text of a page's content, without its markup and with one space between words.
fn text(reply: &Reply) -> String {
    let (_, main) = reply.body.split_once("<main").unwrap_or_default();
    let (main, _) = main.split_once("</main>").unwrap_or((main, ""));
    let mut text = String::new();
    let mut in_tag = true;
    for c in main.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(" .", ".").replace(" ,", ",")
}

/// Waits until a retry's page says so.
async fn says(browser: &Browser, path: &str, part: &str) -> String {
    eventually(SOON, "the page says so", async || {
        let told = text(&browser.get(path).await.expect(200));
        told.contains(part).then_some(told)
    })
    .await
}

/// Where a form led, which must be the page of a retry.
fn retry_of(reply: &Reply) -> String {
    let location = Browser::location(reply).expect("it is done, and leads somewhere");
    assert!(
        location.starts_with("/companies/acme/failed/retries/rty_"),
        "{location}"
    );
    location.to_owned()
}

/// A dead letter of `acme` that a person could retry.
async fn dead(database: &Database, event: &str, endpoint: &str, outcome: &str, status: u16, ago_s: u32) {
    let row = Row::of(event, endpoint, ago_s).status("failed", outcome, status);
    row.insert_dead(database, "{\"a\":1}").await;
}

#[tokio::test]
async fn what_failed_is_sent_again_by_its_page_and_is_delivered_once_its_endpoint_is_mended() {
    database_scenario(async |world, database| {
        let console = &start(setup(world, database)).await;
        let receiver = Receiver::answering(status(503)).await;
        let wanted = json!({"url": receiver.url(), "id": "ep_crm", "description": "CRM"});
        console.register("acme", &wanted).await;
        dispatcher(world, database).start().await;
        let acme = member(console, "acme").await;
        let none = text(&acme.get(FAILED).await.expect(200));
        assert!(none.contains("Nothing has failed for good"), "{none}");

        let events = world.publish_many(3, "booking.created").await;
        are_filed(database, 3).await;
        let page = acme.get(FAILED).await.expect(200);
        let told = text(&page);
        assert!(told.contains("CRM answers 503 since"), "{told}");
        assert!(told.contains("3 deliveries failed for good"), "{told}");
        for event in &events {
            assert!(
                page.body.contains(&format!("value=\"{}/ep_crm\"", event.id)),
                "{told}"
            );
        }
        // One, while nothing is mended: it fails once more, and its page says so.
        let one = format!("{}/ep_crm", events[0].id);
        let sent = acme.post(RETRY, &[("one", &one)]).await.expect(303);
        let told = says(&acme, &retry_of(&sent), "done, with failures").await;
        assert!(
            told.contains("Failed again 1") && told.contains("Delivered 0"),
            "{told}"
        );
        are_filed(database, 3).await;

        // Mended. The problem's own link leads to what it means.
        receiver.answer_now(status(200));
        let before = receiver.count();
        let link = between(&page.body, "href=\"/companies/acme/failed?", "\"").unwrap();
        let query = link.replace("&amp;", "&");
        assert_eq!(query, "endpoint=ep_crm&outcome=http_status&last_status=503");
        let filtered = acme.get(&format!("{FAILED}?{query}")).await.expect(200);
        assert!(text(&filtered).contains("to CRM ✕"), "{}", text(&filtered));
        let picked = format!("{}/ep_crm", events[1].id);
        let asked = acme
            .post(RETRY, &[("pick", &picked), ("which", "picked")])
            .await
            .expect(200);
        let told = text(&asked);
        let wanted = "This sends 1 failed delivery again, at most 100 a second for each endpoint.";
        assert!(told.contains(wanted), "{told}");
        let all = [("which", "all"), ("endpoint", "ep_crm"), ("last_status", "503")];
        let told = text(&acme.post(RETRY, &all).await.expect(200));
        assert!(
            told.contains(&wanted.replace("1 failed delivery", "3 failed deliveries")),
            "{told}"
        );
        assert_eq!(
            (receiver.count(), filed(database).await),
            (before, 3),
            "only a question"
        );

        let sure = [&all[..], &[("sure", "1")]].concat();
        let sent = acme.post(RETRY, &sure).await.expect(303);
        let told = says(&acme, &retry_of(&sent), "Every delivery that was sent is settled").await;
        assert!(
            told.contains("Delivered 3") && told.contains("3 of 3 sent"),
            "{told}"
        );
        assert_eq!(receiver.accepted().len(), 3);
        let none = text(&acme.get(FAILED).await.expect(200));
        assert!(none.contains("Nothing has failed for good"), "{none}");
        // The API tells the same.
        let id = retry_of(&sent).rsplit_once('/').unwrap().1.to_owned();
        let state = console
            .admin()
            .get(&format!("/v1/companies/acme/failed/retries/{id}"))
            .await;
        let state = state.expect(200).json();
        assert_eq!(
            (&state["delivered"], &state["under_way"]),
            (&json!(3), &json!(0)),
            "{state}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_under_way_is_left_out_unless_it_is_asked_for_and_is_no_longer_the_first_retrys() {
    database_scenario(async |world, database| {
        world.leaves(Queue::Deliveries);
        let console = &start(setup(world, database)).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        dead(database, "evt_1", "ep_crm", "timeout", 0, 60).await;
        let operator = operator(console).await;
        // Nobody delivers it: it stays under way.
        let first = retry_of(&operator.post(RETRY, &[("one", "evt_1/ep_crm")]).await.expect(303));
        let told = says(&operator, &first, "1 is still under way").await;
        assert!(told.contains("Live:"), "{told}");
        let listed = text(&operator.get(FAILED).await.expect(200));
        assert!(
            listed.contains("retried") && !listed.contains("Problems"),
            "{listed}"
        );

        let all = [("which", "all"), ("sure", "1")];
        let told = text(&operator.post(RETRY, &all).await.expect(200));
        assert!(
            told.contains("1 delivery of those chosen was retried already"),
            "{told}"
        );
        let again = [&all[..], &[("again", "1")]].concat();
        let second = retry_of(&operator.post(RETRY, &again).await.expect(303));
        says(&operator, &second, "1 is still under way").await;
        let told = says(&operator, &first, "Left otherwise 1").await;
        assert!(told.contains("Under way 0"), "{told}");
        // And neither's, once it is discarded.
        let gone = [("pick", "evt_1/ep_crm"), ("sure", "1")];
        operator.post(DISCARD, &gone).await.expect(303);
        let told = text(&operator.get(&second).await.expect(200));
        assert!(
            told.contains("Left otherwise 1") && told.contains("Under way 0"),
            "{told}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_disabled_endpoint_must_be_enabled_first_and_a_removed_one_cannot_be() {
    console_scenario(async |console, database| {
        for (id, is_disabled) in [("ep_on", false), ("ep_off", true)] {
            let wanted = json!({"url": format!("https://{id}.example.com/").replace('_', "-"), "id": id, "disabled": is_disabled});
            console.register("acme", &wanted).await;
        }
        dead(database, "evt_1", "ep_on", "http_status", 500, 60).await;
        dead(database, "evt_2", "ep_off", "http_status", 500, 61).await;
        dead(database, "evt_3", "ep_gone", "http_status", 500, 62).await;
        database
            .execute("UPDATE dead_letters SET reason = 'endpoint_disabled', attempts = 0, last_outcome = NULL, \
                      last_status = NULL WHERE endpoint = 'ep_off'")
            .await
            .unwrap();
        let acme = member(console, "acme").await;
        let page = acme.get(FAILED).await.expect(200);
        let told = text(&page);
        assert!(told.contains("ep-off.example.com is paused. To retry its 1 delivery, resume it first"), "{told}");
        assert!(told.contains("Nothing was sent: the endpoint is paused or disabled."), "{told}");
        assert!(page.body.contains("href=\"/companies/acme/endpoints/ep_off\""));
        // Only what can be sent has a button of its own.
        assert_eq!(page.body.matches("name=\"one\"").count(), 1);

        let told = text(&acme.post(RETRY, &[("which", "all")]).await.expect(200));
        for part in [
            "This sends 1 failed delivery again",
            "ep-on.example.com 1 are sent again",
            "the endpoint is paused. Resume it first",
            "ep_gone 1 stay: the endpoint has been removed",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        for stays in ["evt_2/ep_off", "evt_3/ep_gone"] {
            let told = text(&acme.post(RETRY, &[("one", stays)]).await.expect(200));
            assert!(told.contains("Nothing can be sent again") && told.contains("stay: the endpoint"), "{told}");
            let told = text(&acme.get(&format!("{FAILED}/{stays}")).await.expect(200));
            assert!(told.contains("Resume it first") || told.contains("has been removed"), "{told}");
        }
        assert_eq!(database.texts("SELECT id FROM retries").await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_nobody_wants_is_discarded_after_one_question_and_nothing_else_is() {
    console_scenario(async |console, database| {
        console
            .register(
                "acme",
                &json!({"url": "https://example.com/", "id": "ep_crm", "description": "CRM"}),
            )
            .await;
        for number in 0..60 {
            dead(
                database,
                &format!("evt_{number:03}"),
                "ep_crm",
                "http_status",
                500,
                600 - number,
            )
            .await;
        }
        dead(database, "evt_other", "ep_crm", "timeout", 0, 60).await;
        let acme = member(console, "acme").await;
        // Nothing selected is nothing, and never all.
        for path in [RETRY, DISCARD] {
            let none = acme
                .post(
                    path,
                    &[("which", "picked"), ("sure", "1"), ("endpoint", "ep_crm")],
                )
                .await;
            let back = Browser::location(&none.expect(303)).unwrap().to_owned();
            assert_eq!(back, format!("{FAILED}?endpoint=ep_crm&none=1"));
            let told = text(&acme.get(&back).await.expect(200));
            assert!(told.contains("Nothing was selected"), "{told}");
        }
        assert_eq!(filed(database).await, 61);
        // Pages go on by cursor, the newest first.
        let page = acme.get(FAILED).await.expect(200);
        let older = between(&page.body, "href=\"/companies/acme/failed?after=", "\"").unwrap();
        let rest = acme.get(&format!("{FAILED}?after={older}")).await.expect(200);
        let rows = |reply: &Reply| reply.body.matches("name=\"pick\"").count();
        assert_eq!((rows(&page), rows(&rest)), (50, 11));

        let picked = [("pick", "evt_001/ep_crm"), ("pick", "evt_002/ep_crm")];
        let asked = acme.post(DISCARD, &picked).await.expect(200);
        let told = text(&asked);
        assert!(
            told.contains("Discard 2 failed deliveries?") && told.contains("CRM 2"),
            "{told}"
        );
        assert_eq!(filed(database).await, 61, "only a question");
        let sure = [&picked[..], &[("sure", "1")]].concat();
        let gone = acme.post(DISCARD, &sure).await.expect(303);
        let told = text(&acme.get(Browser::location(&gone).unwrap()).await.expect(200));
        assert!(told.contains("Discarded: 2 deliveries."), "{told}");
        assert_eq!(filed(database).await, 59);

        // By filter: what fails after the question stays.
        let all = [("which", "all"), ("outcome", "http_status")];
        let asked = acme.post(DISCARD, &all).await.expect(200);
        let told = text(&asked);
        assert!(told.contains("Discard 58 failed deliveries?"), "{told}");
        let asked_at = between(&asked.body, "name=\"asked_at\" value=\"", "\"").unwrap();
        database
            .execute(
                "UPDATE dead_letters SET failed_at = now() + interval '1 minute' WHERE event = 'evt_059'",
            )
            .await
            .unwrap();
        let sure = [&all[..], &[("sure", "1"), ("asked_at", &asked_at)]].concat();
        let gone = acme.post(DISCARD, &sure).await.expect(303);
        assert_eq!(
            Browser::location(&gone),
            Some("/companies/acme/failed?outcome=http_status&discarded=57")
        );
        let left = database.texts("SELECT event FROM dead_letters ORDER BY 1").await;
        assert_eq!(left, ["evt_059", "evt_other"]);
        let deeds = "SELECT action FROM audit WHERE action LIKE 'failed.%' AND actor LIKE 'portal:%'";
        assert_eq!(database.texts(deeds).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn nobody_reaches_what_failed_at_another_company() {
    database_scenario(async |world, database| {
        // Nobody takes up what acme sends again.
        world.leaves(Queue::Deliveries);
        let console = &start(setup(world, database)).await;
        console
            .register("acme", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        console
            .register("globex", &json!({"url": "https://example.com/", "id": "ep_crm"}))
            .await;
        dead(database, "evt_secret", "ep_crm", "http_status", 500, 60).await;
        let (acme, globex) = (member(console, "acme").await, member(console, "globex").await);
        let sent = acme
            .post(RETRY, &[("one", "evt_secret/ep_crm")])
            .await
            .expect(303);
        let (_, retry) = Browser::location(&sent).unwrap().rsplit_once('/').unwrap();
        for path in [
            FAILED.to_owned(),
            format!("{FAILED}/evt_secret/ep_crm"),
            format!("{FAILED}/retries/{retry}"),
            "/companies/globex/failed/evt_secret/ep_crm".to_owned(),
            format!("/companies/globex/failed/retries/{retry}"),
        ] {
            let refused = globex.get(&path).await;
            assert_eq!(refused.status, 404, "{path}");
            assert!(!refused.body.contains("evt_secret"), "{path}");
        }
        // Their own forms mean their own.
        for path in [
            "/companies/globex/failed/retry",
            "/companies/globex/failed/discard",
        ] {
            for picked in [("pick", "evt_secret/ep_crm"), ("which", "all")] {
                let told = text(&globex.post(path, &[picked]).await.expect(200));
                assert!(
                    told.contains("not there any more") && !told.contains("evt_secret"),
                    "{told}"
                );
                globex.post(path, &[picked, ("sure", "1"), ("again", "1")]).await;
            }
        }
        assert_eq!(filed(database).await, 1);
        assert_eq!(database.texts("SELECT company FROM retries").await, ["acme"]);
    })
    .await;
}

#[tokio::test]
async fn whatever_failed_and_whatever_is_asked_for_is_shown_as_text() {
    console_scenario(async |console, database| {
        let hostile = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)><svg/onload=alert(3)>{{7*7}}javascript:alert(4)"#;
        let wanted = json!({"url": "https://example.com/", "id": "ep_crm", "description": hostile});
        console.register("acme", &wanted).await;
        console.register("acme", &json!({"url": "https://example.com/2", "id": "ep_bidi"})).await;
        for endpoint in ["ep_crm", "ep_bidi", "ep_gone"] {
            let row = Row::of("evt_1", endpoint, 60).status("failed", "http_status", 500);
            let data = json!({"a": hostile, "b": "\u{202e}txt.exe\u{1b}[31m\u{7f}"}).to_string();
            row.insert_dead(database, &data.replace('\'', "")).await;
        }
        // What no API would take, and somebody wrote into the database.
        database
            .execute("UPDATE endpoints SET description = U&'\\202Eevil\\001B[31m' WHERE id = 'ep_bidi'")
            .await
            .unwrap();
        let operator = operator(console).await;
        let asked = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%3Cimg%20src=x%3E%E2%80%AE";
        let mut shown = Vec::new();
        for path in [
            FAILED.to_owned(),
            format!("{FAILED}/evt_1/ep_crm"),
            format!("{FAILED}/evt_1/ep_bidi"),
            format!("{FAILED}/evt_1/ep_gone"),
            format!("{FAILED}?discarded={asked}&none={asked}&after={asked}"),
        ] {
            shown.push(operator.get(&path).await.expect(200));
        }
        for name in ["endpoint", "type", "outcome", "last_status", "reason", "since", "until", "open"] {
            let refused = operator.get(&format!("{FAILED}?{name}={asked}")).await.expect(400);
            assert!(refused.body.contains("&lt;script&gt;alert(1)"), "{name}: what was asked for is kept");
            shown.push(refused);
        }
        for pick in ["evt_1/ep_crm", "evt_1/ep_bidi", "evt_1/ep_gone"] {
            shown.push(operator.post(RETRY, &[("pick", pick)]).await);
            shown.push(operator.post(DISCARD, &[("pick", pick)]).await);
        }
        shown.push(operator.post(RETRY, &[("pick", hostile)]).await);
        shown.push(operator.post(DISCARD, &[("which", "all"), ("type", hostile), ("asked_at", hostile)]).await);
        for reply in &shown {
            let body = &reply.body;
            for bad in ["<script>", "<img", "<svg/", "\u{202e}", "\u{1b}", "\u{7f}"] {
                assert!(!body.contains(bad), "{bad:?} in {body}");
            }
            assert!(!body.contains("href=\"javascript:") && !body.contains(" onerror=alert(2)>"), "{body}");
            let policy = reply.header("content-security-policy").unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        }
        let bidi = &shown[2].body;
        assert!(bidi.contains("&lt;U+202E&gt;") && bidi.contains('␛'), "{bidi}");
    })
    .await;
}

/// The first answer that says "too often", or the last of some.
async fn refused_soon(mut ask: impl AsyncFnMut() -> Reply) -> Reply {
    for _ in 0..20 {
        let reply = ask().await;
        if reply.status == 429 {
            return reply;
        }
    }
    ask().await
}

#[tokio::test]
async fn a_companys_people_change_only_so_much_and_looking_counts_for_nothing() {
    console_scenario(async |console, database| {
        let (operator, acme, globex) = (
            operator(console).await,
            member(console, "acme").await,
            member(console, "globex").await,
        );
        let proof = acme.proof().await;
        let form = [("csrf", proof.as_str()), ("url", "https://example.com/")];
        for _ in 0..130 {
            acme.bare_post("/companies/acme/check-url", &form)
                .await
                .expect(200);
        }
        let made = console
            .register("acme", &json!({"url": "https://example.com/"}))
            .await;
        let one = format!("/companies/acme/endpoints/{}", made["id"].as_str().unwrap());
        let (mut done, mut refused) = (0, None);
        for number in 0..130 {
            let path = format!("{one}/{}", if number % 2 == 0 { "pause" } else { "resume" });
            let reply = acme.bare_post(&path, &form).await;
            match reply.status {
                303 => done += 1,
                _ => refused = Some(reply),
            }
        }
        assert!((100..115).contains(&done), "{done}");
        let refused = refused.unwrap();
        assert_eq!(refused.status, 429, "{refused:?}");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
        assert!(
            text(&refused).contains("too often") && text(&refused).contains(" s, and send it again"),
            "{refused:?}"
        );
        let lines = database
            .texts("SELECT action FROM audit WHERE company = 'acme' AND actor LIKE 'portal:%'")
            .await;
        assert_eq!(
            lines
                .iter()
                .filter(|action| *action == "endpoint.changed")
                .count(),
            done
        );
        // Retries and discards stand in the audit as well, and so does what the company's tokens do.
        // (One more is allowed every few seconds, and this machine may be slow.)
        for path in [RETRY, DISCARD] {
            let fields = [form[0], ("which", "all"), ("sure", "1")];
            let refused = refused_soon(async || acme.bare_post(path, &fields).await).await;
            assert_eq!(refused.status, 429, "{path}");
        }
        let api = console.company("acme").await;
        let (path, body) = ("/v1/companies/acme/endpoints/ep_none", json!({"disabled": true}));
        let over_api = refused_soon(async || api.patch(path, &body).await).await;
        assert_eq!(over_api.problem(429), "rate_limited");
        let many = "/v1/companies/acme/failed";
        for what in ["retry", "discard"] {
            let path = format!("{many}/{what}");
            let over_api = refused_soon(async || api.post(&path, &json!({})).await).await;
            assert_eq!(over_api.problem(429), "rate_limited", "{what}");
        }
        // What only counts goes on, and so does what is of one delivery, which is counted apart.
        for _ in 0..20 {
            let path = format!("{many}/retry");
            api.post(&path, &json!({"dry_run": true})).await.expect(200);
        }
        let (single, mut taken) = (format!("{many}/evt_none/ep_none"), 0);
        let refused = loop {
            let reply = match taken % 3 {
                0 => api.delete(&single).await,
                1 => api.post(&format!("{single}/retry"), &json!({})).await,
                _ => {
                    api.post("/v1/companies/acme/events/evt_none/replay", &json!({}))
                        .await
                }
            };
            if reply.status != 404 {
                break reply;
            }
            taken += 1;
            assert!(taken < 20_000, "single ones have no bound");
        };
        assert_eq!(refused.problem(429), "rate_limited");
        assert!(taken >= 1_000, "{taken}");
        // Others, the operator, and whoever only looks go on.
        globex
            .post("/companies/globex/failed/discard", &[("which", "all")])
            .await
            .expect(200);
        operator.post(&format!("{one}/pause"), &[]).await.expect(303);
        acme.get(&one).await.expect(200);
        acme.bare_post("/companies/acme/check-url", &form)
            .await
            .expect(200);
    })
    .await;
}

#[tokio::test]
async fn only_the_operator_is_told_of_settings_that_only_the_operator_can_change() {
    database_scenario(async |world, database| {
        // As it is where nothing more is let through.
        let setup = setup(world, database)
            .unset("HOOKLINE_ALLOW_HTTP")
            .unset("HOOKLINE_ALLOW_CIDRS");
        let console = &start(setup).await;
        let (operator, acme) = (operator(console).await, member(console, "acme").await);
        for url in [
            "http://example.com/",
            "https://localhost/",
            "https://10.0.0.1/",
            "https://[::1]/",
        ] {
            for (browser, is_told) in [(&operator, true), (&acme, false)] {
                let checked = browser
                    .post("/companies/acme/check-url", &[("url", url)])
                    .await
                    .expect(200);
                let fault = checked.json()["fault"].as_str().unwrap().to_owned();
                assert!(fault.contains("not allowed"), "{url}: {fault}");
                assert_eq!(fault.contains("HOOKLINE_"), is_told, "{url}: {fault}");
                let fields = [("url", url), ("which", "all")];
                let refused = browser
                    .post("/companies/acme/endpoints", &fields)
                    .await
                    .expect(400);
                assert_eq!(refused.body.contains("HOOKLINE_"), is_told, "{url}");
            }
        }
        let api = console.company("acme").await;
        let refused = api
            .post(
                "/v1/companies/acme/endpoints",
                &json!({"url": "http://example.com/"}),
            )
            .await;
        assert!(!refused.expect(400).body.contains("HOOKLINE_"));
    })
    .await;
}
